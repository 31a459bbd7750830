package sts

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

func TestRequestsThatAreNoCalls(t *testing.T) {
	f := newFixture(t, nil)
	for _, c := range []struct {
		method, target, contentType string
		status                      int
		code                        Code
	}{
		{"POST", "/sts", formType, 404, InvalidAction},
		{"POST", "//", formType, 404, InvalidAction},
		{"POST", "/%2e", formType, 404, InvalidAction},
		{"GET", "/index.html", "", 404, InvalidAction},
		{"HEAD", "/", "", 405, InvalidAction},
		{"PUT", "/", formType, 405, InvalidAction},
		{"OPTIONS", "/", "", 405, InvalidAction},
		{"DELETE", "/", "", 405, InvalidAction},
		{"post", "/", formType, 405, InvalidAction},
		{"POST", "/", "", 400, MissingAction},
		{"POST", "/", "application/json", 400, MissingAction},
		{"POST", "/", "application/x-amz-json-1.1", 400, MissingAction},
		{"POST", "/", "multipart/form-data; boundary=x", 400, MissingAction},
		{"POST", "/", formType + "; charset", 400, MissingAction},
	} {
		r := httptest.NewRequest(c.method, c.target, strings.NewReader(form("GetCallerIdentity").Encode()))
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		r.Header.Set("Origin", "https://evil.example.com")
		a := f.send(t, r)
		if a.status != c.status || a.texts["Code"] != string(c.code) || (c.status == 405) != (a.header.Get("Allow") == "GET, POST") {
			t.Errorf("%s %s: %d %s", c.method, c.target, a.status, a.body)
		}
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s: the header %s", c.method, c.target, name)
			}
		}
	}
	f.refused(t, "GET with a body", httptest.NewRequest("GET", "/?"+form("GetCallerIdentity").Encode(), strings.NewReader("x=y")), 400, MalformedQueryString, "")
}

const formType = "application/x-www-form-urlencoded"

func TestMarkupIsEscaped(t *testing.T) {
	f := newFixture(t, nil)
	for _, text := range []string{"</Message><Code>x</Code>", "]]>", "&lt;", "\x00\x01\u202e", "<!--", `"'`} {
		a := f.send(t, post(form(text)))
		if strings.Count(a.body, "<Code>") != 1 || a.texts["Code"] != string(InvalidAction) || strings.ContainsAny(a.body, "\x00\x01") {
			t.Errorf("%q: %s", text, a.body)
		}
	}
}

// The client sees an answer of STS for every failure of an action, without its cause.
func TestInternalFailures(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.Actions = map[string]*Action{
			"Panic":  {Unsigned: true, Run: func(context.Context, *Call) ([]Field, error) { panic("secret text") }},
			"Error":  {Unsigned: true, Run: func(context.Context, *Call) ([]Field, error) { return nil, fmt.Errorf("secret text") }},
			"NoCode": {Unsigned: true, Run: func(context.Context, *Call) ([]Field, error) { return nil, &Error{Message: "secret text"} }},
			"Type":   {Unsigned: true, Run: func(context.Context, *Call) ([]Field, error) { return []Field{{"A", 1.5}}, nil }},
			"Greet": {Unsigned: true, Shape: Shape{Required: []string{"Name"}}, Run: func(_ context.Context, c *Call) ([]Field, error) {
				c.Describe("somebody", ops, "s1")
				return []Field{{"Greeting", "hello " + c.Text("Name")}}, nil
			}},
		}
	})
	for _, action := range []string{"Panic", "Error", "NoCode", "Type"} {
		f.refused(t, action, post(form(action)), 500, InternalFailure, internalMessage)
		if a := f.send(t, post(form(action))); strings.Contains(a.body, "secret") {
			t.Error(a.body)
		}
	}
	if a := f.send(t, post(form("Greet", "Name", "<b>"))); a.status != 200 || a.texts["Greeting"] != "hello <b>" || !strings.Contains(a.body, "<GreetResult>") {
		t.Error(a.status, a.body)
	}
	if log := f.log.String(); !strings.Contains(log, "principal=somebody role="+ops+" sessionName=s1") || strings.Contains(log, "panic=\"secret") {
		t.Error(log)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a Service without a store and a ring")
	}
	if _, err := New(Config{Store: newStore(t, f.ring), Sessions: f.ring, Actions: map[string]*Action{"AssumeRole": {}}}); err == nil {
		t.Error("an action replaces AssumeRole")
	}
}

