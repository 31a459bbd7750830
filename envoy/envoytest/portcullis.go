package envoytest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
	// GRPC, Admin and STS are the addresses that it printed; STS is empty without --sts.
	GRPC, Admin, STS string
}

var (
	grpcLine  = regexp.MustCompile(`(?m)^portcullis: grpc listening on (.+)$`)
	adminLine = regexp.MustCompile(`(?m)^portcullis: admin listening on (.+)$`)
	stsLine   = regexp.MustCompile(`(?m)^portcullis: sts listening on (.+)$`)
)

// StartPortcullis runs `portcullis serve` with a configuration and further flags, listening for Envoy where listen says, and
// waits until its addresses are bound.
func StartPortcullis(ctx context.Context, bin, config, listen string, flags ...string) (*Portcullis, error) {
	p, err := Start(bin, append([]string{"serve", "--config", config, "--listen", listen, "--admin", "127.0.0.1:0"}, flags...)...)
	if err != nil {
		return nil, err
	}
	s := &Portcullis{Process: p}
	sts := slices.ContainsFunc(flags, func(flag string) bool { return flag == "--sts" || strings.HasPrefix(flag, "--sts=") })
	err = p.Await(ctx, func() bool {
		return s.printed(grpcLine, &s.GRPC) && s.printed(adminLine, &s.Admin) && (!sts || s.printed(stsLine, &s.STS))
	})
	if err != nil {
		p.Stop()
		return nil, err
	}
	return s, nil
}

// printed finds an address in what portcullis has printed.
func (s *Portcullis) printed(line *regexp.Regexp, address *string) bool {
	found := line.FindStringSubmatch(s.Stdout())
	if found == nil {
		return false
	}
	*address = found[1]
	return true
}
