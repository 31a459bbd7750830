package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/portcullis-authz/portcullis/pkg/server"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"portcullis": main, "bootstrap": bootstrap})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[processKey{}] = &process{sessions: map[string]session.Credentials{}}
			env.Values[signerKey{}] = &signer{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "signal": sendSignal, "ended": ended, "check": checkCmd, "signed": signedCmd, "admin": adminCmd, "logged": logged, "certificate": certificate,
			"function": functionCmd, "flush": flushCmd, "filelimit": fileLimit, "closestdout": closeStdout,
			"keyset": keySet, "token": token, "checktoken": checkToken, "sts": stsCmd, "aside": aside, "printed": printedKeys,
		},
	})
}

type processKey struct{}

// process is the portcullis serve of a script.
type process struct {
	cmd         *exec.Cmd
	stdout      io.Closer
	grpc, admin string
	sts         string // "" without --sts
	mu          sync.Mutex
	log         strings.Builder
	// sessions are credentials by the file of the key that they are sealed under.
	sessions map[string]session.Credentials
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// end is the end of the log, for messages.
func (p *process) end() string {
	text := p.text()
	return text[max(0, len(text)-2000):]
}

func of(ts *testscript.TestScript) *process { return ts.Value(processKey{}).(*process) }

// start runs portcullis serve with the arguments, on ports that the kernel chooses unless they say otherwise, and waits until
// it has printed its addresses: start [flag...]
func start(ts *testscript.TestScript, neg bool, args []string) {
	p := of(ts)
	if neg || p.cmd != nil {
		ts.Fatalf("usage: start [flag...], once")
	}
	binary := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if name := filepath.Join(dir, "portcullis"); binary == "" && exec.Command(name, "version").Run() == nil {
			binary = name
		}
	}
	cmd := exec.Command(binary, append([]string{"serve", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"}, args...)...)
	cmd.Dir, cmd.Stderr = ts.MkAbs("."), p
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	p.cmd, p.stdout = cmd, out
	ts.Defer(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "portcullis: grpc listening on "); ok {
			if p.grpc = address; strings.Contains(strings.Join(args, " "), "--admin=off") {
				return
			}
		}
		if address, ok := strings.CutPrefix(lines.Text(), "portcullis: admin listening on "); ok {
			p.admin = address
			ts.Setenv("ADMIN", address)
			if !strings.Contains(strings.Join(args, " "), "--sts") {
				return
			}
		}
		if address, ok := strings.CutPrefix(lines.Text(), "portcullis: sts listening on "); ok {
			p.sts = address
			ts.Setenv("STS", address)
			return
		}
	}
	err = cmd.Wait()
	ts.Fatalf("portcullis ended before it listened: %v\n%s", err, p.end())
}

// aside leaves the process running, with the address of its STS in $NAME, so that another can be started: aside NAME
func aside(ts *testscript.TestScript, neg bool, args []string) {
	p := of(ts)
	if neg || len(args) != 1 || p.cmd == nil {
		ts.Fatalf("usage: aside NAME, after start")
	}
	ts.Setenv(args[0], p.sts)
	p.cmd, p.sts = nil, ""
}

// sendSignal sends the process a signal: signal HUP|TERM|KILL
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}
	if neg || len(args) != 1 || signals[args[0]] == nil {
		ts.Fatalf("usage: signal HUP|TERM|KILL")
	}
	ts.Check(of(ts).cmd.Process.Signal(signals[args[0]]))
}

// ended waits for the end of the process, so that another can be started: ended CODE; -1 is a signal.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ended CODE")
	}
	p := of(ts)
	_ = p.cmd.Wait()
	if code := strconv.Itoa(p.cmd.ProcessState.ExitCode()); code != args[0] {
		ts.Fatalf("exit code %s, want %s\n%s", code, args[0], p.end())
	}
	p.cmd = nil
}

// eventually is for what a change brings about in the background.
func eventually(ts *testscript.TestScript, neg bool, what string, ok func() (bool, string)) {
	got := ""
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var is bool
		if is, got = ok(); is != neg {
			return
		}
	}
	ts.Fatalf("%s: not within 8 s; got %s\n%s", what, got, of(ts).end())
}

