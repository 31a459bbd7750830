package config

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"weak"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// A Place leads to a document, which is larger than all that is compiled of it: what serves holds neither.
func TestSnapshotHoldsNoDocument(t *testing.T) {
	t.Setenv("PORTCULLIS_TEST_SECRET", "of the environment")
	policy := signing(t, "portcullis.yaml", strings.Replace(signedAPI, "    routes:",
		"    resourcePolicy: {Statement: [{Effect: Allow, Principal: \"*\", Action: \"*\", Resource: \"*\"}]}\n    routes:", 1))
	for name, dir := range map[string]string{"everything": everything(t), "signing": signing(t), "policy": policy} {
		l := read(Input{Path: filepath.Join(dir, "portcullis.yaml")}, pool.Dry())
		nodes := nodesOf(l.Doc)
		for _, k := range l.keyFiles {
			nodes = append(nodes, nodesOf(k.Doc)...)
		}
		s, err := l.snapshot(l.compileAll())
		if err != nil {
			t.Fatal(err)
		}
		l = nil
		runtime.GC()
		held := 0
		for _, n := range nodes {
			if n.Value() != nil {
				held++
			}
		}
		if held > 0 || len(nodes) < 20 {
			t.Errorf("%s: %d of %d nodes are held", name, held, len(nodes))
		}
		runtime.KeepAlive(s)
		s.Close()
	}
}

func nodesOf(d *source.Document) []weak.Pointer[yaml.Node] {
	var nodes []weak.Pointer[yaml.Node]
	var add func(*yaml.Node)
	add = func(n *yaml.Node) {
		nodes = append(nodes, weak.Make(n))
		for _, child := range n.Content {
			add(child)
		}
	}
	add(d.Node(d.Root()))
	return nodes
}
