package envoytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// RedisOptions say how a Redis is set. The zero value has no password and no TLS.
type RedisOptions struct {
	// Password is asked of every client.
	Password string
	// TLS closes the port to those who do not speak it. The certificate is for 127.0.0.1 and localhost.
	TLS bool
	// Config are further lines of redis.conf.
	Config []string
}

// Redis is a running redis-server, which keeps everything in memory: after a restart it has what the last SAVE wrote, or nothing.
type Redis struct {
	service
	// Addr is where it listens.
	Addr string
	// CA is the file that holds the authority of its certificate, if it has one.
	CA string
}

// StartRedis runs redis-server until the test ends.
func StartRedis(tb testing.TB, o RedisOptions) *Redis {
	tb.Helper()
	bin := RequireRedis(tb)
	dir := tb.TempDir()
	r := &Redis{}
	release, err := onFreePort(func(port string) error {
		config, err := r.configure(dir, port, o)
		if err != nil {
			return err
		}
		r.Addr = "127.0.0.1:" + port
		r.command = func() *exec.Cmd { return exec.Command(bin, config) }
		// Another server may have the port, so the process that answers has to name itself.
		r.ready = func(p *Process) bool { return strings.Contains(p.Stdout(), "Ready to accept connections") }
		return r.begin(tb.Context())
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(release) // so that Restart finds it free
	r.keep(tb)
	return r
}

// configure writes redis.conf, and with TLS a certificate, to the folder.
func (r *Redis) configure(dir, port string, o RedisOptions) (string, error) {
	lines := []string{"bind 127.0.0.1", "dir " + dir, `save ""`, "appendonly no"}
	lines = append(lines, o.Config...)
	if o.Password != "" {
		lines = append(lines, "requirepass "+o.Password)
	}
	if o.TLS {
		cert, key, err := writeCertificate(dir)
		if err != nil {
			return "", err
		}
		r.CA = cert
		lines = append(lines, "port 0", "tls-port "+port, "tls-auth-clients no", "tls-cert-file "+cert, "tls-key-file "+key, "tls-ca-cert-file "+cert)
	} else {
		lines = append(lines, "port "+port)
	}
	config := filepath.Join(dir, "redis.conf")
	return config, os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}
