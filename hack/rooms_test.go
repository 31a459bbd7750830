package hack

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Limits on the files of a package and the lines of a function.
const (
	maxFiles = 12
	maxLines = 60
)

// large lists the packages that have more than maxFiles files, with the reason. An entry that is no longer needed fails.
var large = map[string]string{
	"envoy/envoytest":     "one file for each real part that tests start",
	"pkg/gateway/compile": "one file for each part of an API's configuration, on one builder",
	"pkg/gateway":         "one file for each step of a decision, in the order of authorize.go; everything else is in the packages below it",
}

// TestRooms fails for a package with more than maxFiles files and no reason in large, for a reason that is no longer needed, and for a
// function of more than maxLines lines. With -v it also reports the size of each package, and which files use each other in a circle,
// so that none of them can be read first.
func TestRooms(t *testing.T) {
	exports := map[string]string{}
	for _, p := range list(t, "-export", "-deps", "-json=ImportPath,Export", "./...") {
		exports[p.ImportPath] = p.Export
	}
	reasons := maps.Clone(large)
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if len(p.GoFiles) == 0 || strings.HasPrefix(name, "proto/") {
			continue
		}
		r := openRoom(t, p, exports)
		t.Logf("%s: %d files, %d lines", name, len(p.GoFiles), r.lines)
		if problem := sizeProblem(len(p.GoFiles), reasons[name]); problem != "" {
			t.Errorf("%s: %s", name, problem)
		}
		delete(reasons, name)
		for _, circle := range r.circles() {
			t.Logf("%s: %d files in a circle: %s", name, len(circle), strings.Join(circle, " "))
		}
		for _, long := range r.long {
			t.Errorf("%s: %s: more than %d lines", name, long, maxLines)
		}
	}
	for name := range reasons {
		t.Errorf("large lists %s, which is not a package: remove the entry", name)
	}
}

// sizeProblem says what is wrong with the number of a package's files, for the reason that large has for it.
func sizeProblem(files int, reason string) string {
	switch {
	case files > maxFiles && reason == "":
		return fmt.Sprintf("%d files, want at most %d: split it, or give the reason in large", files, maxFiles)
	case files <= maxFiles && reason != "":
		return fmt.Sprintf("%d files: remove its entry from large", files)
	}
	return ""
}

// A package is refused for its size without a reason, and a reason without the size.
func TestSizeProblem(t *testing.T) {
	for _, tt := range []struct {
		files  int
		reason string
		want   string
	}{
		{maxFiles, "", ""},
		{maxFiles + 1, "one subject", ""},
		{maxFiles + 1, "", "13 files, want at most 12: split it, or give the reason in large"},
		{maxFiles, "one subject", "12 files: remove its entry from large"},
	} {
		if got := sizeProblem(tt.files, tt.reason); got != tt.want {
			t.Errorf("%d files, reason %q: %q, want %q", tt.files, tt.reason, got, tt.want)
		}
	}
}

// room is a package, with the files that each of its files uses.
type room struct {
	uses  map[string]map[string]bool
	lines int
	long  []string
}

// openRoom type-checks a package, because methods of different types may have the same name.
func openRoom(t *testing.T, p listed, exports map[string]string) *room {
	t.Helper()
	fset := token.NewFileSet()
	r := &room{uses: map[string]map[string]bool{}}
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		r.uses[name] = map[string]bool{}
		r.lines += fset.File(file.Pos()).LineCount()
		r.measure(fset, name, file)
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	checker := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	here, err := checker.Check(p.ImportPath, fset, files, info)
	if err != nil {
		t.Fatal(err)
	}
	for ident, object := range info.Uses {
		if object.Pkg() != here || !object.Pos().IsValid() {
			continue
		}
		from, to := filepath.Base(fset.Position(ident.Pos()).Filename), filepath.Base(fset.Position(object.Pos()).Filename)
		if from != to {
			r.uses[from][to] = true
		}
	}
	return r
}

// measure records the functions of a file that are too long.
func (r *room) measure(fset *token.FileSet, name string, file *ast.File) {
	for _, d := range file.Decls {
		f, is := d.(*ast.FuncDecl)
		if is && fset.Position(f.End()).Line-fset.Position(f.Pos()).Line >= maxLines {
			r.long = append(r.long, name+": "+f.Name.Name)
		}
	}
}

// circles returns the files that use each other, directly or indirectly, by circle.
func (r *room) circles() [][]string {
	reached := map[string]map[string]bool{}
	for name := range r.uses {
		reached[name] = map[string]bool{}
		r.reach(name, reached[name])
	}
	var all [][]string
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(r.uses)) {
		if seen[name] || !reached[name][name] {
			continue
		}
		var circle []string
		for _, other := range slices.Sorted(maps.Keys(r.uses)) {
			if reached[name][other] && reached[other][name] {
				circle = append(circle, other)
				seen[other] = true
			}
		}
		all = append(all, circle)
	}
	return all
}

func (r *room) reach(name string, reached map[string]bool) {
	for next := range r.uses[name] {
		if !reached[next] {
			reached[next] = true
			r.reach(next, reached)
		}
	}
}
