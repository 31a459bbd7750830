// Package authorizer compiles the authorizers of APIs, and the section functions with where Lambda functions run.
//
// Start with New in authorizer.go, which also compiles Cognito and JWT authorizers. lambda.go compiles Lambda
// authorizers, and function.go reads where their functions run.
package authorizer

import (
	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// Config says what a Compiler takes from the configuration around it.
type Config struct {
	Reader *reader.Reader
	// Pool provides what outlives the configuration, and Lease records what the configuration holds of it.
	Pool  *pool.Pool
	Lease *pool.Lease
	// Issuers says where the keys of issuers are.
	Issuers *issuer.Issuers
	// Digests gives each authorizer a digest of its configuration.
	Digests bool
}

// Compiler compiles authorizers.
type Compiler struct {
	*reader.Reader
	pool    *pool.Pool
	lease   *pool.Lease
	issuers *issuer.Issuers
	digests bool
	// functions says where functions run, by ARN. called has the functions that authorizers call.
	functions map[string]*function
	called    map[string]bool
	flushable []Flushable
}

// Flushable returns the authorizers whose answers are cached.
func (c *Compiler) Flushable() []Flushable { return c.flushable }

// function is an entry of functions.
type function struct {
	pool.FunctionSpec
	faulty bool
}

// Flushable is an authorizer whose answers are cached. It holds no gateway.API, which would keep Places alive.
type Flushable struct {
	// API is the id of the authorizer's API, and Name is the authorizer's name.
	API, Name string
	Stages    []string
}

func flushable(api *gateway.API, name string) Flushable {
	f := Flushable{API: api.ID, Name: name}
	for _, s := range api.Stages {
		f.Stages = append(f.Stages, s.Name)
	}
	return f
}