func TestWithoutConfiguration(t *testing.T) {
	f := &fixture{Server: NewServer(ServerConfig{Log: slog.New(slog.DiscardHandler), Current: func() (*Service, func()) { return nil, nil }})}
	f.refused(t, "no configuration", post(form("GetCallerIdentity")), 503, ServiceUnavailable, "")
}

// What cannot be recorded is refused, and the client gets no part of it.
func TestCallsThatAreNotRecorded(t *testing.T) {
	f := newFixture(t, nil)
	var recorded []Event
	fails := error(nil)
	f.config.Record = func(e *Event) error {
		recorded = append(recorded, *e)
		return fails
	}
	calls := func() map[string]*http.Request {
		return map[string]*http.Request{
			"AssumeRoleWithWebIdentity": post(webForm(t, nil)),
			"AssumeRole":                sign(t, f.signer("AKIAALICE0000EXAMPLE"), post(assumeForm())),
			"GetSessionToken":           sign(t, f.signer("AKIAALICE0000EXAMPLE"), post(form("GetSessionToken"))),
			"GetCallerIdentity":         sign(t, f.signer("AKIAALICE0000EXAMPLE"), post(form("GetCallerIdentity"))),
		}
	}
	for action, r := range calls() {
		recorded = nil
		a := f.send(t, r)
		if a.status != 200 || len(recorded) != 1 || !recorded[0].Issued || recorded[0].Action != action || recorded[0].RequestID != a.texts["RequestId"] || recorded[0].ClientAddress.String() != "192.0.2.1" || a.header.Get("Cache-Control") != "no-store" ||
			recorded[0].Reason.Code != authz.CodeAllowed || recorded[0].IssuedKey != a.texts["AccessKeyId"] {
			t.Errorf("%s: %d, %+v", action, a.status, recorded)
		}
	}
	fails = errors.New("the disk is full")
	for action, r := range calls() {
		f.refused(t, action, r, 503, ServiceUnavailable, "could not be recorded")
		w := httptest.NewRecorder()
		f.ServeHTTP(w, calls()[action])
		if body := w.Body.String(); strings.Contains(body, "ASIA") || strings.Contains(body, "arn:") || strings.Contains(body, "disk") {
			t.Errorf("%s: %s", action, body)
		}
	}
	recorded = nil
	f.refused(t, "bob", sign(t, f.signer("AKIABOB000000EXAMPLE"), post(assumeForm())), 403, AccessDenied, "")
	if len(recorded) != 1 || recorded[0].Issued || recorded[0].Status != 403 {
		t.Errorf("%+v", recorded)
	}
}

