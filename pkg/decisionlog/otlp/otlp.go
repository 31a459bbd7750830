// Package otlp sends decision lines to an OpenTelemetry collector, with the OTLP log service of gRPC.
//
// Start with Open. A line becomes one log record, whose attributes have the names of the line's fields after "portcullis.".
package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

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
	conn     *grpc.ClientConn
	client   collogspb.LogsServiceClient
	resource *resourcepb.Resource
	// timeout is sendTimeout, less in tests.
	timeout time.Duration
	// ctx ends with Close, and with it an attempt that hangs.
	ctx context.Context
	end context.CancelFunc
}

// Open returns a Sink. It connects when there is a line to send.
func Open(c decisionlog.OTLP, version string) (*Sink, error) {
	security := insecure.NewCredentials()
	if c.TLS {
		security = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("dns:///"+c.Address, grpc.WithTransportCredentials(security), grpc.WithUserAgent("portcullis/"+version), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, err
	}
	s := &Sink{conn: conn, client: collogspb.NewLogsServiceClient(conn), timeout: sendTimeout}
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
		if n == attempts || !transient(err) || !s.sleep(pause) {
			return 0, errors.New(status.Code(err).String()) // the text is the collector's
		}
		pause *= 2
	}
}

func (s *Sink) send(request *collogspb.ExportLogsServiceRequest) (*collogspb.ExportLogsServiceResponse, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	return s.client.Export(ctx, request)
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

// transient reports whether to try again, as "OpenTelemetry Protocol Specification", section "Failures", says. A deadline of our own has
// taken its time already.
func transient(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.OutOfRange, codes.DataLoss, codes.Canceled:
		return true
	default:
		return false
	}
}

// Reopen implements decisionlog.Sink.
func (*Sink) Reopen() {}

// Close implements decisionlog.Sink.
func (s *Sink) Close() error {
	s.end()
	return s.conn.Close()
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
