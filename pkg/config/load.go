package config

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
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
	Warnings Faults
	// Digest is the SHA-256 over the contents of Files, in hex.
	Digest string
	// APIs and Routes say how many there are.
	APIs, Routes int

	resources []resource
	answers   *heldAnswers
	flushable []flushable
	// asked are the functions that authorizers ask, by ARN; guards forget all others.
	asked []string
	// asking is how many APIs have authorizers that ask functions, and keyed how many have some that need keys.
	asking, keyed int
	runtime       *Runtime
}

// resource is something that a configuration needs from outside.
type resource interface {
	// Start begins to get it, and returns at once.
	Start(ctx context.Context)
	// WaitReady returns when it is there, or with an error when ctx ends before.
	WaitReady(ctx context.Context) error
	// Close gives it back.
	Close()
}

// patience is how long Start waits for what the configuration needs from outside.
const patience = 3 * time.Second

// Start begins to fetch what the configuration needs from outside, the keys of issuers, and returns once it is there, or
// after 3 seconds: what is not there by then is tried further, and is the concern of the routes that need it alone.
func (s *Snapshot) Start(ctx context.Context) {
	for _, r := range s.resources {
		r.Start(ctx)
	}
	s.runtime.guards.Retain(s.asked)
	s.runtime.expect(s)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, r := range s.resources {
		_ = r.WaitReady(ctx) // whoever fetches logs why it fails
	}
}

// Close gives back what the configuration needs from outside. It is called when no request uses it any more.
func (s *Snapshot) Close() {
	for _, r := range s.resources {
		r.Close()
	}
}

// A file set that changes while it is read is read again, this often and after this time.
const (
	maxReadings  = 5
	readingPause = 20 * time.Millisecond
)

// Load reads the configuration at path, all of it, and compiles it, with nothing that outlives it. The Snapshot is for looking
// at; one that is to serve comes from a Runtime.
func Load(path string) (*Snapshot, error) {
	return newRuntime(slog.New(slog.DiscardHandler)).Load(path)
}

// Load reads the configuration at path, all of it, and compiles it. If anything is wrong with it, the error is Faults that
// name everything that is, and the Snapshot, if there is one, has nothing but Files. A Snapshot without an error has to be
// closed.
func (r *Runtime) Load(path string) (*Snapshot, error) {
	path = filepath.Clean(path)
	var s *Snapshot
	l := settled(func() *loading {
		if s != nil {
			s.Close() // of a torn set
		}
		l := r.read(path)
		s = l.compileAll()
		return l
	})
	if l == nil {
		s.Close()
		return nil, Faults{{
			File:    path,
			Message: "it, or a file that it names, changed each time it was read: replace the files by renaming, all at once",
		}}
	}
	return l.snapshot(s)
}

// settled reads until the files stayed as they were while they were read; nil if they never did.
func settled(read func() *loading) *loading {
	for range maxReadings {
		if l := read(); l.files.stable() {
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
func (r *Runtime) read(path string) *loading {
	l := &loading{compiler: compiler{file: path, files: newFileSet(), report: newReport(), runtime: r, asking: map[string]bool{}, keyed: map[string]bool{}}}
	data, err := l.files.read(path, maxConfigSize)
	if err != nil {
		l.report.add(Fault{File: path, Message: "cannot be read: " + err.Error()})
		return l
	}
	if l.root = l.report.parse(path, data, noConfiguration); l.root != nil {
		l.gather()
	}
	return l
}

// compileAll compiles what was read, and reads the accounts on the way.
func (l *loading) compileAll() *Snapshot {
	s := &Snapshot{}
	if l.root != nil {
		l.compileInto(s)
	}
	s.Files, s.Digest = l.files.names, l.files.digest()
	s.resources, s.answers, s.flushable = l.resources, l.answers, l.flushable
	s.asked, s.asking, s.keyed, s.runtime = l.asked, len(l.asking), len(l.keyed), l.runtime
	return s
}

// snapshot is what was compiled, or what is wrong with it.
func (l *loading) snapshot(s *Snapshot) (*Snapshot, error) {
	faults := l.report.result(l.files.names)
	if faults.fatal() || s.Gateway == nil {
		s.Close()
		return &Snapshot{Files: s.Files}, faults
	}
	s.Warnings = faults
	return s, nil
}

func (l *loading) compileInto(s *Snapshot) {
	decoder := decoder{file: l.file, report: l.report}
	m := decoder.decode(l.root)
	if l.report.full() {
		return
	}
	checkRules(m, l.root, l.file, l.report)
	s.Gateway, s.Config = l.compile(m)
	s.APIs = len(m.GetApis())
	for _, api := range m.GetApis() {
		s.Routes += len(api.GetRoutes())
	}
}