// Every outcome has a reason code, and a policy that decides is named.
func TestReasonsOfCalls(t *testing.T) {
	f := newFixture(t, nil)
	var last Event
	f.config.Record = func(e *Event) error { last = *e; return nil }
	alice, bob := f.signer("AKIAALICE0000EXAMPLE"), f.signer("AKIABOB000000EXAMPLE")
	wrong := alice
	wrong.Secret = "x"
	late := alice
	late.At = late.At.Add(-time.Hour)
	f.refused(t, "a wrong secret", sign(t, wrong, post(assumeForm())), 403, SignatureDoesNotMatch, "")
	if last.AccessKey != "AKIAALICE0000EXAMPLE" || last.Principal != "" {
		t.Errorf("%+v", last)
	}
	f.refused(t, "an expired token", post(webForm(t, claims{"exp": 1})), 400, ExpiredTokenException, "")
	if last.Issuer != issuer || last.Subject == "" {
		t.Errorf("%+v", last)
	}
	for name, c := range map[string]struct {
		request *http.Request
		want    authz.Reason
	}{
		"a grant":          {post(webForm(t, nil)), authz.Reason{Code: authz.CodeAllowed}},
		"no action":        {post(url.Values{}), authz.Reason{Code: authz.CodeBadRequest}},
		"a parameter":      {sign(t, alice, post(assumeForm("DurationSeconds", "5"))), authz.Reason{Code: authz.CodeBadRequest}},
		"no signature":     {post(assumeForm()), authz.Reason{Code: authz.CodeNotSigned}},
		"a wrong secret":   {sign(t, wrong, post(assumeForm())), authz.Reason{Code: authz.CodeBadSignature}},
		"an old signature": {sign(t, late, post(assumeForm())), authz.Reason{Code: authz.CodeBadSignature}},
		"an unknown key":   {sign(t, f.signer("AKIANOBODY000EXAMPLE"), post(assumeForm())), authz.Reason{Code: authz.CodeUnknownKey}},
		"a Deny":           {sign(t, bob, post(assumeForm())), authz.Reason{Code: authz.CodeExplicitDeny, Policy: "inline/user/bob/p", Statement: "Statement[0]"}},
		"not trusted":      {sign(t, alice, post(assumeForm("RoleArn", pod))), authz.Reason{Code: authz.CodeUntrustedCaller}},
		"no role":          {sign(t, alice, post(assumeForm("RoleArn", "arn:aws:iam::111122223333:role/none"))), authz.Reason{Code: authz.CodeUntrustedCaller}},
		"a condition": {post(webForm(t, claims{"sub": "intruder"})), authz.Reason{
			Code: authz.CodeUntrustedCaller, Condition: "StringEquals", ConditionKey: "id.example.com/realm:sub",
		}},
		"a token":          {post(webForm(t, nil, "WebIdentityToken", "x")), authz.Reason{Code: authz.CodeUnauthorized}},
		"an expired token": {post(webForm(t, claims{"exp": 1})), authz.Reason{Code: authz.CodeExpiredToken}},
	} {
		f.send(t, c.request)
		got := last.Reason
		if got.Detail == "" && c.want.Code != authz.CodeAllowed {
			t.Errorf("%s: no detail", name)
		}
		if got.Detail = ""; got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestLogAndMetrics(t *testing.T) {
	f := newFixture(t, nil)
	a := f.granted(t, "pod", post(webForm(t, nil)))
	alice := f.granted(t, "alice", sign(t, f.signer("AKIAALICE0000EXAMPLE"), post(assumeForm("Policy", policyOf(200)))))
	f.refused(t, "bob", sign(t, f.signer("AKIABOB000000EXAMPLE"), post(assumeForm())), 403, AccessDenied, "")
	f.refused(t, "nobody", post(form("\nlevel=ERROR")), 400, InvalidAction, "")
	log := f.log.String()
	for _, want := range []string{
		"action=AssumeRoleWithWebIdentity outcome=OK requestId=" + a.texts["RequestId"] + " peer=192.0.2.1 issuer=" + issuer + " subject=system:serviceaccount:shop:cart role=" + pod + " sessionName=cart-1 issuedKeyId=" + a.texts["AccessKeyId"],
		"action=AssumeRole outcome=OK", "principal=arn:aws:iam::111122223333:user/alice accessKeyId=AKIAALICE0000EXAMPLE role=" + ops,
		"action=AssumeRole outcome=AccessDenied", "outcome=InvalidAction",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	for _, secret := range []string{a.texts["SecretAccessKey"], a.texts["SessionToken"], alice.texts["SecretAccessKey"], secret, "eyJ"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s", secret)
		}
	}
	if strings.Count(log, "\n") != 4 {
		t.Errorf("not one line for each call:\n%s", log)
	}
	got := map[string]float64{}
	for _, s := range f.Samples() {
		if s.Name == "portcullis_sts_calls_total" {
			got[s.Labels[0].Value+" "+s.Labels[1].Value] = s.Value
		}
	}
	if len(got) != 4 || got["AssumeRole OK"] != 1 || got["AssumeRole AccessDenied"] != 1 || got["AssumeRoleWithWebIdentity OK"] != 1 || got[" InvalidAction"] != 1 {
		t.Errorf("%v", got)
	}
}

// The rate is a caller's, and one caller's storm leaves calls for others. Refused calls wait, which costs nothing.
func TestRates(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.CallsPerSecond = 100 })
	bob, alice := f.signer("AKIABOB000000EXAMPLE"), f.signer("AKIAALICE0000EXAMPLE")
	began, good := time.Now(), 0
	for {
		a := f.send(t, sign(t, bob, post(form("GetCallerIdentity"))))
		if a.status != 200 {
			if a.status != 400 || a.texts["Code"] != string(Throttling) || a.texts["Message"] != "Rate exceeded" {
				t.Fatalf("%d %s", a.status, a.body)
			}
			break
		}
		if good++; good > 1000 {
			t.Fatal("bob is not limited")
		}
	}
	if most := 20 + 10*time.Since(began).Seconds() + 1; float64(good) > most || good < 15 {
		t.Errorf("bob has %d calls", good)
	}
	if a := f.send(t, sign(t, alice, post(form("GetCallerIdentity")))); a.status != 200 {
		t.Errorf("alice: %s", a.body)
	}
	f.granted(t, "pod", post(webForm(t, nil)))
	forged := bob
	forged.KeyID, forged.Secret = alice.KeyID, "x"
	for range 30 {
		f.send(t, sign(t, forged, post(form("GetCallerIdentity"))))
	}
	if a := f.send(t, sign(t, alice, post(form("GetCallerIdentity")))); a.status != 200 {
		t.Errorf("who names alice's key takes her calls: %s", a.body)
	}
}

