package otlp

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
)

const path = "/v1/logs"

// ServeHTTP implements OTLP over HTTP. It asks for the same header as over gRPC.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	in := &collogspb.ExportLogsServiceRequest{}
	if err != nil || r.URL.Path != path || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(data, in) != nil {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	out, err := c.Export(metadata.NewIncomingContext(r.Context(), metadata.MD{"authorization": r.Header.Values("Authorization")}), in)
	if err != nil {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	data, _ = proto.Marshal(out)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(data)
}

// authorized takes lines only with the header.
func authorized(ctx context.Context, _ int) (*collogspb.ExportLogsServiceResponse, error) {
	if md, _ := metadata.FromIncomingContext(ctx); strings.Join(md["authorization"], "") != "Bearer t" {
		return &collogspb.ExportLogsServiceResponse{PartialSuccess: &collogspb.ExportLogsPartialSuccess{RejectedLogRecords: 1}}, nil
	}
	return nil, nil
}

// secure serves a collector with TLS, by gRPC and by HTTP, and returns its authority.
func secure(t *testing.T, c *collector) (address, url string, authority []byte) {
	t.Helper()
	web := httptest.NewTLSServer(c)
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12})))
	collogspb.RegisterLogsServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String(), web.URL + path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
}

// TestCredentialsAndAuthority sends lines to a collector that needs a header and has a certificate of an authority of its own.
func TestCredentialsAndAuthority(t *testing.T) {
	headers := []authz.Field{{Name: "Authorization", Value: "Bearer t"}}
	c := &collector{answer: authorized}
	address, url, authority := secure(t, c)
	other, _, _ := secure(t, &collector{})
	plain := httptest.NewServer(c)
	t.Cleanup(plain.Close)
	elsewhere := httptest.NewServer(http.RedirectHandler(plain.URL+path, http.StatusTemporaryRedirect))
	t.Cleanup(elsewhere.Close)
	for name, tt := range map[string]struct {
		to   decisionlog.OTLP
		want int
	}{
		"gRPC":                       {decisionlog.OTLP{Address: address, TLS: true, CA: authority, Headers: headers}, 1},
		"gRPC without the header":    {decisionlog.OTLP{Address: address, TLS: true, CA: authority}, 0},
		"gRPC, unknown authority":    {decisionlog.OTLP{Address: address, TLS: true, Headers: headers}, 0},
		"gRPC in plain text":         {decisionlog.OTLP{Address: other, Headers: headers}, 0},
		"HTTPS":                      {decisionlog.OTLP{URL: url, CA: authority, Headers: headers}, 1},
		"HTTPS without the header":   {decisionlog.OTLP{URL: url, CA: authority}, 0},
		"HTTPS, unknown authority":   {decisionlog.OTLP{URL: url, Headers: headers}, 0},
		"HTTP":                       {decisionlog.OTLP{URL: plain.URL + path, Headers: headers}, 1},
		"HTTP at another path":       {decisionlog.OTLP{URL: plain.URL + "/other", Headers: headers}, 0},
		"HTTP with a redirect":       {decisionlog.OTLP{URL: elsewhere.URL + path, Headers: headers}, 0},
		"HTTP where nothing listens": {decisionlog.OTLP{URL: "http://127.0.0.1:1/v1/logs", Headers: headers}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(c.received())
			l, counters := openedTo(t, &tt.to, 5*time.Second)
			_ = l.Record(&entry)
			l.Close(5 * time.Second)
			written, dropped := sum(counters, "portcullis_decision_log_lines_total", ""), sum(counters, "portcullis_decision_log_dropped_total", "")
			if got := len(c.received()) - before; got != tt.want || written != float64(tt.want) || dropped != 1-written {
				t.Errorf("%d lines arrived, want %d; %v counted as written, %v as dropped", got, tt.want, written, dropped)
			}
		})
	}
}

// TestBadWebCollector counts the lines that a server does not take, and sends them again if it is busy.
func TestBadWebCollector(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, calls int)
		calls  int
		taken  float64
	}{
		"busy once":      {func(w http.ResponseWriter, calls int) { w.WriteHeader(map[bool]int{true: 503, false: 200}[calls == 1]) }, 2, 1},
		"busy":           {func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusTooManyRequests) }, attempts, 0},
		"forbids":        {func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusForbidden) }, 1, 0},
		"accepts":        {func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusAccepted) }, 1, 1},
		"answers a page": {func(w http.ResponseWriter, _ int) { _, _ = io.WriteString(w, strings.Repeat("<p>", 1<<20)) }, 1, 1},
		"hangs":          {func(http.ResponseWriter, int) { time.Sleep(300 * time.Millisecond) }, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := make(chan struct{}, attempts)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls <- struct{}{}
				tt.answer(w, len(calls))
			}))
			t.Cleanup(server.Close)
			timeout := 5 * time.Second
			if name == "hangs" {
				timeout = 100 * time.Millisecond
			}
			l, counters := openedTo(t, &decisionlog.OTLP{URL: server.URL + path}, timeout)
			_ = l.Record(&entry)
			l.Close(5 * time.Second)
			if got := sum(counters, "portcullis_decision_log_lines_total", ""); got != tt.taken || len(calls) != tt.calls {
				t.Errorf("%v lines counted as written after %d calls, want %v after %d", got, len(calls), tt.taken, tt.calls)
			}
		})
	}
}
