package hack

import (
	"encoding/json"
	"errors"
	"go/doc"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/portcullis-authz/portcullis/"

// imports lists all imports inside the module, by package. Every package must be listed, and every listed import must
// exist.
var imports = map[string][]string{
	"pkg/authz":                     {},
	"pkg/arn":                       {},
	"pkg/fault":                     {},
	"pkg/strictjson":                {},
	"pkg/policy":                    {"pkg/arn", "pkg/fault", "pkg/policy/condition", "pkg/policy/internal/document", "pkg/policy/internal/lint", "pkg/policy/internal/statement"},
	"pkg/policy/condition":          {"pkg/arn"},
	"pkg/policy/internal/document":  {"pkg/strictjson"},
	"pkg/policy/internal/statement": {"pkg/arn", "pkg/policy/condition", "pkg/policy/internal/document"},
	"pkg/policy/internal/lint":      {"pkg/arn", "pkg/fault", "pkg/policy/condition", "pkg/policy/internal/document", "pkg/policy/internal/statement"},
	"pkg/sigv4":                     {},
	"pkg/session":                   {"pkg/fault"},
	"pkg/bulkhead":                  {"pkg/authz"},
	"pkg/meter":                     {"pkg/authz"},
	"pkg/tracing":                   {"pkg/authz"},
	"pkg/cache":                     {"pkg/authz", "pkg/bulkhead"},
	"pkg/iam":                       {"pkg/authz", "pkg/arn", "pkg/cache", "pkg/fault", "pkg/iam/trust", "pkg/policy", "pkg/session", "pkg/sigv4", "pkg/strictjson"},
	"pkg/iam/trust":                 {"pkg/arn", "pkg/policy", "pkg/session"},
	"pkg/workload":                  {"pkg/authz", "pkg/iam", "pkg/jwt", "pkg/sts"},
	"pkg/sts":                       {"pkg/arn", "pkg/authz", "pkg/bulkhead", "pkg/iam", "pkg/jwt", "pkg/session"},
	"pkg/sts/awsidentity":           {"pkg/arn", "pkg/authz", "pkg/bulkhead", "pkg/fault", "pkg/iam", "pkg/policy", "pkg/strictjson", "pkg/sts"},
	"pkg/credentials":               {"pkg/sts/awsidentity"},
	"pkg/jwt":                       {"pkg/authz", "pkg/bulkhead", "pkg/cache", "pkg/strictjson"},
	"pkg/cognito":                   {"pkg/authz", "pkg/arn", "pkg/jwt"},
	"pkg/lambda":                    {"pkg/authz", "pkg/bulkhead", "pkg/cache", "pkg/policy", "pkg/strictjson"},
	"pkg/lambda/runner":             {"pkg/strictjson"},
	"pkg/gateway":                   {"pkg/authz", "pkg/fault", "pkg/gateway/answer", "pkg/gateway/canon", "pkg/gateway/compile", "pkg/gateway/internal/model", "pkg/gateway/routing", "pkg/policy"},
	"pkg/gateway/compile":           {"pkg/arn", "pkg/authz", "pkg/fault", "pkg/gateway/answer", "pkg/gateway/canon", "pkg/gateway/internal/model", "pkg/gateway/routing", "pkg/policy"},
	"pkg/gateway/internal/model":    {"pkg/authz", "pkg/gateway/answer", "pkg/gateway/canon", "pkg/gateway/routing", "pkg/policy"},
	"pkg/gateway/answer":            {"pkg/authz", "pkg/gateway/canon"},
	"pkg/gateway/routing":           {"pkg/authz", "pkg/gateway/canon"},
	"pkg/gateway/canon":             {},
	"pkg/definition/tree":           {"pkg/config/source", "pkg/fault", "pkg/strictjson"},
	"pkg/definition/portability":    {"pkg/definition/tree"},
	"pkg/definition/openapi": {"pkg/definition/openapi/authorizer", "pkg/definition/openapi/backend", "pkg/definition/openapi/document", "pkg/definition/portability", "pkg/definition/tree",
		"pkg/config/source", "pkg/fault", "pkg/gateway/routing"},
	"pkg/definition/openapi/authorizer": {"pkg/definition/openapi/document", "pkg/definition/tree", "pkg/fault"},
	"pkg/definition/openapi/backend":    {"pkg/definition/openapi/document", "pkg/definition/tree", "pkg/fault", "pkg/gateway/canon", "pkg/gateway/routing"},
	"pkg/definition/openapi/document":   {"pkg/arn", "pkg/definition/portability", "pkg/definition/tree", "pkg/fault"},
	"pkg/definition": {"pkg/arn", "pkg/config/source", "pkg/definition/cloudformation", "pkg/definition/openapi", "pkg/definition/portability", "pkg/definition/sam",
		"pkg/definition/template", "pkg/definition/template/parameters", "pkg/definition/template/variable", "pkg/definition/tree", "pkg/fault"},
	"pkg/definition/cloudformation": {"pkg/config/source", "pkg/definition/openapi", "pkg/definition/portability", "pkg/definition/template",
		"pkg/definition/tree", "pkg/fault"},
	"pkg/routes": {"pkg/fault", "pkg/gateway", "pkg/gateway/routing"},
	"pkg/definition/template": {"pkg/arn", "pkg/config/source", "pkg/definition/portability", "pkg/definition/template/included",
		"pkg/definition/template/variable", "pkg/definition/tree", "pkg/fault"},
	"pkg/definition/template/included":   {"pkg/definition/tree", "pkg/fault"},
	"pkg/definition/template/parameters": {"pkg/definition/tree", "pkg/fault"},
	"pkg/definition/template/variable":   {"pkg/definition/tree"},
	"pkg/definition/sam": {"pkg/definition/portability", "pkg/definition/sam/document", "pkg/definition/sam/value", "pkg/definition/tree",
		"pkg/fault"},
	"pkg/definition/sam/document":     {"pkg/definition/sam/value", "pkg/definition/tree"},
	"pkg/definition/sam/value":        {"pkg/definition/tree", "pkg/fault"},
	"pkg/simulate":                    {"pkg/arn", "pkg/policy", "pkg/strictjson"},
	"pkg/extauthz":                    {"pkg/authz", "pkg/probe"},
	"pkg/pool":                        {"pkg/authz", "pkg/bulkhead", "pkg/cache", "pkg/iam", "pkg/jwt", "pkg/lambda", "pkg/lambda/runner", "pkg/meter", "pkg/sts/awsidentity"},
	"pkg/explain":                     {"pkg/authz", "pkg/extauthz", "pkg/gateway"},
	"pkg/config/source":               {"pkg/fault"},
	"pkg/config/internal/reader":      {"pkg/config/source", "pkg/fault", "pkg/policy", "proto/portcullis/config/v1"},
	"pkg/config/internal/authorizer":  {"pkg/authz", "pkg/cognito", "pkg/config/internal/issuer", "pkg/config/internal/reader", "pkg/fault", "pkg/gateway", "pkg/jwt", "pkg/lambda", "pkg/lambda/runner", "pkg/pool", "proto/portcullis/config/v1"},
	"pkg/config/internal/issuer":      {"pkg/config/internal/reader", "pkg/config/source", "pkg/fault", "pkg/iam", "pkg/jwt", "proto/portcullis/config/v1"},
	"pkg/config/internal/identity":    {"pkg/authz", "pkg/config/internal/issuer", "pkg/config/internal/reader", "pkg/config/source", "pkg/fault", "pkg/gateway", "pkg/iam", "pkg/jwt", "pkg/policy", "pkg/pool", "pkg/session", "pkg/sts", "pkg/sts/awsidentity", "pkg/workload", "proto/portcullis/config/v1"},
	"pkg/config/internal/merge":       {"pkg/config/internal/reader", "pkg/config/source", "pkg/definition", "pkg/definition/portability", "pkg/definition/tree", "pkg/fault", "proto/portcullis/config/v1"},
	"pkg/config":                      {"pkg/authz", "pkg/cache", "pkg/config/internal/authorizer", "pkg/config/internal/identity", "pkg/config/internal/issuer", "pkg/config/internal/merge", "pkg/config/internal/reader", "pkg/config/source", "pkg/decisionlog", "pkg/definition", "pkg/fault", "pkg/gateway", "pkg/iam", "pkg/policy", "pkg/pool", "pkg/sts", "proto/portcullis/config/v1"},
	"pkg/envoyconf":                   {"pkg/gateway"},
	"pkg/decisionlog":                 {"pkg/authz", "pkg/bulkhead", "pkg/decisionlog/internal/stream"},
	"pkg/decisionlog/internal/stream": {},
	"pkg/decisionlog/otlp":            {"pkg/decisionlog"},
	"pkg/server/internal/generations": {},
	"pkg/server/memory":               {},
	"pkg/server":                      {"pkg/authz", "pkg/bulkhead", "pkg/decisionlog", "pkg/decisionlog/otlp", "pkg/extauthz", "pkg/meter", "pkg/probe", "pkg/server/internal/generations", "pkg/server/memory", "pkg/sts"},
	"pkg/doctor":                      {"pkg/doctor/dump", "pkg/doctor/filters", "pkg/doctor/reach", "pkg/doctor/rulebook", "pkg/doctor/stages", "pkg/doctor/tree", "pkg/gateway"},
	"pkg/doctor/dump":                 {"pkg/doctor/tree"},
	"pkg/doctor/filters":              {"pkg/doctor/dump", "pkg/doctor/tree"},
	"pkg/doctor/live":                 {"pkg/doctor/dump", "pkg/doctor/rulebook", "pkg/doctor/stages", "pkg/doctor/tree", "pkg/gateway", "pkg/probe"},
	"pkg/doctor/reach":                {"pkg/doctor/dump", "pkg/doctor/tree"},
	"pkg/doctor/rulebook":             {},
	"pkg/doctor/stages":               {"pkg/doctor/tree", "pkg/gateway"},
	"pkg/doctor/tree":                 {},
	"pkg/probe":                       {},

	"cmd/portcullis/internal/cli":        {"pkg/config/source", "pkg/fault"},
	"cmd/portcullis/internal/parameters": {"pkg/simulate"},
	"cmd/portcullis":                     {"cmd/portcullis/internal/cli", "cmd/portcullis/internal/parameters", "pkg/authz", "pkg/config", "pkg/config/source", "pkg/credentials", "pkg/definition", "pkg/definition/portability", "pkg/definition/tree", "pkg/doctor", "pkg/doctor/dump", "pkg/doctor/live", "pkg/doctor/rulebook", "pkg/envoyconf", "pkg/explain", "pkg/fault", "pkg/gateway", "pkg/lambda/runner", "pkg/pool", "pkg/routes", "pkg/server", "pkg/server/memory", "pkg/simulate", "pkg/tracing"},

	"pkg/sigv4/sigv4test":  {"pkg/authz"},
	"pkg/internal/logtest": {},

	"proto/portcullis/config/v1": {},
	"hack":                       {},
	"hack/bench":                 {"pkg/session"},
	"hack/demo":                  {"envoy/envoytest"},
	"hack/pictures":              {},
	"envoy/envoytest":            {},
	"envoy/envoytest/otlp":       {},
	"envoy/e2e":                  {},
	"deploy":                     {},
}

// onlyIn names outside modules that only the listed packages may import. Tests, the demo and the benchmark are exempt.
var onlyIn = map[string][]string{
	"github.com/envoyproxy/go-control-plane/": {"pkg/extauthz", "pkg/server"},
	"google.golang.org/grpc":                  {"pkg/decisionlog/otlp", "pkg/extauthz", "pkg/server", "pkg/server/internal/generations"},
	"buf.build/":                              {"pkg/config/source", "proto/portcullis/config/v1"},
	"google.golang.org/protobuf/":             {"pkg/config/internal/authorizer", "pkg/config/source", "pkg/decisionlog/otlp", "pkg/extauthz", "proto/portcullis/config/v1"},
	"github.com/prometheus/":                  {"pkg/server"},
	"go.opentelemetry.io/otel":                {"pkg/tracing"},
	"go.opentelemetry.io/proto/":              {"pkg/decisionlog/otlp"},
	"github.com/fsnotify/":                    {"pkg/server"},
	"github.com/lestrrat-go/":                 {"pkg/jwt"},
	"github.com/dgraph-io/":                   {"pkg/cache"},
	"github.com/redis/":                       {"pkg/cache"},
	"github.com/aws/aws-sdk-go-v2/":           {"pkg/credentials", "pkg/lambda"},
}

// standardLibraryOnly lists the packages that import only the standard library and the module.
var standardLibraryOnly = []string{"pkg/authz", "pkg/arn", "pkg/fault", "pkg/session", "pkg/sigv4", "pkg/strictjson", "pkg/bulkhead", "pkg/meter"}

// topLevel lists the allowed top-level folders, except dot-files.
var topLevel = []string{"cmd", "deploy", "envoy", "hack", "pkg", "proto"}

type listed struct {
	ImportPath string
	Dir        string
	Doc        string
	GoFiles    []string
	Imports    []string
	// Export is the file with the package's export data.
	Export string
}

// packages returns the packages of the module.
func packages(t *testing.T) []listed {
	t.Helper()
	return list(t, "-json=ImportPath,Dir,Doc,GoFiles,Imports", "./...")
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found %d packages: the test looks at nothing", len(all))
	}
	return all
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		listed, known := imports[name]
		if !known {
			t.Errorf("%s: not in the list of packages; add it with what it imports", name)
		}
		for _, imp := range p.Imports {
			checkImport(t, name, imp, listed)
		}
		for _, imp := range listed {
			if !slices.Contains(p.Imports, module+imp) {
				t.Errorf("%s does not import %s: remove it from the list", name, imp)
			}
		}
	}
}

func checkImport(t *testing.T, name, imp string, listed []string) {
	t.Helper()
	if inside, ok := strings.CutPrefix(imp, module); ok {
		if !slices.Contains(listed, inside) {
			t.Errorf("%s imports %s: imports go down only", name, inside)
		}
		return
	}
	if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") && slices.Contains(standardLibraryOnly, name) {
		t.Errorf("%s imports %s: it may use the standard library only", name, imp)
	}
	for prefix, where := range onlyIn {
		if strings.HasPrefix(imp, prefix) && strings.HasPrefix(name, "pkg/") && !slices.Contains(where, name) {
			t.Errorf("%s imports %s, which only %v may", name, imp, where)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		if new(doc.Package).Synopsis(p.Doc) == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func TestFoldersAtTheTop(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "bin" && !slices.Contains(topLevel, e.Name()) {
			t.Errorf("folder %s: documentation lives in package comments and in each folder's README, the rest in %v", e.Name(), topLevel)
		}
	}
}