func TestShares(t *testing.T) {
	p := newPace(100)
	now := time.Now()
	count := func(call func() bool) (n int) {
		for call() {
			if n++; n > 1000 {
				break
			}
		}
		return n
	}
	if n := count(func() bool { return p.call("192.0.2.1", now) }); n != 100 {
		t.Errorf("one address has %d calls, want 100", n)
	}
	if n := count(func() bool { return p.call("192.0.2.2", now) }); n != 100 {
		t.Errorf("the second address has %d calls, want 100", n)
	}
	if p.call("192.0.2.3", now) {
		t.Error("the total is not bounded")
	}
	if !p.call("192.0.2.3", now.Add(time.Second)) {
		t.Error("no calls a second later")
	}
	l := newLimits()
	if first := l.at(100); l.at(100) != first || l.at(50) == first || l.at(50).callsPerSecond != 50 {
		t.Error("a changed rate does not count, or an unchanged one begins anew")
	}
	var places []func()
	for {
		place, ok := l.enter("192.0.2.1")
		if !ok {
			break
		}
		places = append(places, place.Leave)
	}
	if len(places) != maxCalls/2 {
		t.Errorf("one address holds %d calls", len(places))
	}
	if _, ok := l.enter("192.0.2.2"); !ok {
		t.Error("one address leaves no place")
	}
}

// Proxies that the configuration trusts tell the client's address; an address that cannot be read is refused.
func TestClientAddress(t *testing.T) {
	var seen netip.Addr
	f := newFixture(t, func(c *Config) {
		c.ClientAddress = func(r *authz.Request) (netip.Addr, error) {
			text, _ := r.Header("x-forwarded-for")
			return netip.ParseAddr(text)
		}
		c.Actions = map[string]*Action{"Where": {Unsigned: true, Run: func(_ context.Context, c *Call) ([]Field, error) {
			seen = c.ClientAddress
			return nil, nil
		}}}
	})
	r := post(form("Where"))
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	if a := f.send(t, r); a.status != 200 || seen.String() != "203.0.113.9" {
		t.Errorf("%d %s, %v", a.status, a.body, seen)
	}
	f.refused(t, "no address", post(form("Where")), 400, ValidationError, "X-Forwarded-For")
}

// listening serves on loopback.
func (f *fixture) listening(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Serve(l, nil) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		f.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestOverTheNetwork(t *testing.T) {
	f := newFixture(t, nil)
	address := f.listening(t)
	body := webForm(t, nil).Encode()
	answer, err := http.Post("http://"+address, formType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != 200 || !bytes.Contains(text, []byte("<SessionToken>")) || answer.Header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("%d %s", answer.StatusCode, text)
	}
	for name, raw := range map[string]string{
		"two hosts":           "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
		"no host":             "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		"two lengths":         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"length and chunks":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: " + formType + "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"long headers":        "POST / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
		"a long body":         fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", formType, maxBody+1),
		"a long chunked body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: " + formType + "\r\nTransfer-Encoding: chunked\r\n\r\n21000\r\n" + strings.Repeat("a", 0x21000) + "\r\n0\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(conn, raw)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode < 400 {
				t.Errorf("%s: %d", name, answer.StatusCode)
			}
		}
		_ = conn.Close()
	}
}

// One peer leaves connections for others, and connections that send nothing end.
func TestConnections(t *testing.T) {
	f := newFixture(t, nil)
	l := &boundListener{Listener: &endless{}, connections: newConnections()}
	var held []net.Conn
	for range maxConnections / 2 {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	l.Listener.(*endless).other.Store(true)
	conn, err := l.Accept() // the other peer's: those of the first are closed
	if err != nil || conn.RemoteAddr().String() != "192.0.2.2:1" {
		t.Errorf("%v, %v", conn, err)
	}
	_ = held[0].Close()
	_ = held[0].Close() // leaves once
	if n := l.connections.Held(); n != maxConnections/2 {
		t.Errorf("%d connections are held", n)
	}
	if s := f.http; s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Error("a connection has no end")
	}
}

// endless is a listener whose first peer connects all the time; the other one every third time.
type endless struct {
	n     atomic.Int64
	other atomic.Bool
}

func (e *endless) Accept() (net.Conn, error) {
	a, b := net.Pipe()
	_ = b.Close()
	if e.other.Load() && e.n.Add(1)%3 == 0 {
		return &peerConn{a, "192.0.2.2:1"}, nil
	}
	return &peerConn{a, "192.0.2.1:1"}, nil
}

func (e *endless) Close() error   { return nil }
func (e *endless) Addr() net.Addr { return nil }

type peerConn struct {
	net.Conn
	peer string
}

