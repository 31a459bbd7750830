package envoytest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
)

// Build builds portcullis into dir, as `make build` does outside a Git repository, and returns the program.
func Build(ctx context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "portcullis")
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=dev", "-o", bin,
		"github.com/portcullis-authz/portcullis/cmd/portcullis").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
}

// Portcullis is a running `portcullis serve`.
type Portcullis struct {
	*Process
	// GRPC and Admin are the addresses that it printed.
	GRPC, Admin string
}

var (
	grpcLine  = regexp.MustCompile(`(?m)^portcullis: grpc listening on (.+)$`)
	adminLine = regexp.MustCompile(`(?m)^portcullis: admin listening on (.+)$`)
)

// StartPortcullis runs `portcullis serve` with a configuration and further flags, listening for Envoy where listen says, and
// waits until both its addresses are bound.
func StartPortcullis(ctx context.Context, bin, config, listen string, flags ...string) (*Portcullis, error) {
	p, err := Start(bin, append([]string{"serve", "--config", config, "--listen", listen, "--admin", "127.0.0.1:0"}, flags...)...)
	if err != nil {
		return nil, err
	}
	s := &Portcullis{Process: p}
	err = p.Await(ctx, func() bool {
		grpc, admin := grpcLine.FindStringSubmatch(p.Stdout()), adminLine.FindStringSubmatch(p.Stdout())
		if grpc == nil || admin == nil {
			return false
		}
		s.GRPC, s.Admin = grpc[1], admin[1]
		return true
	})
	if err != nil {
		p.Stop()
		return nil, err
	}
	return s, nil
}
