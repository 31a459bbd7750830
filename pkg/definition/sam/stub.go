package sam

import (
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

func Is(root *tree.Node) bool { return false }
func Transform(root *tree.Node, parameters map[string]string, r *portability.Report) (*tree.Node, fault.List) {
	return root, nil
}
