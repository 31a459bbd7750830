package config

import (
	"path/filepath"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/identity"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/merge"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// The retries for a file set that changes during reading, and the pause between them.
const (
	maxReadings  = 5
	readingPause = 20 * time.Millisecond
)

// Load reads and compiles the configuration at path. It takes what outlives the configuration from the Pool. If
// anything is wrong, the error is a fault.List with every fault, and the Snapshot, if any, has nothing but Files and
// Definitions. Close a Snapshot that is returned without an error.
func Load(path string, p *pool.Pool) (*Snapshot, error) { return LoadInput(Input{Path: path}, p) }

// LoadInput loads as Load does.
func LoadInput(in Input, p *pool.Pool) (*Snapshot, error) {
	_, s, err := load(in, p)
	return s, err
}

// load loads as LoadInput does, and returns what it read. That is nil if a file changed during each attempt.
func load(in Input, p *pool.Pool) (*loading, *Snapshot, error) {
	in.Path = filepath.Clean(in.Path)
	var s *Snapshot
	l := settled(func() *loading {
		if s != nil {
			s.Close() // the files were inconsistent
		}
		l := read(in, p)
		s = l.compileAll()
		return l
	})
	if l == nil {
		s.Close()
		return nil, nil, fault.List{{
			File:    in.Path,
			Message: "it, or a file that it names, changed during each attempt to read it: replace the files by renaming, all at once",
		}}
	}
	s, err := l.snapshot(s)
	return l, s, err
}

// settled reads until no file changes during a read. It returns nil if that never happens.
func settled(read func() *loading) *loading {
	for range maxReadings {
		if l := read(); l.Files.Stable() {
			return l
		}
		time.Sleep(readingPause)
	}
	return nil
}

const noConfiguration = "the configuration is empty: write apis: with an id, an account, a region, stages and routes"

// loading is one attempt to read a configuration.
type loading struct {
	compiler
}

// read reads the files of a configuration without parsing the files that it names, but for definitions.
func read(in Input, p *pool.Pool) *loading {
	l := &loading{compiler: compiler{
		Reader: &reader.Reader{File: in.Path, Files: source.NewFiles(), Report: fault.NewReport()}, Input: in, pool: p, lease: p.Lease(),
	}}
	data, err := in.Text, error(nil)
	if data == nil {
		data, err = l.Files.Read(in.Path, reader.MaxConfigSize)
	}
	if err != nil {
		l.Add(fault.Fault{File: in.Path, Message: "cannot be read: " + err.Error()})
		return l
	}
	if l.Doc = source.Parse(source.File{Name: in.Path, Data: data, Empty: noConfiguration, Schema: reader.Schema}, l.Report); l.Doc != nil {
		l.defined = merge.Definitions(l.Reader, in.Standalone)
		l.gather()
	}
	return l
}

// gather reads all files that a configuration names, before any of them is parsed.
func (c *compiler) gather() {
	c.gatherPolicies("apis", "resourcePolicy")
	c.gatherPolicies("vpcEndpoints", "policy")
	c.keyFiles = identity.Gather(c.Reader)
	issuer.Gather(c.Reader)
	authorizer.Gather(c.Reader)
	c.gatherCache()
	c.gatherAPIKeys()
	c.gatherDecisionLog()
}

// compileAll compiles the configuration and reads the accounts. If a file has changed meanwhile, it discards the
// result.
func (l *loading) compileAll() *Snapshot {
	s := &Snapshot{lease: l.lease}
	if l.Doc != nil {
		l.compileInto(s)
	}
	s.Files, s.Digest, s.Definitions = l.Files.Names(), l.Files.Digest(), append(l.defined, l.Others...)
	return s
}

// snapshot returns the compiled configuration, or its faults.
func (l *loading) snapshot(s *Snapshot) (*Snapshot, error) {
	faults := l.Result(l.Files.Names())
	if faults.Fatal() || s.Gateway == nil {
		s.Close()
		return &Snapshot{Files: s.Files, Definitions: s.Definitions, lease: l.pool.Lease()}, faults
	}
	s.Warnings = faults
	return s, nil
}

func (l *loading) compileInto(s *Snapshot) {
	m := &configv1.Config{}
	l.Doc.Decode(m, l.Report)
	if l.Full() {
		return
	}
	l.Doc.Check(m, l.Report)
	s.Gateway, s.Config = l.compile(m)
	s.APIs = len(s.Config.APIs)
	for i := range s.Config.APIs {
		s.Routes += len(s.Config.APIs[i].Routes)
	}
	s.NeedsBodies, s.DecisionLog = s.Config.NeedsBodies(), l.log
	s.STS = l.identities.STS(s.Gateway)
	s.keys = l.identities.Store
	s.flushable = l.authorizers.Flushable()
}
