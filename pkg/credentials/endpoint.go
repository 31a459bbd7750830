package credentials

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"
)

const (
	// early is how long before their end credentials are replaced. SDKs ask again when 5 to 15 minutes are left.
	early = 20 * time.Minute
	// pauseAfterFailure is how long a failure is answered without another attempt.
	pauseAfterFailure = 2 * time.Second
	getTime           = 30 * time.Second
	minToken          = 16
)

// Endpoint serves credentials as the container-credentials endpoint of ECS and EKS does ("Container credential provider", AWS SDKs and Tools
// Reference Guide). It is safe for concurrent use.
type Endpoint struct {
	get     func(context.Context) (*Credentials, error)
	token   string
	failure func(error)

	// turn is held by the caller that uses what follows. It is a channel, because tests with a clock of their own cannot wait for a mutex.
	turn   chan struct{}
	kept   *Credentials
	failed error
	next   time.Time // of the next attempt after a failure
}

// NewEndpoint returns an Endpoint for callers who send a token as Authorization; an empty token admits nobody. get returns new credentials,
// and failure is called with the error of each attempt that fails.
func NewEndpoint(token string, get func(context.Context) (*Credentials, error), failure func(error)) *Endpoint {
	return &Endpoint{token: token, get: get, failure: failure, turn: make(chan struct{}, 1)}
}

// ServeHTTP implements http.Handler.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case e.token == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(e.token)) != 1:
		refuse(w, http.StatusUnauthorized, "Unauthorized", "the request has no Authorization header with the token of this endpoint")
		return
	case r.URL.Path != "/":
		refuse(w, http.StatusNotFound, "NotFound", "the credentials are at /")
		return
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "the method is GET")
		return
	}
	c, err := e.current() //nolint:contextcheck // the answer is for every caller that waits
	if err != nil {
		refuse(w, http.StatusBadGateway, "CredentialsUnavailable", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{ // the caller has gone
		"AccessKeyId": c.AccessKeyID, "SecretAccessKey": c.SecretAccessKey, "Token": c.SessionToken, "Expiration": c.Expiration.Format(time.RFC3339),
	})
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "message": message}) // the caller has gone
}

// current returns credentials that last. All callers wait for one attempt. Credentials that are about to end are better than none.
func (e *Endpoint) current() (*Credentials, error) {
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	now := time.Now()
	if e.kept != nil && now.Before(e.kept.Expiration.Add(-early)) {
		return e.kept, nil
	}
	if now.Before(e.next) {
		return e.remaining(now)
	}
	// The attempt is for all who wait, so that it does not end with the first of them.
	ctx, cancel := context.WithTimeout(context.Background(), getTime)
	defer cancel()
	c, err := e.get(ctx)
	if err != nil {
		e.failed, e.next = err, time.Now().Add(pauseAfterFailure)
		e.failure(err)
		return e.remaining(time.Now())
	}
	e.kept, e.failed, e.next = c, nil, time.Time{}
	if !time.Now().Before(c.Expiration.Add(-early)) { // short credentials: not with each request
		e.next = time.Now().Add(pauseAfterFailure)
	}
	return c, nil
}

// remaining returns credentials that have not ended, or the last error.
func (e *Endpoint) remaining(now time.Time) (*Credentials, error) {
	if e.kept != nil && now.Before(e.kept.Expiration) {
		return e.kept, nil
	}
	if e.failed == nil {
		return nil, errors.New("the credentials have expired")
	}
	return nil, e.failed
}

// Listen listens on a loopback address.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is not host:port", address)
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%q is not a loopback address: write 127.0.0.1 or [::1], and a port", address)
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}

// Serve serves an Endpoint until ctx ends.
func (e *Endpoint) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: e, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		WriteTimeout: getTime + 5*time.Second,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Token reads the token of a file. It makes the file, with a token and for its owner alone, if it does not exist.
func Token(name string) (string, error) {
	made := rand.Text() + rand.Text()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		_, err = f.WriteString(made)
		return made, errors.Join(err, f.Close())
	case !errors.Is(err, os.ErrExist):
		return "", err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if len(token) < minToken || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("%s does not have a token of one line with %d characters or more: remove the file, and another is made", name, minToken)
	}
	return token, nil
}
