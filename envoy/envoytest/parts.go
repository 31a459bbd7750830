package envoytest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Part is what hack/parts.sh installs for the tests beside Envoy.
type Part struct {
	// Name is what hack/parts.sh knows it by.
	Name string
	// Folder is what its folder's name begins with.
	Folder string
	// Lock is the file, below the module's root, that pins it.
	Lock string
	// Holds is a file that is there once it is installed.
	Holds string
	// Optional parts are installed by name only, and a CI does without them.
	Optional bool
}

// The parts.
var (
	PythonClients = Part{Name: "python", Folder: "clients-python", Lock: "hack/clients/requirements.txt", Holds: "awscrt"}
	NodeClients   = Part{Name: "node", Folder: "clients-node", Lock: "hack/clients/package-lock.json", Holds: "node_modules"}
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
	root, err := Root()
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile(filepath.Join(root, p.Lock))
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "portcullis", fmt.Sprintf("%s-%x", p.Folder, sum[:6]))
	if _, err := os.Stat(filepath.Join(dir, p.Holds)); err != nil {
		return "", fmt.Errorf("the part %s is not installed: run hack/parts.sh %s", p.Name, p.Name)
	}
	return dir, nil
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

// RequireRedis returns the redis-server program, or ends the test as Part.Require does.
func RequireRedis(tb testing.TB) string {
	tb.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		skip(tb, errors.New("no redis-server: run make parts, or hack/parts.sh redis"))
	}
	return bin
}
