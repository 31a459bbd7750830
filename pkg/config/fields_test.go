package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// A field of config.proto that nothing reads would be taken and passed over in silence. Each is read by its getter, of its own
// message's type; or, where it is a google.protobuf.Value, which Decode leaves empty, as a policy that is attached under its name. What is done with it
// is for the stories to show.
func TestEachFieldIsRead(t *testing.T) {
	reads := readsOf(t)
	seen := map[protoreflect.FullName]bool{}
	for _, root := range []protoreflect.Message{(*configv1.Config)(nil).ProtoReflect(), (*configv1.AccessKeys)(nil).ProtoReflect()} {
		eachField(root.Descriptor(), seen, func(f protoreflect.FieldDescriptor) {
			getter := string(f.ContainingMessage().Name()) + "." + f.TextName()
			node := f.Message() != nil && f.Message().FullName() == anyValue && reads.nodes[f.JSONName()]
			if !reads.getters[getter] && !node {
				t.Errorf("nothing reads %s", getter)
			}
		})
	}
	if len(seen) < 20 || !reads.getters["Route.authorization"] || !reads.nodes["resourcePolicy"] || reads.getters["AccessKey.nothing"] {
		t.Errorf("%d messages, and %d getters, were found: too few to tell anything", len(seen), len(reads.getters))
	}
}

// anyValue is the type of a field that is read from its node.
var anyValue = (*structpb.Value)(nil).ProtoReflect().Descriptor().FullName()

// eachField yields the fields of a message and of those in it.
func eachField(m protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool, yield func(protoreflect.FieldDescriptor)) {
	if seen[m.FullName()] || m.FullName() == anyValue {
		return
	}
	seen[m.FullName()] = true
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		yield(f)
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			eachField(f.MapValue().Message(), seen, yield)
		case !f.IsMap() && f.Message() != nil:
			eachField(f.Message(), seen, yield)
		}
	}
}

// reads has the parts of config.proto that the packages read: fields by their getters, as Message.field_name, and nodes by name.
type reads struct{ getters, nodes map[string]bool }

// readsOf type-checks the package and those inside it, because many messages have a field of one name.
func readsOf(t *testing.T) reads {
	t.Helper()
	own, exports := listPackages(t)
	getters := gettersOf(t)
	r := reads{map[string]bool{}, map[string]bool{}}
	for path, names := range own {
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range names {
			file, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
		info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
		checker := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
		if _, err := checker.Check(path, fset, files, info); err != nil {
			t.Fatal(err)
		}
		r.add(files, info, getters)
	}
	return r
}

// add notes what the files of a package read.
func (r *reads) add(files []*ast.File, info *types.Info, getters map[string]string) {
	for _, s := range info.Selections {
		if method, is := s.Obj().(*types.Func); is {
			r.getters[getters[method.FullName()]] = true
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			r.policy(n)
			return true
		})
	}
}

// policy notes the name in Policy(at.Field("name"), …).
func (r *reads) policy(n ast.Node) {
	call := callOf(n, "Policy")
	if call == nil {
		return
	}
	field := callOf(call.Args[0], "Field")
	if field == nil {
		return
	}
	if name, is := field.Args[0].(*ast.BasicLit); is && name.Kind == token.STRING {
		text, _ := strconv.Unquote(name.Value)
		r.nodes[text] = true
	}
}

// callOf is a call of a method, nil if it is of another, or without arguments.
func callOf(n ast.Node, method string) *ast.CallExpr {
	call, is := n.(*ast.CallExpr)
	if !is || len(call.Args) == 0 {
		return nil
	}
	if s, is := call.Fun.(*ast.SelectorExpr); !is || s.Sel.Name != method {
		return nil
	}
	return call
}

// gettersOf are the fields of all messages by the full name of their getters.
func gettersOf(t *testing.T) map[string]string {
	t.Helper()
	const of = "(*github.com/portcullis-authz/portcullis/proto/portcullis/config/v1."
	getters := map[string]string{}
	messages := configv1.File_portcullis_config_v1_config_proto.Messages()
	for i := range messages.Len() {
		m := messages.Get(i)
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			getters[of+string(m.Name())+").Get"+camel(string(f.Name()))] = string(m.Name()) + "." + f.TextName()
		}
	}
	return getters
}

// camel is a field's name as protoc-gen-go writes it.
func camel(name string) string {
	var out []byte
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_':
		case c >= 'a' && c <= 'z' && (i == 0 || name[i-1] == '_' || name[i-1] >= '0' && name[i-1] <= '9'):
			out = append(out, c-'a'+'A')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// listPackages lists the files of this package and of those inside it, and where go has compiled what they import.
func listPackages(t *testing.T) (own map[string][]string, exports map[string]string) {
	t.Helper()
	const here = "github.com/portcullis-authz/portcullis/pkg/config"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	own, exports = map[string][]string{}, map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p struct {
			ImportPath, Export, Dir string
			GoFiles                 []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return own, exports
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if p.ImportPath != here && !strings.HasPrefix(p.ImportPath, here+"/internal/") {
			continue
		}
		for _, name := range p.GoFiles {
			own[p.ImportPath] = append(own[p.ImportPath], filepath.Join(p.Dir, name))
		}
	}
}
