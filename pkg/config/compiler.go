package config

import (
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// compiler builds a gateway's configuration from a message of config.proto and the document that it was read from.
type compiler struct {
	*reader.Reader
	Input
	// keyFiles are the access key files by name.
	keyFiles map[string]*keyFile
	// accounts are the exports that were read.
	accounts map[string]bool
	// signs reports whether there are access keys.
	signs bool

	// pool provides what outlives the configuration, and lease records what the configuration holds of it.
	pool  *pool.Pool
	lease *pool.Lease
	// sources says where the keys of issuers are, by issuer. used has the issuers that authorizers refer to.
	sources map[string]jwt.Source
	used    map[string]bool
	// audiences are those of the issuers, by the name of the identity provider.
	audiences map[string][]string
	// functions says where functions run, by ARN. called has the functions that authorizers call.
	functions map[string]*function
	called    map[string]bool
	// defined are the APIs that definitions define.
	defined []*definition.Definition
	// flushable are the authorizers whose answers are cached.
	flushable []flushable
	// log is the decision log; nil if the configuration does not mention it.
	log *decisionlog.Config
	// web verifies the tokens that callers exchange for session credentials.
	web webIdentity
	// keys are the access keys and their owners.
	keys *iam.Store
	// ring seals and opens session tokens; nil if the configuration does not accept any.
	ring *session.Ring
}

// keyFile is an access key file. Its faults are reported where it is used.
type keyFile struct {
	*reader.Reader
	used bool
}

// function is an entry of functions.
type function struct {
	pool.FunctionSpec
	faulty bool
}

// flushable is an authorizer whose answers are cached. It holds no gateway.API, which would keep Places alive.
type flushable struct {
	// api is the id of the authorizer's API, and name is the authorizer's name.
	api, name string
	stages    []string
}

func newFlushable(api *gateway.API, name string) flushable {
	f := flushable{api: api.ID, name: name}
	for _, s := range api.Stages {
		f.stages = append(f.stages, s.Name)
	}
	return f
}
