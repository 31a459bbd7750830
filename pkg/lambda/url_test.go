package lambda

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// serve is a server for one test.
func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func mustURL(t testing.TB, c URLConfig) *URL {
	t.Helper()
	u, err := NewURL(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

func TestURL(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		event, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.URL.String() != "/fn?x=1" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Key") != "s3cr3t" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		fmt.Fprintf(w, "answer to %s", event)
	})
	u := mustURL(t, URLConfig{URL: s.URL + "/fn?x=1", Headers: []authz.Field{{Name: "x-key", Value: "s3cr3t"}}})
	for range 3 {
		answer, err := u.Invoke(t.Context(), testFunction, []byte("event"))
		if err != nil || string(answer) != "answer to event" {
			t.Errorf("%s %v", answer, err)
		}
	}
}

// The shapes are those in which AWS's runtimes report errors; AWS's runtime interface emulator answers them with 200 and without
// X-Amz-Function-Error.
func TestErrorsOfTheRuntimeInterfaceEmulator(t *testing.T) {
	for answer, want := range map[string]string{
		`{"errorType":"Error","errorMessage":"Unauthorized","trace":[]}`:                                "Unauthorized",
		`{"errorMessage": "Unauthorized", "errorType": "Exception", "requestId": "", "stackTrace": []}`: "Unauthorized",
		`{"errorMessage":"Unauthorized","errorType":"errorString"}`:                                     "Unauthorized",
		`{"errorMessage":"Unauthorized"}`:                                                               "Unauthorized",
		`{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out"}`:          "RequestId: 1 Error: Task timed out",
		`{"errorType":"Runtime.ExitError"}`:                                                             "",
		`{"errorMessage":["Unauthorized"]}`:                                                             "",
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
		_, err := mustURL(t, URLConfig{URL: s.URL}).Invoke(t.Context(), testFunction, nil)
		if failed, ok := errors.AsType[*FunctionError](err); !ok || failed.Message != want {
			t.Errorf("%s: %v", answer, err)
		}
	}
	for _, answer := range []string{
		allowAll, `{"isAuthorized":false,"errorMessage":"Unauthorized"}`, `{"policyDocument":null,"errorType":"Error"}`, `["errorMessage"]`, `{"context":{"errorMessage":"x"}}`,
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
		if got, err := mustURL(t, URLConfig{URL: s.URL}).Invoke(t.Context(), testFunction, nil); err != nil || string(got) != answer {
			t.Errorf("%s: %s %v", answer, got, err)
		}
	}
}

func TestURLFailures(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
			fmt.Fprint(w, allowAll)
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    Failure
	}{
		"500": {status(500), Broken}, "503": {status(503), Broken}, "502": {status(502), Broken}, "504": {status(504), Broken},
		"429": {status(429), Throttled}, "404": {status(404), NotPermitted}, "403": {status(403), NotPermitted},
		"201": {status(201), NotPermitted}, "307": {status(307), NotPermitted}, "301": {status(301), NotPermitted}, "206": {status(206), NotPermitted},
		"10 MB": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, allowAll)
			for range 10 {
				fmt.Fprint(w, strings.Repeat(" ", 1<<20))
			}
		}, TooLarge},
		"large, announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10485760")
			fmt.Fprint(w, allowAll)
			panic(http.ErrAbortHandler)
		}, Broken},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, allowAll)
			panic(http.ErrAbortHandler)
		}, Broken},
		"closed": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Broken},
		"no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			fmt.Fprint(conn, "SSH-2.0-garbage\r\n\r\n")
			conn.Close()
		}, Broken},
		"long headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			fmt.Fprint(w, allowAll)
		}, Broken},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					t.Error("a redirect was followed")
				}
				c.handler(w, r)
			})
			answer, err := mustURL(t, URLConfig{URL: s.URL}).Invoke(t.Context(), testFunction, []byte("{}"))
			if failure := failureOf(t, answer, err); failure != c.want {
				t.Errorf("%v (%v), want %v", failure, err, c.want)
			}
		})
	}
	closed := serve(t, nil)
	closed.Close()
	answer, err := mustURL(t, URLConfig{URL: closed.URL + "/s3cr3t"}).Invoke(t.Context(), testFunction, nil)
	if failure := failureOf(t, answer, err); failure != Unreachable || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

func TestURLFunctionError(t *testing.T) {
	for body, want := range map[string]string{
		`{"errorMessage":"Unauthorized","errorType":"Error","trace":[]}`: "Unauthorized",
		`{"errorMessage":"Unauthorized "}`:                               "Unauthorized ",
		`{"errorMessage":["Unauthorized"]}`:                              "",
		`{"ErrorMessage":"Unauthorized"}`:                                "",
		`"Unauthorized"`:                                                 "",
		`null`:                                                           "",
		allowAll:                                                         "",
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			fmt.Fprint(w, body)
		})
		answer, err := mustURL(t, URLConfig{URL: s.URL}).Invoke(t.Context(), testFunction, nil)
		told, ok := errors.AsType[*FunctionError](err)
		if !ok || answer != nil || told.Message != want || strings.Contains(err.Error(), "Unauthorized") {
			t.Errorf("%s: %s %#v", body, answer, err)
		}
	}
}

