// Command demo runs an upstream, portcullis and the real Envoy on free ports, with the Envoy configuration that users
// copy and an example API, and sends a tour of allowed and denied requests. Then it runs until it is interrupted. With
// ONCE=1 it ends after the tour, and fails if an answer is not as expected.
// PORTCULLIS_BIN names a portcullis to run instead of building one.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// startTime limits the start of everything, including the build.
const startTime = 3 * time.Minute

// adminToken is the token for admin requests that change something.
const adminToken = "the-admin-token-of-the-demo"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if _, err := exec.LookPath("curl"); err != nil {
		return errors.New("the tour is made with curl: install it first")
	}
	dir, err := os.MkdirTemp("", "portcullis-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{dir: dir}
	defer d.stop()
	if err := d.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // interrupted
		}
		return err
	}
	surprises := d.tour(ctx) + d.workload(ctx) + d.explain(ctx)
	if os.Getenv("ONCE") != "" {
		if surprises > 0 {
			return fmt.Errorf("%d answers were not as expected", surprises)
		}
		return ctx.Err()
	}
	return d.stayUp(ctx)
}

// demo holds the running programs and their addresses.
type demo struct {
	dir        string
	upstream   *envoytest.Upstream
	pool       *pool
	portcullis *envoytest.Portcullis
	envoy      *envoytest.Envoy
	addr       string
	// bin is the portcullis program.
	bin string
}

func (d *demo) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	root, err := envoytest.Root()
	if err != nil {
		return err
	}
	bin, err := findEnvoy(ctx, root)
	if err != nil {
		return err
	}
	if d.upstream, err = envoytest.StartUpstream(show); err != nil {
		return err
	}
	if err := d.startPool(ctx, root); err != nil {
		return err
	}
	if err := d.startPortcullis(ctx, root); err != nil {
		return err
	}
	return d.startEnvoy(ctx, root, bin)
}

// findEnvoy returns Envoy, which it installs if necessary.
func findEnvoy(ctx context.Context, root string) (string, error) {
	if bin, err := envoytest.Find(); err == nil {
		return bin, nil
	}
	if err := install(ctx, root, "envoy"); err != nil {
		return "", err
	}
	return envoytest.Find()
}

func (d *demo) startPortcullis(ctx context.Context, root string) error {
	if err := errors.Join(os.Mkdir(filepath.Join(d.dir, "iam"), 0o700), os.Mkdir(filepath.Join(d.dir, "partners"), 0o700)); err != nil {
		return err
	}
	withFunction, err := replaceFunction(ctx, root)
	if err != nil {
		return err
	}
	for _, name := range []string{"portcullis.yaml", "pets.policy.json", "keys.json", "iam/111122223333.json", "iam/access-keys.yaml", "partners/app.py"} {
		text, err := os.ReadFile(filepath.Join(root, "hack", "demo", name))
		if err != nil {
			return err
		}
		text = withFunction(bytes.ReplaceAll(text, []byte(poolAddress), []byte(d.pool.URL)))
		if err := os.WriteFile(filepath.Join(d.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	if d.bin, err = d.program(ctx); err != nil {
		return err
	}
	if err := d.writeIdentity(); err != nil {
		return err
	}
	token := filepath.Join(d.dir, "admin-token")
	if err := os.WriteFile(token, []byte(adminToken), 0o600); err != nil {
		return err
	}
	d.portcullis, err = envoytest.StartPortcullis(ctx, d.bin, filepath.Join(d.dir, "portcullis.yaml"), "127.0.0.1:0",
		"--admin-token-file", token, "--sts", "127.0.0.1:0")
	return err
}

// program builds portcullis, unless PORTCULLIS_BIN names one.
func (d *demo) program(ctx context.Context) (string, error) {
	if bin := os.Getenv("PORTCULLIS_BIN"); bin != "" {
		return bin, nil
	}
	fmt.Println("Building portcullis ...")
	return envoytest.Build(ctx, d.dir)
}

// startEnvoy runs envoy/iam.yaml with other ports, and more time for a check.
func (d *demo) startEnvoy(ctx context.Context, root, bin string) error {
	text, err := os.ReadFile(filepath.Join(root, "envoy", "iam.yaml"))
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(d.portcullis.GRPC, ":")
	bootstrap, err := envoytest.Apply(string(text),
		envoytest.Port(9901, "0"), envoytest.Port(8080, "0"),
		envoytest.Port(9001, port), envoytest.Port(8081, d.upstream.Port()),
		// Longer than the authorizer's function may take.
		envoytest.Edit{Old: "timeout: 1s # for the whole check", New: "timeout: 6s # for the whole check"})
	if err != nil {
		return fmt.Errorf("envoy/iam.yaml: %w", err)
	}
	if d.envoy, err = envoytest.StartEnvoy(ctx, bin, d.dir, bootstrap); err != nil {
		return err
	}
	d.addr, err = d.envoy.Listener(ctx, "http")
	return err
}

// stayUp prints what to try and waits for the end.
func (d *demo) stayUp(ctx context.Context) error {
	fmt.Printf(`
Everything stays up until you press Ctrl-C. Meanwhile, in another terminal:

  Edit the policy and ask again; the new one holds from the next request on:
    %[1]s
  A policy with a mistake is refused, and the old one stays. See what portcullis says of it:
    curl -s http://%[3]s/readyz
  Ask why a request is denied, and what to change:
    portcullis explain --against %[3]s --admin-token-file %[9]s http://pets.example.com/partners
  What was decided so far:
    curl -s http://%[3]s/metrics | grep ^portcullis_checks_total
  Sign in as ann again; the answer holds her IdToken, for -H "Authorization: Bearer $ID_TOKEN":
    %[4]s
  Be the workload that has a token and no key; an AWS SDK or the AWS CLI then gets credentials by itself:
    export %[10]s
  The Envoy configuration in use, which is envoy/iam.yaml with other ports and more time for a check:
    %[2]s
  Follow the examples in pkg/iam, pkg/jwt and pkg/lambda, which use these variables:
    export ENVOY=http://%[5]s ADMIN=http://%[3]s POOL=%[6]s CLIENT=%[7]s ADMIN_TOKEN=%[8]s
`, filepath.Join(d.dir, "pets.policy.json"), filepath.Join(d.dir, "envoy.yaml"), d.portcullis.Admin, d.pool.howToSignIn(),
		d.addr, d.pool.URL, d.pool.client, adminToken, filepath.Join(d.dir, "admin-token"), strings.Join(d.identity(), " "))
	select {
	case <-ctx.Done():
		return nil
	case <-d.envoy.Done():
		return errors.New("Envoy has ended:\n" + d.envoy.Stderr())
	case <-d.portcullis.Done():
		return errors.New("portcullis has ended:\n" + d.portcullis.Stderr())
	}
}

func (d *demo) stop() {
	if d.envoy != nil {
		d.envoy.Stop()
	}
	if d.portcullis != nil {
		d.portcullis.Stop()
	}
	if d.pool != nil && d.pool.Cognito != nil && d.pool.Process != nil {
		d.pool.Stop()
	}
	if d.upstream != nil {
		d.upstream.Stop()
	}
}
