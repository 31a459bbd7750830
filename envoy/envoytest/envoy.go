package envoytest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Edit is one replacement in a configuration file. Old must occur exactly once.
type Edit struct{ Old, New string }

// Port is the edit that gives what has one port in a file another one.
func Port(old int, new string) Edit {
	return Edit{fmt.Sprintf("port_value: %d}", old), "port_value: " + new + "}"}
}

// Apply makes the edits in a text.
func Apply(text string, edits ...Edit) (string, error) {
	for _, e := range edits {
		if n := strings.Count(text, e.Old); n != 1 {
			return "", fmt.Errorf("%q occurs %d times, want once", e.Old, n)
		}
		text = strings.Replace(text, e.Old, e.New, 1)
	}
	return text, nil
}

// Validate has Envoy check a configuration file.
func Validate(ctx context.Context, bin, file string) error {
	out, err := exec.CommandContext(ctx, bin, "--mode", "validate", "--disable-hot-restart", "--concurrency", "1",
		"--log-level", "warning", "-c", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", file, err, out)
	}
	return nil
}

// Envoy is a running Envoy.
type Envoy struct {
	*Process
	admin string
}

// StartEnvoy runs Envoy with a bootstrap, whose admin interface and listeners ask for port 0, and waits until it serves. The
// bootstrap and what Envoy needs beside it are written to dir.
func StartEnvoy(ctx context.Context, bin, dir, bootstrap string) (*Envoy, error) {
	config, adminFile := filepath.Join(dir, "envoy.yaml"), filepath.Join(dir, "envoy.admin")
	if err := os.WriteFile(config, []byte(bootstrap), 0o600); err != nil {
		return nil, err
	}
	// Without hot restart Envoy takes no shared memory, so that any number of them run side by side.
	p, err := Start(bin, "-c", config, "--admin-address-path", adminFile, "--disable-hot-restart", "--concurrency", "1",
		"--log-level", "warning", "--file-flush-interval-msec", "20")
	if err != nil {
		return nil, err
	}
	e := &Envoy{Process: p}
	err = p.Await(ctx, func() bool {
		addr, err := os.ReadFile(adminFile)
		e.admin = string(addr)
		return err == nil && e.admin != "" && e.ready(ctx)
	})
	if err != nil {
		p.Stop()
		return nil, err
	}
	return e, nil
}

func (e *Envoy) ready(ctx context.Context) bool {
	body, err := get(ctx, "http://"+e.admin+"/ready")
	return err == nil && strings.TrimSpace(string(body)) == "LIVE"
}

// Listener returns the address that a listener is bound to.
func (e *Envoy) Listener(ctx context.Context, name string) (string, error) {
	body, err := get(ctx, "http://"+e.admin+"/listeners?format=json")
	if err != nil {
		return "", err
	}
	var all struct {
		Statuses []struct {
			Name  string `json:"name"`
			Local struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return "", fmt.Errorf("reading the listeners of Envoy: %w", err)
	}
	for _, l := range all.Statuses {
		if l.Name == name {
			return fmt.Sprintf("%s:%d", l.Local.Socket.Address, l.Local.Socket.Port), nil
		}
	}
	return "", fmt.Errorf("Envoy has no listener %q", name)
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// Admin returns the address of Envoy's admin interface.
func (e *Envoy) Admin() string { return e.admin }
