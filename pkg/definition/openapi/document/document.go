package document

import (
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Document is an OpenAPI document, with what it does not say.
type Document struct {
	Root *tree.Node
	// Read returns a file that a $ref names, relative to the folder of the document. Nil refuses such references.
	Read func(name string) ([]byte, error)
	// Values has what replaces ${name} in texts, by "${name}". Asked, if it is not nil, gets the keys that are asked for.
	Values map[string]string
	Asked  map[string]bool
	// StageVariables are the values of ${stageVariables.name}.
	StageVariables map[string]string
	// Account, Region and Partition are those of the API, in place of API Gateway's own variables.
	Account, Region, Partition string
	Report                     *portability.Report

	// files are the other documents that references have led to, by the File of their positions.
	files map[string]*file
}

// Trouble is why something that guards cannot be built, or cannot be told.
type Trouble struct {
	At tree.Position
	// Message has the cause and what to do.
	Message string
}

// TroubleAt returns a Trouble.
func TroubleAt(at tree.Position, message string) *Trouble { return &Trouble{at, message} }
