package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sts"
)

// stsOf is a Service with two more actions: Hang waits until the call ends, and Nothing returns at once.
func stsOf(t *testing.T, callsPerSecond int) *sts.Service {
	t.Helper()
	key := base64.StdEncoding.EncodeToString([]byte("abcdefghijklmnopqrstuvwxyz012345"))
	ring, faults := session.NewRing([]session.RingKey{{ID: "k", Secret: key, Issues: true}}, fault.Root(nil))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	service, err := sts.New(sts.Config{Store: iam.NewBuilder().Store(), Sessions: ring, CallsPerSecond: callsPerSecond, Actions: map[string]*sts.Action{
		"Hang": {Unsigned: true, Run: func(ctx context.Context, _ *sts.Call) ([]sts.Field, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
		"Nothing": {Unsigned: true, Run: func(context.Context, *sts.Call) ([]sts.Field, error) { return nil, nil }},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func withService(s *sts.Service) func() (Loaded, error) {
	return func() (Loaded, error) {
		l, err := loads(allowAs("v1"))()
		l.STS = s
		return l, err
	}
}

func callSTS(client *http.Client, address, action string) (string, error) {
	answer, err := client.Post("http://"+address+"/", "application/x-www-form-urlencoded", strings.NewReader("Action="+action+"&Version=2011-06-15"))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

func TestSTSNeedsSessions(t *testing.T) {
	err := Run(t.Context(), Config{Load: loads(allowAs("v1")), Listen: "127.0.0.1:0", STS: "127.0.0.1:0"})
	if err == nil || err.Error() != "--sts: this portcullis issues no sessions: write iam.sessions" {
		t.Errorf("%v", err)
	}
}

// TestChecksDuringAStorm has clients that call STS as fast as they can, calls that hang and connections that send nothing. Checks go on.
func TestChecksDuringAStorm(t *testing.T) {
	r := serve(t, Config{Load: withService(stsOf(t, 200)), STS: "127.0.0.1:0"})
	client := r.client()
	measure := func() []time.Duration {
		var took []time.Duration
		for range 200 {
			began := time.Now()
			if got := check(t, client); got != "v1" {
				t.Errorf("answer %s", got)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took
	}
	calm := measure()
	ctx, end := context.WithCancel(t.Context())
	var storm sync.WaitGroup
	var answered, throttled atomic.Int64
	transport := &http.Transport{MaxIdleConnsPerHost: 200}
	stormClient := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	for range 64 {
		storm.Go(func() {
			for ctx.Err() == nil {
				text, err := callSTS(stormClient, r.sts, "Nothing")
				switch {
				case err != nil:
				case strings.Contains(text, "<Code>Throttling</Code>"):
					throttled.Add(1)
				default:
					answered.Add(1)
				}
			}
		})
	}
	for range 100 {
		storm.Go(func() {
			conn, err := net.Dial("tcp", r.sts)
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\n")
			<-ctx.Done()
		})
	}
	time.Sleep(300 * time.Millisecond)
	rough := measure()
	end()
	storm.Wait()
	transport.CloseIdleConnections()
	t.Logf("a check takes %v (95 %%: %v), in the storm %v (95 %%: %v); %d calls were answered and %d throttled", calm[100], calm[190], rough[100], rough[190],
		answered.Load(), throttled.Load())
	if rough[190] > time.Second || throttled.Load() == 0 || answered.Load() == 0 {
		t.Errorf("checks take %v", rough[190])
	}
	r.metric(`portcullis_share_limit{share="sts_calls"} 256`)
	if err := r.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestDrainOfSTS looks at a process that drains while calls hang: they end with the process, within --drain-timeout.
func TestDrainOfSTS(t *testing.T) {
	r := serve(t, Config{Load: withService(stsOf(t, 200)), STS: "127.0.0.1:0", DrainTimeout: 200 * time.Millisecond})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = callSTS(client, r.sts, "Hang")
	}()
	if text, err := callSTS(client, r.sts, "Nothing"); err != nil || !strings.Contains(text, "<NothingResult>") {
		t.Errorf("%v %s", err, text)
	}
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the drain takes %v", took)
	}
	<-done
	if _, err := callSTS(client, r.sts, "Nothing"); err == nil {
		t.Error("the port is still open")
	}
}

// A required audit refuses the calls of STS that it does not record, like checks.
func TestARequiredAuditOfSTS(t *testing.T) {
	grant := sts.Event{
		Time: time.Now(), Issued: true, Reason: authz.Reason{Code: authz.CodeAllowed}, Status: 200, RequestID: "r-1", Action: "AssumeRole",
		Principal: "arn:aws:iam::111122223333:user/alice", AccessKey: "AKIAALICE", Role: "arn:aws:iam::111122223333:role/ops", SessionName: "ci", IssuedKey: "ASIAISSUED",
	}
	slow := stuck{make(chan struct{})}
	for name, w := range map[string]io.Writer{"closed pipe": closedPipe(t), "slow reader": slow, "short write": short{}} {
		r := opened(t, Config{Stdout: w}, &decisionlog.Config{Stdout: true, Required: true})
		if err := r.recordSTS(&grant); err == nil {
			t.Errorf("%s: recorded", name)
		}
		if w == slow {
			close(slow.release)
		}
		r.close()
	}
	var log bytes.Buffer
	refusal := sts.Event{
		Time: time.Now(), Reason: authz.Reason{Code: authz.CodeExplicitDeny, Policy: "p", Statement: "s", Detail: "denied"}, Status: 403, Action: "AssumeRoleWithWebIdentity",
		Issuer: "https://id.example.com", Subject: "cart",
	}
	r := opened(t, Config{Stdout: &log}, &decisionlog.Config{Stdout: true, Required: true})
	if err := errors.Join(r.recordSTS(&grant), r.recordSTS(&refusal)); err != nil {
		t.Error(err)
	}
	r.close()
	if err := r.recordSTS(&grant); err == nil {
		t.Error("a closed log records")
	}
	for _, want := range []string{
		`"decision":"allow","reason":"allowed","step":"sts","principal":"arn:aws:iam::111122223333:user/alice","access_key":"AKIAALICE","action":"AssumeRole",` +
			`"role":"arn:aws:iam::111122223333:role/ops","session_name":"ci","issued_key":"ASIAISSUED","request_id":"r-1"`,
		`"decision":"deny","reason":"explicit_deny","step":"sts","status":403,"principal":"cart","issuer":"https://id.example.com","policy":"p","statement":"s","action":"AssumeRoleWithWebIdentity","detail":"denied"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s is not in\n%s", want, &log)
		}
	}
}

// Calls of STS share the log of the process with checks, and neither uses up the share of the other.
func TestAuditOfARunningSTS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "decisions.jsonl")
	service := stsOf(t, 200)
	r := serve(t, Config{STS: "127.0.0.1:0", Load: func() (Loaded, error) {
		l, err := withService(service)()
		l.DecisionLog = &decisionlog.Config{File: &decisionlog.File{Path: file, MaxBytes: 1 << 20}, Required: true}
		return l, err
	}})
	if text, err := callSTS(http.DefaultClient, r.sts, "Nothing"); err != nil || !strings.Contains(text, "<NothingResult>") {
		t.Errorf("%v %s", err, text)
	}
	if text, err := callSTS(http.DefaultClient, r.sts, "None"); err != nil || !strings.Contains(text, "InvalidAction") {
		t.Errorf("%v %s", err, text)
	}
	lines, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(lines), `"reason":"allowed","step":"sts"`) || !strings.Contains(string(lines), `"reason":"bad_request","step":"sts","status":400`) {
		t.Errorf("%v\n%s", err, lines)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := r.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}
