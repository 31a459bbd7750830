package config

import (
	"context"
	"slices"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/identity"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/sts"
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
