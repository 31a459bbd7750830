package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// TestNoChecksUntilLoaded holds a first load and looks at the process meanwhile. Somebody who calls again until the port answers has
// every check decided by the configuration.
func TestNoChecksUntilLoaded(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	socket := filepath.Join(t.TempDir(), "grpc.sock")
	p := newProcess(Config{Listen: "unix:" + socket, Admin: "127.0.0.1:0", Load: func() (Loaded, error) {
		close(entered)
		<-release
		return loads(allowAs("v1"))()
	}}.withDefaults())
	if err := p.bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	<-entered
	r := &running{t: t, grpc: "unix:" + socket, admin: address(p.adminListener)}
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket); err == nil {
		_ = conn.Close()
		t.Error("the port for checks is open, and no configuration is loaded")
	}
	if status, _ := r.get("/readyz"); status != 503 {
		t.Errorf("/readyz %d", status)
	}
	if status, _ := r.get("/healthz"); status != 200 {
		t.Errorf("/healthz %d", status)
	}
	close(release)
	eventually(t, "the port for checks", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	if got := check(t, r.client()); got != "v1" {
		t.Errorf("the first check: answer %s", got)
	}
	health := healthpb.NewHealthClient(r.dial())
	if got, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", got, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestToldToEndDuringTheFirstLoad: the port for checks does not stay open, nor its socket behind.
func TestToldToEndDuringTheFirstLoad(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	socket := filepath.Join(t.TempDir(), "grpc.sock")
	r := &running{t: t, cancel: func() {}, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		r.done <- Run(ctx, Config{
			Listen: "unix:" + socket, Admin: "off", Stdout: io.Discard, Log: slog.New(slog.DiscardHandler), Load: func() (Loaded, error) {
				close(entered)
				<-release
				return loads(allowAs("v1"))()
			},
		})
	}()
	<-entered
	cancel()
	close(release)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket is still there")
	}
}

// TestTheGateIsShutWithoutAConfiguration: whatever comes before one is denied.
func TestTheGateIsShutWithoutAConfiguration(t *testing.T) {
	d := (&gate{max: 1}).Authorize(t.Context(), &authz.Request{})
	if d.Allow || d.Reason.Code != authz.CodeNotReady {
		t.Errorf("got %+v", d)
	}
}

func TestABadConfigurationDoesNotStart(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "grpc.sock")
	for name, load := range map[string]func() (Loaded, error){
		"faults":     func() (Loaded, error) { return Loaded{}, errors.New("a:1: x\nb:2: y") },
		"a panic":    func() (Loaded, error) { panic("no") },
		"no decider": func() (Loaded, error) { return Loaded{}, nil },
	} {
		r := startProcess(t, Config{Load: load, Listen: "unix:" + socket, DrainDelay: time.Hour})
		if r.grpc != "" {
			t.Errorf("%s: serves", name)
		}
		if err := r.stop(); err == nil || name == "faults" && err.Error() != "a:1: x\nb:2: y" {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the socket is still there", name)
		}
	}
}

func TestAPortInUse(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for name, c := range map[string]Config{"--listen": {Listen: l.Addr().String()}, "--admin": {Admin: l.Addr().String()}} {
		c.Load = loads(allowAs("v1"))
		if err := startProcess(t, c).stop(); err == nil || err.Error() != name+": another process listens on "+l.Addr().String()+"; stop it, or write another address" {
			t.Errorf("got %v", err)
		}
	}
}
