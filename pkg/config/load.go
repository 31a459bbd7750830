package config

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// Snapshot is a configuration, compiled. It does not change.
type Snapshot struct {
	// Gateway decides by this configuration.
	Gateway *gateway.Gateway
	// Config is what Gateway was made of: the APIs as they were written.
	Config gateway.Config
	// Files are all files and folders that were read, as they were named, the configuration itself first: what to watch for
	// changes.
	Files []string
	// Warnings are what may be wrong without keeping the configuration from being used.
	Warnings fault.List
	// Digest is the SHA-256 over the contents of Files, in hex.
	Digest string
	// APIs and Routes say how many there are.
	APIs, Routes int
	// NeedsBodies says that a route verifies signatures, which are over the body too. Nothing else looks at bodies.
	NeedsBodies bool

	// Definitions are the APIs that definitions define, as they were read. A Snapshot with faults has those that could be read.
	Definitions []*definition.Definition

	lease     *pool.Lease
	flushable []flushable
}

// patience is how long Wait waits for what the configuration needs from outside.
const patience = 3 * time.Second

// Start begins to fetch what the configuration needs from outside, the keys of issuers, and returns at once.
func (s *Snapshot) Start(ctx context.Context) {
	s.lease.Start(ctx)
}

// Wait returns once what Start has begun to fetch is there, after 3 seconds, or when ctx ends. What is not there by then is tried
// further, and is the concern of the routes that need it alone.
func (s *Snapshot) Wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.lease.Wait(ctx)
}

// Close gives back what the configuration needs from outside. It is called when no request uses it any more.
func (s *Snapshot) Close() {
	s.lease.Close()
}

// Flush makes the remembered answers for a stage of an API count no more, here and in the replicas that share them: those of
// one Lambda authorizer, or of all if its name is empty. Answers are covered, too, that were remembered while the authorizer was
// configured otherwise. found says that there are such authorizers. Where there are none, what is remembered is flushed all the
// same: another replica may still have them, or have them already.
func (s *Snapshot) Flush(ctx context.Context, api, stage, authorizer string) (found bool, err error) {
	found = slices.ContainsFunc(s.flushable, func(f flushable) bool {
		return f.api == api && (authorizer == "" || f.name == authorizer) && slices.Contains(f.stages, stage)
	})
	return found, s.lease.Flush(ctx, api, stage, authorizer)
}

// Trouble says what may keep a flush in another replica from arriving here at once, a line each.
func (s *Snapshot) Trouble() []string { return s.lease.Trouble() }

// A file set that changes while it is read is read again, this often and after this time.
const (
	maxReadings  = 5
	readingPause = 20 * time.Millisecond
)

// Input says what to load, for those who want more than to serve it.
type Input struct {
	// Path is the configuration's file.
	Path string
	// Text, if there is any, is the configuration, and nothing is read at Path. Files that it names are relative to the folder of Path.
	Text []byte
	// Standalone is for a definition without a portcullis.yaml: access keys, which only serving needs, are not asked for.
	Standalone bool
	// Places keeps, in Snapshot.Config, where each value stands. It takes much memory.
	Places bool
}

// Load reads the configuration at path, all of it, and compiles it; what outlives it, it takes from the Pool. If anything is wrong
// with it, the error is a fault.List of everything that is, and the Snapshot, if there is one, has nothing but Files and
// Definitions. A Snapshot
// without an error has to be closed.
func Load(path string, p *pool.Pool) (*Snapshot, error) { return LoadInput(Input{Path: path}, p) }

// LoadInput loads as Load does.
func LoadInput(in Input, p *pool.Pool) (*Snapshot, error) {
	in.Path = filepath.Clean(in.Path)
	var s *Snapshot
	l := settled(func() *loading {
		if s != nil {
			s.Close() // of a torn set
		}
		l := read(in, p)
		s = l.compileAll()
		return l
	})
	if l == nil {
		s.Close()
		return nil, fault.List{{
			File:    in.Path,
			Message: "it, or a file that it names, changed each time it was read: replace the files by renaming, all at once",
		}}
	}
	return l.snapshot(s)
}

// settled reads until the files stayed as they were while they were read; nil if they never did.
func settled(read func() *loading) *loading {
	for range maxReadings {
		if l := read(); l.files.Stable() {
			return l
		}
		time.Sleep(readingPause)
	}
	return nil
}

const noConfiguration = "there is no configuration here: write apis: with an id, an account, a region, stages and routes"

// loading is one reading of a configuration.
type loading struct {
	compiler
}

// read reads the files of a configuration without looking into those that it names.
func read(in Input, p *pool.Pool) *loading {
	l := &loading{compiler: compiler{
		reader: reader{file: in.Path, files: source.NewFiles(), Report: fault.NewReport()}, Input: in, pool: p, lease: p.Lease(),
	}}
	data, err := in.Text, error(nil)
	if data == nil {
		data, err = l.files.Read(in.Path, maxConfigSize)
	}
	if err != nil {
		l.Add(fault.Fault{File: in.Path, Message: "cannot be read: " + err.Error()})
		return l
	}
	if l.doc = source.Parse(source.File{Name: in.Path, Data: data, Empty: noConfiguration, Schema: schema}, l.Report); l.doc != nil {
		l.define()
		l.gather()
	}
	return l
}

// gather reads the files that a configuration names, so that all are read before any is looked into.
func (c *compiler) gather() {
	c.gatherPolicies("apis", "resourcePolicy")
	c.gatherPolicies("vpcEndpoints", "policy")
	c.gatherIAM()
	c.gatherIssuers()
	c.gatherFunctions()
	c.gatherCache()
	c.gatherAPIKeys()
}

// compileAll compiles what was read, and reads the accounts on the way. If a file turns out to have changed, what was compiled of the
// torn set is thrown away.
func (l *loading) compileAll() *Snapshot {
	s := &Snapshot{lease: l.lease}
	if l.doc != nil {
		l.compileInto(s)
	}
	s.Files, s.Digest, s.Definitions, s.flushable = l.files.Names(), l.files.Digest(), l.defined, l.flushable
	return s
}

// snapshot is what was compiled, or what is wrong with it.
func (l *loading) snapshot(s *Snapshot) (*Snapshot, error) {
	faults := l.Result(l.files.Names())
	if faults.Fatal() || s.Gateway == nil {
		s.Close()
		return &Snapshot{Files: s.Files, Definitions: s.Definitions, lease: l.pool.Lease()}, faults
	}
	s.Warnings = faults
	return s, nil
}

func (l *loading) compileInto(s *Snapshot) {
	m := &configv1.Config{}
	l.doc.Decode(m, l.Report)
	if l.Full() {
		return
	}
	l.doc.Check(m, l.Report)
	s.Gateway, s.Config = l.compile(m)
	s.APIs = len(s.Config.APIs)
	for i := range s.Config.APIs {
		s.Routes += len(s.Config.APIs[i].Routes)
	}
	s.NeedsBodies = s.Config.NeedsBodies()
}
