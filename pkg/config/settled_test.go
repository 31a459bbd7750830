package config

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/pool"
)

func TestSettled(t *testing.T) {
	name := filepath.Join(t.TempDir(), "portcullis.yaml")
	for _, changes := range []int{0, 1, maxReadings - 1, maxReadings} {
		readings := 0
		l := settled(func() *loading {
			write(t, name, bytes.Repeat([]byte("#"), readings))
			l := read(Input{Path: name}, pool.Dry())
			if readings++; readings <= changes {
				write(t, name, bytes.Repeat([]byte("#"), readings))
			}
			return l
		})
		if got, want := l != nil, changes < maxReadings; got != want {
			t.Errorf("after %d changes: settled %v, want %v", changes, got, want)
		}
		if want := min(changes+1, maxReadings); readings != want {
			t.Errorf("after %d changes: %d readings, want %d", changes, readings, want)
		}
	}
}

// A ConfigMap is turned from one state to another and back while it is loaded: what loads is one state or the other.
func TestConfigMapTurns(t *testing.T) {
	dir := t.TempDir()
	states := map[string]string{ // policy by API id; each policy names its own API, so a torn set is at fault
		"..one": "apione",
		"..two": "apitwo",
	}
	for state, id := range states {
		write(t, filepath.Join(dir, state, "portcullis.yaml"), []byte(`apis:
  - id: `+id+`
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    resourcePolicy: {file: policy.json}
    routes: [{route: GET /, authorization: NONE}]
`))
		write(t, filepath.Join(dir, state, "policy.json"), []byte(`{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
  {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:eu-west-1:111122223333:`+id+`/*",
   "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}`))
	}
	must(t, os.Symlink("..one", filepath.Join(dir, "..data")))
	for _, name := range []string{"portcullis.yaml", "policy.json"} {
		must(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}

	stop := make(chan struct{})
	var turning sync.WaitGroup
	turning.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(i%7) * 100 * time.Microsecond):
			}
			link := filepath.Join(dir, "..data_tmp")
			_ = os.Symlink([]string{"..one", "..two"}[i%2], link)
			_ = os.Rename(link, filepath.Join(dir, "..data"))
		}
	})
	loaded := 0
	for end := time.Now().Add(250 * time.Millisecond); time.Now().Before(end); {
		s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
		if err == nil {
			loaded++
			continue
		}
		if faults := checkResult(t, s, err); len(faults) != 1 || faults[0].Line != 0 {
			t.Errorf("a torn set was used: %v", err)
		}
	}
	close(stop)
	turning.Wait()
	if loaded == 0 {
		t.Error("nothing was ever loaded")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