func TestURLHangs(t *testing.T) {
	free := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			fmt.Fprint(w, allowAll)
			w.(http.Flusher).Flush()
		}
		<-free
	})
	defer close(free)
	for _, path := range []string{"/", "/body"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		answer, err := mustURL(t, URLConfig{URL: s.URL + path}).Invoke(ctx, testFunction, nil)
		if !errors.Is(err, context.DeadlineExceeded) || answer != nil {
			t.Errorf("%s: %s %v", path, answer, err)
		}
	}
}

// TestURLWithoutEnvironment sets a proxy that the environment names: it is not asked.
func TestURLWithoutEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	direct := mustURL(t, URLConfig{URL: "http://pets.example.com"})
	if direct.client.Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy is used that nobody has configured")
	}
	var asked string
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		fmt.Fprint(w, "{}")
	})
	if _, err := mustURL(t, URLConfig{URL: "http://pets.example.com/fn", Proxy: proxy.URL}).Invoke(t.Context(), testFunction, nil); err != nil || asked != "http://pets.example.com/fn" {
		t.Errorf("%v: the proxy was asked for %q", err, asked)
	}
}

// pair is a certificate and its key, in PEM, vouched for by itself.
func pair(t testing.TB) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestURLOverTLS(t *testing.T) {
	serverCert, serverKey := pair(t)
	clientCert, clientKey := pair(t)
	otherCert, otherKey := pair(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	server, err := tls.X509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(clientCert)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	for name, c := range map[string]struct {
		config URLConfig
		ok     bool
	}{
		"both sides known":       {URLConfig{CA: serverCert, Certificate: clientCert, Key: clientKey}, true},
		"an unknown server":      {URLConfig{Certificate: clientCert, Key: clientKey}, false},
		"another CA":             {URLConfig{CA: otherCert, Certificate: clientCert, Key: clientKey}, false},
		"no client certificate":  {URLConfig{CA: serverCert}, false},
		"another client":         {URLConfig{CA: serverCert, Certificate: otherCert, Key: otherKey}, false},
		"by a name it is not of": {URLConfig{CA: serverCert, Certificate: clientCert, Key: clientKey, URL: strings.Replace(s.URL, "127.0.0.1", "localhost", 1)}, false},
	} {
		if c.config.URL == "" {
			c.config.URL = s.URL
		}
		answer, err := mustURL(t, c.config).Invoke(t.Context(), testFunction, nil)
		if c.ok {
			if err != nil || string(answer) != "{}" {
				t.Errorf("%s: %s %v", name, answer, err)
			}
		} else if failure := failureOf(t, answer, err); failure != Unreachable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestURLFaults(t *testing.T) {
	certificate, key := pair(t)
	other, _ := pair(t)
	const good = "https://127.0.0.1:1"
	for name, c := range map[string]struct {
		config URLConfig
		want   string
	}{
		"nothing":                        {URLConfig{}, "url is missing"},
		"no scheme":                      {URLConfig{URL: "127.0.0.1:9000"}, "write one such as"},
		"another scheme":                 {URLConfig{URL: "ftp://127.0.0.1"}, "write one such as"},
		"no host":                        {URLConfig{URL: "http:///x"}, "write one such as"},
		"unreadable":                     {URLConfig{URL: "http://s3cr3t\x7f"}, "write one such as"},
		"a password":                     {URLConfig{URL: "http://a:s3cr3t@127.0.0.1"}, "write it as a header"},
		"a fragment":                     {URLConfig{URL: "http://127.0.0.1/#a"}, "fragment"},
		"a header without name":          {URLConfig{URL: good, Headers: []authz.Field{{Name: "", Value: "s3cr3t"}}}, "not the name of a header"},
		"Host":                           {URLConfig{URL: good, Headers: []authz.Field{{Name: "host", Value: "s3cr3t"}}}, "belongs to the connection"},
		"Transfer-Encoding":              {URLConfig{URL: good, Headers: []authz.Field{{Name: "transfer-encoding", Value: "s3cr3t"}}}, "belongs to the connection"},
		"twice":                          {URLConfig{URL: good, Headers: []authz.Field{{Name: "a", Value: "s3cr3t"}, {Name: "A", Value: "s3cr3t"}}}, "stands twice"},
		"a line break":                   {URLConfig{URL: good, Headers: []authz.Field{{Name: "a", Value: "s3cr3t\r\nb: c"}}}, "control character"},
		"CA":                             {URLConfig{URL: good, CA: []byte("s3cr3t")}, "write certificates in PEM"},
		"a key of another":               {URLConfig{URL: good, Certificate: other, Key: key}, "cannot be used together"},
		"a key alone":                    {URLConfig{URL: good, Key: key}, "cannot be used together"},
		"no TLS":                         {URLConfig{URL: "http://127.0.0.1", Certificate: certificate, Key: key}, "write https"},
		"a proxy that is not an address": {URLConfig{URL: good, Proxy: "s3cr3t"}, "proxy is not an address"},
		"connections":                    {URLConfig{URL: good, Connections: -1}, "connections"},
		"all of them":                    {URLConfig{Connections: -1}, "url is missing"},
	} {
		u, err := NewURL(c.config)
		if err == nil || u != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
