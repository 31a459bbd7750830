package template

import (
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

type Inputs struct {
	Parameters, Values                     map[string]string
	Account, Region, Partition, API, APIID string
	Read                                   func(name string) ([]byte, error)
}
type Template struct{ Resources *tree.Node }

func (t *Template) Undecided(id string) *tree.Node { return nil }
func Fill(root *tree.Node, values map[string]string) *tree.Node { return root }
func Open(file string, root *tree.Node, in Inputs, r *portability.Report) (*tree.Node, fault.List) {
	return root, nil
}
func Resolve(root *tree.Node, in Inputs, r *portability.Report) (*Template, fault.List) { return nil, nil }
