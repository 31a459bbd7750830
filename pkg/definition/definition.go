// Package definition reads an API from the file that defines it for AWS: OpenAPI with x-amazon-apigateway extensions, a SAM template or a
// CloudFormation template. What it returns is the API in the terms of portcullis.yaml, each value with its place in the definition,
// and a report of what becomes of each part.
//
// The way of a file: tree.Parse reads it; package template includes what it includes; package sam makes a CloudFormation template of a
// SAM template, as AWS does; package template resolves intrinsic functions; package cloudformation finds the API's resources; package
// openapi reads OpenAPI, alone or in a template's Body. To begin with, read Load.
package definition

import (
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Spec says what to read, and gives what the definition does not say.
type Spec struct {
	// File is the name of the definition.
	File string
	// API is the logical id of the API in a template; it may be empty if the template has one API.
	API string
	// Parameters are values of the template's parameters, ParameterFile a file of more.
	Parameters    map[string]string
	ParameterFile string
	// Values are values from outside the definition, by the key that asks for them.
	Values map[string]string
	// Folder is the folder that must contain the files that the definition includes.
	Folder string
	// Kind is REST or HTTP if the API's owner says so. It decides where an OpenAPI document leaves it open; a template says it itself.
	Kind string
	// ID, Account, Region and Partition are those of the API.
	ID, Account, Region, Partition string
	// Variables are the stage variables, where all stages have the same.
	Variables map[string]string
	// Integrations takes the upstreams of routes from their integrations. UpstreamTLSCA is the file of the authorities to trust for https,
	// empty for the public ones. HasUpstream says that the API has an upstream beside the definition.
	Integrations, HasUpstream bool
	UpstreamTLSCA             string
	// Stages are the names of the stages beside the definition; empty for those that it defines.
	Stages []string
	// Read reads a file of at most limit bytes.
	Read func(name string, limit int64) ([]byte, error)
}

// Definition is an API as it was read.
type Definition struct {
	// File and API say where the API is defined. API is empty for an OpenAPI file.
	File, API string
	// Format is "OpenAPI", "SAM" or "CloudFormation".
	Format string
	// Node is the API in the terms of portcullis.yaml. It is nil if the definition cannot be read.
	Node *tree.Node
	// Upstreams are the upstreams that its routes name, in the terms of portcullis.yaml. It is nil if there are none.
	Upstreams *tree.Node
	// Empty says that the file defines no API, and no part of one that guards.
	Empty bool
	// Absent says that the template does not create the API, as a condition has it.
	Absent bool
	// Notes say what becomes of each part.
	Notes []portability.Note
	// Unasked are the keys of Values that nothing in the definition asks for, each with the key that may be meant, or empty.
	Unasked map[string]string
}

// Refusals returns the notes of what guards and cannot be told or built. With any, the definition may be used only by a caller that
// wants the routes concerned to refuse.
func (d *Definition) Refusals() []portability.Note { return portability.Refusals(d.Notes) }

// publicCAs is where Debian and Envoy's images have the public authorities.
const publicCAs = "/etc/ssl/certs/ca-certificates.crt"

// The largest files that AWS takes.
const (
	maxOpenAPI  = 6 << 20
	maxTemplate = 1 << 20
)

// maxRead bounds what is read of a template for all its APIs.
const maxRead = 64 << 20
