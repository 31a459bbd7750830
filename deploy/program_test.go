package deploy

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// built is the program, built once for all tests.
var built struct {
	once      sync.Once
	dir, path string
	err       error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

func program(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "portcullis-deploy"); built.err == nil {
			built.path, built.err = envoytest.Build(context.Background(), built.dir)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}
