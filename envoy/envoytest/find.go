package envoytest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Version is the Envoy that hack/envoy-requirements.txt pins.
const Version = "1.40.0"

// OldestVersion is the oldest Envoy that portcullis is tested with: hack/envoy-oldest-requirements.txt pins it and says why it is this one.
const OldestVersion = "1.37.0"

// ErrNoEnvoy says how to get an Envoy.
var ErrNoEnvoy = errors.New("no Envoy: run hack/parts.sh, or set ENVOY_BIN to an envoy program")

// Find returns the Envoy program: $ENVOY_BIN, or what hack/parts.sh installed, or envoy on the PATH.
func Find() (string, error) {
	if bin := os.Getenv("ENVOY_BIN"); bin != "" {
		return exec.LookPath(bin)
	}
	if bin, err := installed(Version); err == nil {
		return bin, nil
	}
	if bin, err := exec.LookPath("envoy"); err == nil {
		return bin, nil
	}
	return "", ErrNoEnvoy
}

// installed returns the Envoy of a version that hack/parts.sh installed.
func installed(version string) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	return exec.LookPath(filepath.Join(cache, "portcullis", "envoy-"+version, "envoy", "_bin", "envoy"))
}

// cacheDir is where hack/parts.sh puts things, on every system.
func cacheDir() (string, error) {
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache"), err
}

// Require returns the Envoy program. Without one the test is skipped, or fails where CI=true or E2E=required says that it
// has to run.
func Require(tb testing.TB) string {
	tb.Helper()
	bin, err := Find()
	if err == nil {
		return bin
	}
	skip(tb, err)
	return ""
}

// RequireOldest returns the program of OldestVersion, or ends the test as Require does. ENVOY_BIN does not replace it.
func RequireOldest(tb testing.TB) string {
	tb.Helper()
	bin, err := installed(OldestVersion)
	if err != nil {
		skip(tb, fmt.Errorf("no Envoy %s: run hack/parts.sh envoy-oldest", OldestVersion))
	}
	return bin
}

// Long skips a test that takes longer than 20 seconds, unless CI=true or E2E=required says that every test has to run. `make test`
// runs them.
func Long(tb testing.TB) {
	tb.Helper()
	if os.Getenv("LONG") == "" && !everything() {
		tb.Skip("takes longer than 20 seconds: run it with LONG=1, as make test does")
	}
}

// skip ends a test that lacks a part.
func skip(tb testing.TB, err error) {
	tb.Helper()
	if everything() {
		tb.Fatal(err)
	}
	tb.Skip(err)
}

// everything reports whether every test has to run, and a missing part is a failure.
func everything() bool { return os.Getenv("CI") == "true" || os.Getenv("E2E") == "required" }

// Root returns the folder of the module's go.mod.
func Root() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("not inside the module")
	}
	return filepath.Dir(mod), nil
}

// Part is a program that hack/parts.sh installs for the tests, besides Envoy.
type Part struct {
	// Name is its name in hack/parts.sh.
	Name string
	// Folder is the prefix of its folder's name.
	Folder string
	// Lock is the file, below the module's root, that pins it; Source is a file that is compiled with it.
	Lock, Source string
	// Holds is a file that is there once it is installed.
	Holds string
	// Optional parts are installed by name only, and a CI does without them.
	Optional bool
}

// The parts.
var (
	PythonClients = Part{Name: "python", Folder: "clients-python", Lock: "hack/clients/requirements.txt", Holds: "awscrt"}
	NodeClients   = Part{Name: "node", Folder: "clients-node", Lock: "hack/clients/package-lock.json", Holds: "node_modules"}
	// AWSCLI is the AWS CLI: python3 -m awscli, with the folder as PYTHONPATH.
	AWSCLI = Part{Name: "awscli", Folder: "awscli", Lock: "hack/clients/awscli-requirements.txt", Holds: "awscli"}
	// JavaClients has the jars of the AWS SDK for Java, in the folder jars.
	JavaClients = Part{Name: "java", Folder: "clients-java", Lock: "hack/clients/java/jars.sha256", Holds: "jars"}
	// RustClient is the program workload, compiled with the AWS SDK for Rust.
	RustClient = Part{
		Name: "rust", Folder: "clients-rust", Lock: "hack/clients/rust/packages.lock", Source: "hack/clients/rust/src/main.rs", Holds: "workload",
	}
	// NodeIssuers are cognito-local and oidc-provider.
	NodeIssuers = Part{Name: "issuers", Folder: "issuers", Lock: "hack/issuers/package-lock.json", Holds: "node_modules"}
	// MotoServer is moto with its server; moto/iam/aws_managed_policies.py has AWS' managed policies.
	MotoServer = Part{Name: "moto", Folder: "moto", Lock: "hack/issuers/requirements.txt", Holds: "moto"}
	// Translator is AWS's SAM translator, with the folder as PYTHONPATH.
	Translator = Part{Name: "sam", Folder: "sam", Lock: "hack/sam/requirements.txt", Holds: "samtranslator"}
	// PythonRuntime is AWS Lambda's runtime of Python: python3 -m awslambdaric, with the folder as PYTHONPATH.
	PythonRuntime = Part{Name: "lambda", Folder: "awslambdaric", Lock: "hack/lambda/requirements.txt", Holds: "awslambdaric"}
	// NodeRuntime is AWS Lambda's runtime of Node.js: node node_modules/aws-lambda-ric/index.mjs. It is compiled, which takes more than
	// the other parts do.
	NodeRuntime = Part{Name: "lambda-node", Folder: "aws-lambda-ric", Lock: "hack/lambda/package-lock.json", Holds: "node_modules", Optional: true}
)

// Find returns the folder that holds what the lock file pins.
func (p Part) Find() (string, error) {
	name, err := p.folder()
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "portcullis", name)
	if _, err := os.Stat(filepath.Join(dir, p.Holds)); err != nil {
		return "", fmt.Errorf("the part %s is not installed: run hack/parts.sh %s", p.Name, p.Name)
	}
	return dir, nil
}

// folder returns the name of the part's folder, as the function of that name in hack/parts.sh does.
func (p Part) folder() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, file := range []string{p.Lock, p.Source} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	return fmt.Sprintf("%s-%x", p.Folder, sum.Sum(nil)[:6]), nil
}

// Require returns the folder. Without one the test is skipped, or fails where CI=true or E2E=required says that it has to run and
// the part is not optional.
func (p Part) Require(tb testing.TB) string {
	tb.Helper()
	dir, err := p.Find()
	switch {
	case err != nil && p.Optional:
		tb.Skip(err)
	case err != nil:
		skip(tb, err)
	}
	return dir
}

// RequirePrometheus returns the folder with the programs prometheus and promtool, or ends the test as Part.Require does.
func RequirePrometheus(tb testing.TB) string {
	tb.Helper()
	cache, err := cacheDir()
	dir := filepath.Join(cache, "portcullis", "prometheus-2.42.0", "usr", "bin")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "promtool"))
	}
	if err != nil {
		skip(tb, errors.New("the part prometheus is not installed: run make parts, or hack/parts.sh prometheus"))
	}
	return dir
}

// RequireRedis returns the redis-server program, or ends the test as Part.Require does.
func RequireRedis(tb testing.TB) string {
	tb.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		skip(tb, errors.New("no redis-server: run make parts, or hack/parts.sh redis"))
	}
	return bin
}
