package config

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/identity"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/sts"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// Snapshot is a configuration, compiled. It does not change.
type Snapshot struct {
	// Gateway decides by this configuration.
	Gateway *gateway.Gateway
	// Config is the input of Gateway: the APIs as written.
	Config gateway.Config
	// Files are the files and folders that were read, by their given names, the configuration itself first. Watch them
	// for changes.
	Files []string
	// Warnings are problems that do not prevent using the configuration.
	Warnings fault.List
	// Digest is the SHA-256 over the contents of Files, in hex.
	Digest string
	// APIs and Routes are the numbers of APIs and routes.
	APIs, Routes int
	// STS answers calls of STS; nil if the configuration issues no sessions.
	STS *sts.Service
	// NeedsBodies reports whether a route verifies signatures, which cover the body. Nothing else reads bodies.
	NeedsBodies bool
	// DecisionLog says where decisions are logged; nil if the configuration does not mention it.
	DecisionLog *decisionlog.Config

	// Definitions are the APIs that definitions define, as they were read. A Snapshot with faults has those that could be read.
	Definitions []*definition.Definition

	lease     *pool.Lease
	flushable []authorizer.Flushable
	keys      *iam.Store
}

// Signer returns a user or a role session by its ARN, as if it had signed at a time; nil if no account has it. It is for explanations.
func (s *Snapshot) Signer(arn string, at time.Time) *gateway.Signed {
	if s.keys == nil {
		return nil
	}
	caller := s.keys.Caller(arn, at)
	if caller == nil {
		return nil
	}
	return identity.Signed(caller)
}

// patience limits how long Wait waits for remote parts of the configuration.
const patience = 3 * time.Second

// Start begins to fetch the remote parts of the configuration, the keys of issuers, and returns at once.
func (s *Snapshot) Start(ctx context.Context) {
	s.lease.Start(ctx)
}

// Wait returns when everything that Start fetches has arrived, after 3 seconds, or when ctx ends. Fetching continues
// after that, and only the routes that need a missing part are affected.
func (s *Snapshot) Wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.lease.Wait(ctx)
}

// Close releases what the Snapshot holds. Call it when no request uses the Snapshot any more.
func (s *Snapshot) Close() {
	s.lease.Close()
}

// Flush invalidates the cached answers for a stage of an API, here and in the replicas that share them. It covers one
// Lambda authorizer, or all of them if its name is empty. Answers from an earlier configuration of the authorizer are
// covered too. found reports whether there are such authorizers. Flush works without them too, because another replica
// may still or already have them.
func (s *Snapshot) Flush(ctx context.Context, api, stage, name string) (found bool, err error) {
	found = slices.ContainsFunc(s.flushable, func(f authorizer.Flushable) bool {
		return f.API == api && (name == "" || f.Name == name) && slices.Contains(f.Stages, stage)
	})
	return found, s.lease.Flush(ctx, api, stage, name)
}

// Trouble returns what may delay a flush between replicas, one problem a line.
func (s *Snapshot) Trouble() []string { return s.lease.Trouble() }

// The retries for a file set that changes during reading, and the pause between them.
const (
	maxReadings  = 5
	readingPause = 20 * time.Millisecond
)

// Input says what to load.
type Input struct {
	// Path is the configuration's file.
	Path string
	// Text, if any, is the configuration: Path is not read. Files that it names are relative to the folder of Path.
	Text []byte
	// Standalone is for a definition without a portcullis.yaml. It may lack what only serving needs, such as access keys.
	Standalone bool
	// Others are APIs of a Standalone's file that are not loaded. They are among the Snapshot's Definitions.
	Others []*definition.Definition
	// Places keeps the position of each value in Snapshot.Config. Positions need much memory.
	Places bool
}

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
		l.define()
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
