// Package otlp sends decision lines to an OpenTelemetry collector, with the OTLP log service of gRPC or with OTLP over HTTP.
//
// Start with Open. The files grpc.go and http.go have the two ways. A line becomes one log record, whose attributes have the names of the line's fields after "portcullis.".
package otlp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
)

// The time for one attempt to send lines, the number of attempts, and the pause before the second, which doubles.
const (
	sendTimeout = 5 * time.Second
	attempts    = 3
	firstPause  = 200 * time.Millisecond
)

// Sink is a decisionlog.Sink.
type Sink struct {
	way
	resource *resourcepb.Resource
	// timeout is sendTimeout, less in tests.
	timeout time.Duration
	// ctx ends with Close, and with it an attempt that hangs.
	ctx context.Context
	end context.CancelFunc
}

// way is how lines get to a collector.
type way interface {
	// export sends a request once. The error is of the kind that transient knows, or it is final. Its text has nothing of the collector's.
	export(ctx context.Context, request *collogspb.ExportLogsServiceRequest) (*collogspb.ExportLogsServiceResponse, error)
	close() error
}

// transient marks an error after which the same lines may be sent again, as "OpenTelemetry Protocol Specification", section "Failures", says.
// A deadline of our own has taken its time already, and is final.
type transient struct{ error }

// Open returns a Sink. It connects when there is a line to send.
func Open(c decisionlog.OTLP, version string) (*Sink, error) {
	var security *tls.Config
	if c.Encrypted() {
		security = &tls.Config{MinVersion: tls.VersionTLS12}
		if c.CA != nil {
			security.RootCAs = x509.NewCertPool()
			security.RootCAs.AppendCertsFromPEM(c.CA) // Config.Validate has checked it
		}
	}
	s := &Sink{timeout: sendTimeout}
	var err error
	if c.URL != "" {
		s.way = newHTTP(&c, security, version)
	} else if s.way, err = newGRPC(&c, security, version); err != nil {
		return nil, err
	}
	s.resource = &resourcepb.Resource{Attributes: []*commonpb.KeyValue{text("service.name", "portcullis"), text("service.version", version)}}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Write implements decisionlog.Sink. It tries again if the collector cannot be reached or is busy. Lines that the collector rejects are not
// sent again.
func (s *Sink) Write(lines [][]byte) (int, error) {
	records := make([]*logspb.LogRecord, 0, len(lines))
	for _, l := range lines {
		records = append(records, record(decisionlog.Attributes(l)))
	}
	request := &collogspb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{{
		Resource: s.resource,
		ScopeLogs: []*logspb.ScopeLogs{{
			Scope: &commonpb.InstrumentationScope{Name: "portcullis/decisionlog", Version: "1"}, LogRecords: records,
		}},
	}}}
	pause := firstPause
	for n := 1; ; n++ {
		answer, err := s.send(request)
		if err == nil {
			return accepted(len(lines), answer.GetPartialSuccess())
		}
		if n == attempts || !errors.As(err, new(transient)) || !s.sleep(pause) {
			return 0, err
		}
		pause *= 2
	}
}

func (s *Sink) send(request *collogspb.ExportLogsServiceRequest) (*collogspb.ExportLogsServiceResponse, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	return s.export(ctx, request)
}

// sleep reports false if Close is called meanwhile.
func (s *Sink) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-s.ctx.Done():
		return false
	}
}

// accepted returns how many lines a collector took.
func accepted(lines int, partial *collogspb.ExportLogsPartialSuccess) (int, error) {
	lost := min(max(int(partial.GetRejectedLogRecords()), 0), lines)
	if lost == 0 {
		return lines, nil
	}
	return lines - lost, decisionlog.ErrRejected
}

// Reopen implements decisionlog.Sink.
func (*Sink) Reopen() {}

// Close implements decisionlog.Sink.
func (s *Sink) Close() error {
	s.end()
	return s.close()
}

func record(attributes []decisionlog.Attribute) *logspb.LogRecord {
	r := &logspb.LogRecord{
		ObservedTimeUnixNano: uint64(time.Now().UnixNano()),
		EventName:            "portcullis.decision",
		SeverityNumber:       logspb.SeverityNumber_SEVERITY_NUMBER_INFO,
	}
	for _, a := range attributes {
		s, _ := a.Value.(string)
		switch a.Name {
		case "time":
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
				r.TimeUnixNano = uint64(t.UnixNano())
			}
		case "level":
			if r.SeverityText = s; s == "ERROR" {
				r.SeverityNumber = logspb.SeverityNumber_SEVERITY_NUMBER_ERROR
			}
		case "msg":
			r.Body = value(s)
		default:
			r.Attributes = append(r.Attributes, &commonpb.KeyValue{Key: "portcullis." + a.Name, Value: value(a.Value)})
		}
	}
	return r
}

func text(name, s string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: name, Value: value(s)}
}

func value(v any) *commonpb.AnyValue {
	switch v := v.(type) {
	case int64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: v}}
	case []string:
		list := &commonpb.ArrayValue{}
		for _, s := range v {
			list.Values = append(list.Values, value(s))
		}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}}
	case []decisionlog.Attribute:
		object := &commonpb.KeyValueList{}
		for _, a := range v {
			object.Values = append(object.Values, &commonpb.KeyValue{Key: a.Name, Value: value(a.Value)})
		}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: object}}
	default:
		s, _ := v.(string)
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
	}
}
