package openapi

import (
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

type Options struct {
	HTTP                       *bool
	Read                       func(name string) ([]byte, error)
	StageVariables             map[string]string
	Account, Region, Partition string
}

func Read(root *tree.Node, o Options, r *portability.Report) (*tree.Node, fault.List) { return nil, nil }