// checkCmd sends a CheckRequest for GET http://HOST/PATH and waits for the answer, "allow" or the status of the denial:
// check allow|STATUS HOST PATH [CA-FILE [CERT-FILE KEY-FILE]]. With ! the check must not be answered.
func checkCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: [!] check allow|STATUS HOST PATH [CA-FILE [CERT-FILE KEY-FILE]]")
	}
	security := insecure.NewCredentials()
	if len(args) > 3 {
		security = credentials.NewTLS(tlsConfig(ts, args[3:]))
	}
	address := of(ts).grpc
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		address = "unix:" + ts.MkAbs(path)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(security))
	ts.Check(err)
	defer conn.Close()
	client := authv3.NewAuthorizationClient(conn)
	if neg {
		if got, err := ask(client, args[1], args[2]); err == nil {
			ts.Fatalf("answered: %s", got)
		}
		return
	}
	eventually(ts, false, "check "+args[0], func() (bool, string) {
		got, err := ask(client, args[1], args[2])
		if err != nil {
			return false, err.Error()
		}
		return got == args[0], got
	})
}

func tlsConfig(ts *testscript.TestScript, files []string) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM([]byte(ts.ReadFile(files[0])))
	if len(files) == 3 {
		pair, err := tls.X509KeyPair([]byte(ts.ReadFile(files[1])), []byte(ts.ReadFile(files[2])))
		ts.Check(err)
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// peer is the address of the scripts' client.
var peer = &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "192.0.2.9", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 4711}}}}

func ask(client authv3.AuthorizationClient, host, path string, authorization ...string) (string, error) {
	headers := map[string]string{}
	for _, value := range authorization {
		headers["authorization"] = value
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := client.Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Host: host, Path: path, Scheme: "http", Headers: headers},
	}, Source: &authv3.AttributeContext_Peer{Address: peer}}})
	if err != nil {
		return "", err
	}
	return answerOf(out), nil
}

// answerOf is "allow" or the status of the denial.
func answerOf(out *authv3.CheckResponse) string {
	if out.GetStatus().GetCode() == 0 {
		return "allow"
	}
	return strconv.Itoa(int(out.GetDeniedResponse().GetStatus().GetCode()))
}

// adminCmd reads a URL of the admin port and waits for a status and text that fits: [!] admin PATH STATUS [REGEXP]
func adminCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] admin PATH STATUS [REGEXP]")
	}
	pattern := regexp.MustCompile("(?m)" + strings.Join(args[2:], " "))
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	eventually(ts, neg, "admin "+strings.Join(args, " "), func() (bool, string) {
		resp, err := client.Get("http://" + of(ts).admin + args[0])
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && strconv.Itoa(resp.StatusCode) == args[1] && pattern.Match(body), fmt.Sprintf("%d %s", resp.StatusCode, body)
	})
}

// logged waits for a line of the log: [!] logged REGEXP; with ! it is not there now.
func logged(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + strings.Join(args, " "))
	if neg {
		if pattern.MatchString(of(ts).text()) {
			ts.Fatalf("logged: %s", of(ts).end())
		}
		return
	}
	eventually(ts, false, "logged "+pattern.String(), func() (bool, string) { text := of(ts).text(); return pattern.MatchString(text), "" })
}

// certificate makes a self-signed certificate for 127.0.0.1, its own authority: certificate CERT-FILE KEY-FILE
func certificate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: certificate CERT-FILE KEY-FILE")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
}

// What a client has chosen, such as the subject of a token, does not reach a terminal as it came, in either form of the log.
func TestLogIsPrintable(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var c server.Config
		flags := flag.NewFlagSet("serve", flag.ContinueOnError)
		open := logFlags(flags, &c)
		if err := flags.Parse([]string{"--log-format", format}); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		log, err := open(&out)
		if err != nil {
			t.Fatal(err)
		}
		const hostile = "a\u202eb\x7fc\u009bd\x1b[2Je\x9b"
		log.Info("sts call", "subject", hostile, "error", errors.New(hostile), "stack", "one\n\ttwo é", "n", 1)
		line := strings.TrimSuffix(out.String(), "\n")
		if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }); i >= 0 {
			t.Errorf("%s: not printable at %d: %q", format, i, line)
		}
		if !strings.Contains(line, `one\n\ttwo é`) || !strings.Contains(line, "202e") {
			t.Errorf("%s: %s", format, line)
		}
	}
}
