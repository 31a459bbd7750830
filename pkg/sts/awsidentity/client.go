package awsidentity

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

const (
	// maxAsking is how many calls may wait for AWS. A client address may hold a half of the free places.
	maxAsking = 64
	askTime   = 5 * time.Second
	maxAnswer = 16 << 10
	// maxUsed is how many signatures are remembered, at some 100 bytes each.
	maxUsed = 100_000
)

// Client asks AWS's STS. A process has one, which outlives configurations. It is safe for concurrent use.
type Client struct {
	http   *http.Client
	places *bulkhead.Tree

	mu sync.Mutex
	// used has the signatures that AWS has accepted, with the end of their URLs. swept is when it was last rid of old ones.
	used  map[[32]byte]time.Time
	swept time.Time
}

// NewClient returns a Client.
func NewClient() *Client {
	return &Client{
		places: bulkhead.New(bulkhead.Shares{Name: "sts_aws", Levels: []string{"client"}, Limit: maxAsking}),
		used:   map[[32]byte]time.Time{},
		http: &http.Client{
			Timeout: askTime,
			// The answer of another address would not be AWS's.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment, // as every AWS SDK does
				DialContext:         (&net.Dialer{Timeout: askTime}).DialContext,
				TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout: askTime, MaxConnsPerHost: maxAsking, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
				MaxResponseHeaderBytes: 32 << 10, DisableCompression: true, ForceAttemptHTTP2: true,
			},
		},
	}
}

// Close closes idle connections.
func (c *Client) Close() {
	if c != nil {
		c.http.CloseIdleConnections()
	}
}

// Samples returns the metrics of the calls that wait.
func (c *Client) Samples() []authz.Sample {
	if c == nil {
		return nil
	}
	return c.places.Samples()
}

var (
	errBusy     = errors.New("too many calls wait for AWS")
	errReplayed = errors.New("the URL was used before: presign another one")
	errFull     = errors.New("too many URLs were used in the last minutes")
)

// refusedByAWS is the error of an answer that is AWS's own refusal. Code is AWS's.
type refusedByAWS struct{ code string }

func (r *refusedByAWS) Error() string { return "AWS answered " + r.code }

// unreachable is the error of an answer that is missing, or not one of AWS's STS.
type unreachable struct{ problem string }

func (u *unreachable) Error() string { return "AWS STS " + u.problem }

// ask sends a URL, with the origin that it is bound to, and returns the answer.
func (c *Client) ask(ctx context.Context, p *presigned, origin string, client netip.Addr, now time.Time) (*callerIdentity, error) {
	place, ok := c.places.Enter(1, bulkhead.NewID("client", client.String()))
	if !ok {
		return nil, errBusy
	}
	defer place.Leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url(), http.NoBody)
	if err != nil {
		return nil, &unreachable{"has no valid URL"} // the error has the URL
	}
	r.Header = http.Header{"Accept": {"application/json"}, http.CanonicalHeaderKey(Header): {origin}, "User-Agent": {""}}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, &unreachable{"cannot be reached: " + cause(err)}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	mediaType, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return nil, &unreachable{"did not finish its answer"}
	case len(body) > maxAnswer:
		return nil, &unreachable{"sent a long answer"}
	case answer.StatusCode/100 == 4 && answer.StatusCode != http.StatusTooManyRequests:
		return nil, refusal(body)
	case answer.StatusCode != http.StatusOK:
		return nil, &unreachable{fmt.Sprint("answered with the status ", answer.StatusCode)}
	case mediaType != "application/json":
		return nil, &unreachable{"did not answer in JSON"}
	}
	caller, err := readAnswer(body)
	if err != nil {
		return nil, err
	}
	return caller, c.use(p, now)
}

// cause describes an error of net/http without the URL, which holds a signature and perhaps a session token.
func cause(err error) string {
	dns, timeout := (*net.DNSError)(nil), net.Error(nil)
	switch {
	case errors.As(err, &dns):
		return "its name is not found"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it took too long"
	case errors.Is(err, context.Canceled):
		return "the caller has gone"
	}
	return fmt.Sprintf("an error of the type %T", errors.Unwrap(err))
}

// use notes that a URL was accepted. It fails for one that was accepted before.
func (c *Client) use(p *presigned, now time.Time) error {
	signature := sha256.Sum256([]byte(p.signature()))
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, replayed := c.used[signature]; replayed {
		return errReplayed
	}
	if len(c.used) >= maxUsed || now.Sub(c.swept) > maxAge {
		c.sweep(now)
	}
	if len(c.used) >= maxUsed {
		return errFull
	}
	c.used[signature] = p.expires
	return nil
}

// sweep forgets URLs that are too old. A full memory is swept once a second at most.
func (c *Client) sweep(now time.Time) {
	if now.Sub(c.swept) < time.Second {
		return
	}
	c.swept = now
	for signature, expires := range c.used {
		if !now.Before(expires) {
			delete(c.used, signature)
		}
	}
}
