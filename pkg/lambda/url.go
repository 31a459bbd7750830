package lambda

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// URLConfig says where a function is that is invoked by HTTP: an event is posted, and the answer is 200 with what the function
// returns. The header X-Amz-Function-Error marks a function's error, as in the answers of AWS Lambda's own API; AWS's runtime
// interface emulator leaves it out, so that an answer in the shape of an error is one too.
type URLConfig struct {
	// URL is the address, http or https.
	URL string
	// Headers are sent along. Their values may be secrets and are shown to nobody.
	Headers []authz.Field
	// CA are the certificates, in PEM, of those who may vouch for the server; empty for the system's.
	CA []byte
	// Certificate and Key, in PEM, are shown to the server; empty for none.
	Certificate, Key []byte
	// Proxy is an HTTP proxy's address; empty for none, whatever the environment says.
	Proxy string
	// Connections bounds the connections to the address; zero stands for 64.
	Connections int
}

// Times and sizes of the connections to functions.
const (
	connectTimeout     = 3 * time.Second
	idleTimeout        = 50 * time.Second
	maxResponseHeader  = 64 << 10
	defaultConnections = 64
	maxConnections     = 10_000
)

// functionErrorHeader is how AWS Lambda marks a function's error.
const functionErrorHeader = "X-Amz-Function-Error"

// URL is an Invoker of a function at an address.
type URL struct {
	address string
	headers http.Header
	client  *http.Client
}

// NewURL makes a URL, or says everything that is wrong with its configuration.
func NewURL(c URLConfig) (*URL, error) {
	u := &URL{headers: http.Header{}}
	var faults []error
	u.address, faults = address("url", c.URL, faults)
	tlsConfig, faults := c.tls(faults)
	for _, h := range c.Headers {
		faults = append(faults, u.setHeader(h))
	}
	proxy, faults := c.proxy(faults)
	if c.Connections < 0 || c.Connections > maxConnections {
		faults = append(faults, fmt.Errorf("connections is %d; write 1 up to %d", c.Connections, maxConnections))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if c.Connections == 0 {
		c.Connections = defaultConnections
	}
	transport := newTransport(c.Connections)
	transport.Proxy, transport.TLSClientConfig = proxy, tlsConfig
	u.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return u, nil
}

// newTransport makes a bounded pool of connections.
func newTransport(connections int) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		ForceAttemptHTTP2:   true,
		MaxConnsPerHost:     connections, MaxIdleConnsPerHost: connections, MaxIdleConns: connections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
		DisableCompression:     true, // a few bytes must not become many
	}
}

// address checks the address of a function or a proxy. Nothing of it is shown where it may hold a password.
func address(field, text string, faults []error) (string, []error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		faults = append(faults, fmt.Errorf("%s is missing; write an address such as http://127.0.0.1:9000", field))
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		faults = append(faults, fmt.Errorf("%s is not an address; write one such as http://127.0.0.1:9000", field))
	case u.User != nil:
		faults = append(faults, fmt.Errorf("%s holds a user or a password; write it as a header", field))
	case u.Fragment != "":
		faults = append(faults, fmt.Errorf("%s has a fragment, which is not sent; take it away", field))
	}
	return text, faults
}

func (c *URLConfig) proxy(faults []error) (func(*http.Request) (*url.URL, error), []error) {
	if c.Proxy == "" {
		return nil, faults
	}
	text, faults := address("proxy", c.Proxy, faults)
	u, err := url.Parse(text)
	if err != nil {
		return nil, faults
	}
	return http.ProxyURL(u), faults
}

