package otlp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
)

// maxAnswer limits what is read of a collector's answer.
const maxAnswer = 64 << 10

// byHTTP sends lines with HTTP, as protobuf messages.
type byHTTP struct {
	client  *http.Client
	url     string
	headers http.Header
}

func newHTTP(c *decisionlog.OTLP, security *tls.Config, version string) *byHTTP {
	h := &byHTTP{url: c.URL, headers: http.Header{"Content-Type": {"application/x-protobuf"}, "User-Agent": {"portcullis/" + version}}}
	for _, f := range c.Headers {
		h.headers.Set(f.Name, f.Value)
	}
	h.client = &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: security, ForceAttemptHTTP2: true, MaxConnsPerHost: 1, IdleConnTimeout: time.Minute,
		},
		// The headers may be credentials: another address must not get them.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h
}

func (h *byHTTP) export(ctx context.Context, request *collogspb.ExportLogsServiceRequest) (*collogspb.ExportLogsServiceResponse, error) {
	body, err := proto.Marshal(request)
	if err != nil {
		return nil, errors.New("the lines cannot be written as protobuf")
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the URL cannot be used")
	}
	post.Header = h.headers.Clone()
	response, err := h.client.Do(post)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errors.New("the collector does not answer in time")
	case err != nil:
		return nil, transient{errors.New("the collector cannot be reached")}
	}
	defer response.Body.Close()
	return answerOf(response)
}

// answerOf reads an answer. One that is not a message counts as if it accepted all lines, as its status says.
func answerOf(response *http.Response) (*collogspb.ExportLogsServiceResponse, error) {
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		answer := &collogspb.ExportLogsServiceResponse{}
		if err != nil || response.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(data, answer) != nil {
			return &collogspb.ExportLogsServiceResponse{}, nil
		}
		return answer, nil
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return nil, transient{fmt.Errorf("HTTP status %d", code)}
	default:
		return nil, fmt.Errorf("HTTP status %d", code)
	}
}

func (h *byHTTP) close() error {
	h.client.CloseIdleConnections()
	return nil
}
