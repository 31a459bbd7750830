package envoytest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// ask sends commands on a connection of their own and returns the line that answers each.
func ask(t *testing.T, r *Redis, commands ...string) ([]string, error) {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if r.CA != "" {
		pem, err := os.ReadFile(r.CA)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		c = tls.Client(c, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	}
	reader, answers := bufio.NewReader(c), []string(nil)
	for _, command := range commands {
		if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
			return answers, err
		}
		line, err := readLine(reader)
		if err != nil {
			return answers, err
		}
		answers = append(answers, line)
	}
	return answers, nil
}

// mustAsk fails unless the answers are those.
func mustAsk(t *testing.T, r *Redis, want string, commands ...string) {
	t.Helper()
	answers, err := ask(t, r, commands...)
	if got := strings.Join(answers, " "); err != nil || got != want {
		t.Errorf("%q: %q, %v, want %q", commands, got, err, want)
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	r := StartRedis(t, RedisOptions{})
	mustAsk(t, r, "+PONG +OK :1", "PING", "SET pet rex", "EXISTS pet")
	addr := r.Addr
	r.Kill()
	if answers, err := ask(t, r, "PING"); err == nil {
		t.Errorf("it answers %q though it was killed", answers)
	}
	r.Restart(t)
	if r.Addr != addr {
		t.Errorf("after a restart at %s, before at %s", r.Addr, addr)
	}
	mustAsk(t, r, ":0", "EXISTS pet")
}

func TestRedisWithPasswordAndTLS(t *testing.T) {
	t.Parallel()
	r := StartRedis(t, RedisOptions{Password: "hunter2", TLS: true})
	mustAsk(t, r, "-NOAUTH Authentication required.", "PING")
	mustAsk(t, r, "+OK +PONG", "AUTH hunter2", "PING")
	plain := &Redis{Addr: r.Addr}
	if answers, err := ask(t, plain, "PING"); err == nil {
		t.Errorf("it answers %q to who speaks no TLS", answers)
	}
}