func (c *URLConfig) tls(faults []error) (*tls.Config, []error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if (len(c.CA) > 0 || len(c.Certificate) > 0) && !strings.HasPrefix(c.URL, "https:") {
		faults = append(faults, errors.New("certificates are given and url is not https; write https, or take them away"))
	}
	if len(c.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(c.CA) {
			faults = append(faults, errors.New("ca holds no certificate; write certificates in PEM"))
		}
	}
	if len(c.Certificate) > 0 || len(c.Key) > 0 {
		pair, err := tls.X509KeyPair(c.Certificate, c.Key)
		if err != nil {
			faults = append(faults, errors.New("certificate and key cannot be used together; write a certificate and its key, in PEM"))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, faults
}

// ownHeaders belong to the exchange itself.
var ownHeaders = []string{
	"Connection", "Content-Length", "Content-Type", "Expect", "Host", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (u *URL) setHeader(h authz.Field) error {
	name := http.CanonicalHeaderKey(h.Name)
	switch {
	case !authz.IsToken(h.Name):
		return errors.New("headers: a name is not the name of a header")
	case slices.Contains(ownHeaders, name):
		return fmt.Errorf("headers: %s belongs to the connection; take it away", name)
	case u.headers[name] != nil:
		return fmt.Errorf("headers: %s stands twice", name)
	case strings.ContainsFunc(h.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
		return fmt.Errorf("headers: the value of %s holds a control character", name)
	}
	u.headers[name] = []string{h.Value}
	return nil
}

// Invoke implements Invoker.
func (u *URL) Invoke(ctx context.Context, _ string, event []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.address, bytes.NewReader(event))
	if err != nil {
		return nil, &InvokeError{NotPermitted, "the function's url cannot be used"}
	}
	for name, values := range u.headers {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := u.client.Do(r)
	if err != nil {
		return nil, broken(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, statusError(response.StatusCode)
	}
	answer, err := readAnswer(ctx, response)
	if err != nil {
		return nil, err
	}
	if response.Header.Get(functionErrorHeader) != "" || isFunctionError(answer) {
		return nil, newFunctionError(answer)
	}
	return answer, nil
}

// Close closes the connections that nobody uses.
func (u *URL) Close() { u.client.CloseIdleConnections() }

// readAnswer reads as much as any answer may have.
func readAnswer(ctx context.Context, response *http.Response) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(http.MaxBytesReader(nil, response.Body, MaxAnswer))
	if _, large := errors.AsType[*http.MaxBytesError](err); large || n > MaxAnswer {
		return nil, errAnswerTooLarge
	}
	if err != nil {
		return nil, broken(ctx, err)
	}
	return b.Bytes(), nil
}

// broken is for an error of an exchange. Where there was no connection at all the function is unreachable; where there was, the
// event may be why it broke.
func broken(ctx context.Context, err error) error {
	failed, ok := errors.AsType[*InvokeError](unreachable(ctx, err))
	if !ok {
		return ctx.Err()
	}
	if connected(err) {
		failed.Failure = Broken
	}
	return failed
}

// connected says that an error came after there was a connection, and both sides were content with each other.
func connected(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op == "read" || op.Op == "write"
	}
	_, distrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	return !distrusted && !unknown
}

// unreachable says what is wrong with the connection. The address is left out: net/http's error has the whole of it.
func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	return &InvokeError{Unreachable, "the function cannot be reached: " + connectionProblem(err)}
}

// connectionProblem names the kinds of errors that say nothing which was sent or received.
func connectionProblem(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate is not valid for the address"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		switch {
		case op.Timeout():
			return op.Op + " timed out"
		case (op.Op == "dial" || op.Op == "remote error") && op.Err != nil:
			return op.Op + ": " + op.Err.Error()
		}
		return op.Op + " failed"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "its name is not known: " + dns.Err
	}
	return "the connection broke"
}

// statusError returns the error for a status other than 200, which a proxy or load balancer has sent.
func statusError(status int) error {
	detail := fmt.Sprintf("the function's address answered with status %d", status)
	switch {
	case status == http.StatusTooManyRequests:
		return &InvokeError{Throttled, detail}
	case status >= 500: // also of a proxy: it does not say whether the function is gone, or died of this event
		return &InvokeError{Broken, detail}
	default:
		return &InvokeError{NotPermitted, detail + "; write the address that invokes the function"}
	}
}
