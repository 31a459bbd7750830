package envoytest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Clients are the programs that sign requests, which hack/parts.sh installs for one language.
type Clients struct {
	// Part is the name that hack/parts.sh knows them by.
	Part string
	// Lock is the file, below the module's root, that pins them.
	Lock string
	// Holds is a file that is there once they are installed.
	Holds string
}

// The clients.
var (
	PythonClients = Clients{Part: "python", Lock: "hack/clients/requirements.txt", Holds: "awscrt"}
	NodeClients   = Clients{Part: "node", Lock: "hack/clients/package-lock.json", Holds: "node_modules"}
)

// Find returns the folder that holds what the lock file pins.
func (c Clients) Find() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile(filepath.Join(root, c.Lock))
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "portcullis", fmt.Sprintf("clients-%s-%x", c.Part, sum[:6]))
	if _, err := os.Stat(filepath.Join(dir, c.Holds)); err != nil {
		return "", fmt.Errorf("no signing clients for %s: run hack/parts.sh %s", c.Part, c.Part)
	}
	return dir, nil
}

// Require returns the folder. Without one the test is skipped, or fails where CI=true or E2E=required says that it has to run.
func (c Clients) Require(tb testing.TB) string {
	tb.Helper()
	dir, err := c.Find()
	if err != nil {
		skip(tb, err)
	}
	return dir
}