func (c *peerConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.peer))
}

// A call that waits at Shutdown is answered, and a call that does not end is cut off.
func TestShutdown(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.Actions = map[string]*Action{"Wait": {Unsigned: true, Run: func(ctx context.Context, _ *Call) ([]Field, error) {
			pause(ctx, 300*time.Millisecond)
			return nil, nil
		}}}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served, called sync.WaitGroup
	served.Go(func() { _ = f.Serve(l, nil) })
	called.Go(func() {
		answer, err := http.Post("http://"+l.Addr().String(), formType, strings.NewReader(form("Wait").Encode()))
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		if answer.StatusCode != 200 {
			t.Error(answer.Status)
		}
	})
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if !f.Shutdown(ctx) {
		t.Error("the call did not end")
	}
	called.Wait()
	served.Wait()
}

func TestThrottledPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		pause(t.Context(), throttledPause)
		if time.Since(began) != throttledPause {
			t.Error("no pause")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		pause(ctx, time.Hour)
	})
}

// A Service that lacks a part, or has one twice, is not made.
func TestServicesThatAreNotMade(t *testing.T) {
	f := newFixture(t, nil)
	store := newStore(t, f.ring)
	run := func(context.Context, *Call) ([]Field, error) { return nil, nil }
	for name, c := range map[string]struct {
		config Config
		ok     bool
	}{
		"the least":        {Config{Store: store, Sessions: f.ring}, true},
		"an action":        {Config{Store: store, Sessions: f.ring, Actions: map[string]*Action{"Greet": {Run: run}}}, true},
		"no store":         {Config{Sessions: f.ring}, false},
		"no ring":          {Config{Store: store}, false},
		"a negative rate":  {Config{Store: store, Sessions: f.ring, CallsPerSecond: -1}, false},
		"an action twice":  {Config{Store: store, Sessions: f.ring, Actions: map[string]*Action{"AssumeRole": {Run: run}}}, false},
		"no action":        {Config{Store: store, Sessions: f.ring, Actions: map[string]*Action{"Greet": nil}}, false},
		"an action, empty": {Config{Store: store, Sessions: f.ring, Actions: map[string]*Action{"Greet": {}}}, false},
	} {
		if s, err := New(c.config); (err == nil) != c.ok || (s != nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A workload that calls too often does not use up the share of another.
func TestRateOfAWebIdentity(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		now := time.Now()
		c.CallsPerSecond, c.Now = 20, func() time.Time { return now }
	})
	throttled := 0
	for range 6 {
		if a := f.send(t, post(webForm(t, nil))); a.texts["Code"] == string(Throttling) {
			throttled++
		}
	}
	if throttled != 2 { // a tenth of the rate, for two seconds
		t.Errorf("%d of 6 are throttled", throttled)
	}
	f.refused(t, "another workload", post(webForm(t, claims{"sub": "other"})), 403, AccessDenied, "")
}

// A client that floods gets no further than its share, before anything of its calls is read.
func TestLimitsOfAClient(t *testing.T) {
	now := time.Now()
	f := newFixture(t, func(c *Config) { c.CallsPerSecond, c.Now = 8, func() time.Time { return now } })
	for n := range 10 {
		want := InvalidAction
		if n >= 8 { // a half of the rate, for two seconds
			want = Throttling
		}
		f.refused(t, fmt.Sprint("call ", n), post(form("None")), 400, want, "")
	}
	other := post(form("None"))
	other.RemoteAddr = "192.0.2.9:1"
	f.refused(t, "another client", other, 400, InvalidAction, "")
	f = newFixture(t, nil)
	var places []bulkhead.Place
	for {
		place, ok := f.limits.enter("192.0.2.1")
		if !ok {
			break
		}
		places = append(places, place)
	}
	f.refused(t, "many calls at once", post(form("None")), 400, Throttling, "Rate exceeded")
	other = post(form("None"))
	other.RemoteAddr = "192.0.2.9:1"
	f.refused(t, "another client at that time", other, 400, InvalidAction, "")
	for _, place := range places {
		place.Leave()
	}
	f.refused(t, "afterwards", post(form("None")), 400, InvalidAction, "")
}

// brokenBody ends before its end.
type brokenBody struct{ io.Reader }

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (brokenBody) Close() error { return nil }

// What arrives of a body that is cut is not a call: the part that is missing could narrow the session.
func TestBodiesThatEndEarly(t *testing.T) {
	f := newFixture(t, nil)
	r := post(webForm(t, nil))
	r.Body = brokenBody{r.Body}
	f.refused(t, "a cut body", r, 400, ValidationError, "ended early")
}
