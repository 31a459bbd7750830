package jwt

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// Defaults of a Source.
const (
	defaultInterval = 15 * time.Minute
	defaultMaxAge   = 24 * time.Hour
	defaultTimeout  = 5 * time.Second

	shortestInterval = time.Second
	longestMaxAge    = 30 * 24 * time.Hour
	longestTimeout   = time.Minute
)

// Source says where an issuer's keys are. Without JWKSURI and File they are where the issuer's discovery document says
// ({issuer}/.well-known/openid-configuration).
type Source struct {
	// Issuer is the issuer's URL, exactly as it stands in the tokens.
	Issuer string
	// JWKSURI is the URL of the key set.
	JWKSURI string
	// File is a file that holds the key set. It is read again at every interval.
	File string
	// FileVersion tells one content of the file from another: the source of another version is another one, whose keys are
	// read afresh.
	FileVersion string
	// HTTP says how the issuer is reached.
	HTTP HTTPConfig
	// Interval is the time from one fetch to the next; 0 stands for 15 minutes.
	Interval time.Duration
	// MaxAge is how long after the last good fetch the keys are still used; 0 stands for 24 hours.
	MaxAge time.Duration
}

// HTTPConfig says how an issuer is reached.
type HTTPConfig struct {
	// ProxyURL is the proxy to go through; empty for what the environment says (HTTPS_PROXY, NO_PROXY).
	ProxyURL string
	// RootCAs are the certificates, in PEM, that the issuer's is verified against; nil for the system's.
	RootCAs []byte
	// Timeout bounds one fetch; 0 stands for 5 seconds.
	Timeout time.Duration
}

// complete checks a source and fills in its defaults.
func (s Source) complete() (Source, error) {
	if s.Interval == 0 {
		s.Interval = defaultInterval
	}
	if s.MaxAge == 0 {
		s.MaxAge = defaultMaxAge
	}
	if s.HTTP.Timeout == 0 {
		s.HTTP.Timeout = defaultTimeout
	}
	err := errors.Join(s.checkIssuer(), s.checkPlace(), s.checkTimes(), s.HTTP.check(), s.checkProxy())
	return s, err
}

// checkIssuer holds an issuer to what API Gateway accepts. http is let through where the keys do not depend on it.
func (s Source) checkIssuer() error {
	if err := checkURL("issuer", s.Issuer, s.JWKSURI != "" || s.File != ""); err != nil {
		return err
	}
	if len(s.Issuer) > 2048 {
		return errors.New("issuer: longer than 2,048 characters")
	}
	return nil
}

func (s Source) checkPlace() error {
	if s.JWKSURI != "" && s.File != "" {
		return errors.New("jwksUri and file: the keys are in one place; remove one of the two")
	}
	if s.JWKSURI != "" {
		return checkURL("jwksUri", s.JWKSURI, false)
	}
	return nil
}

func (s Source) checkTimes() error {
	switch {
	case s.Interval < shortestInterval || s.Interval > s.MaxAge:
		return fmt.Errorf("interval: %v is not between 1s and the keys' maximal age of %v; write %v or nothing", s.Interval, s.MaxAge, defaultInterval)
	case s.MaxAge < 0 || s.MaxAge > longestMaxAge:
		return fmt.Errorf("maxAge: %v is not between 0s and %v; write %v or nothing", s.MaxAge, longestMaxAge, defaultMaxAge)
	case s.HTTP.Timeout < 0 || s.HTTP.Timeout > longestTimeout:
		return fmt.Errorf("timeout: %v is not between 0s and %v; write %v or nothing", s.HTTP.Timeout, longestTimeout, defaultTimeout)
	}
	return nil
}

func (h HTTPConfig) check() error {
	if h.RootCAs != nil && !x509.NewCertPool().AppendCertsFromPEM(h.RootCAs) {
		return errors.New("certificate authorities: no certificate in PEM (-----BEGIN CERTIFICATE-----) among them")
	}
	if h.ProxyURL == "" {
		return nil
	}
	// A proxy's URL may hold a password: no error says it.
	u, err := url.Parse(h.ProxyURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
		return errors.New("proxy: no URL of a proxy; write one such as http://proxy.example.com:3128")
	}
	return nil
}

// checkProxy refuses a proxy on another machine for an http URL, which would mean that machine's loopback, and not ours.
func (s Source) checkProxy() error {
	place := s.JWKSURI
	if place == "" {
		place = s.Issuer
	}
	u, err := url.Parse(s.HTTP.ProxyURL)
	if s.File != "" || s.HTTP.ProxyURL == "" || err != nil || loopback(u) || !strings.HasPrefix(strings.ToLower(place), "http:") {
		return nil
	}
	return errors.New("proxy: http is believed on this machine only, and the proxy is on another; remove it, or write an https URL for the keys")
}

// checkURL wants an absolute https URL without what has no place in an issuer's; http only on this machine, or where plain
// says that it is a name and nothing more.
func checkURL(field, text string, plain bool) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return fmt.Errorf("%s: missing; write a URL such as https://id.example.com/", field)
	case err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%s: not an absolute URL; write one such as https://id.example.com/", field)
	case u.User != nil || u.Fragment != "" || strings.Contains(text, "#") || field == "issuer" && strings.Contains(text, "?"):
		return fmt.Errorf("%s: a URL without user name and fragment is wanted, an issuer's without query too", field)
	case u.Scheme == "http" && !plain && !loopback(u):
		return fmt.Errorf("%s: http is believed on this machine only; write https://%s%s", field, u.Host, u.EscapedPath())
	}
	return nil
}

func loopback(u *url.URL) bool {
	if u.Hostname() == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(u.Hostname())
	return err == nil && a.Unmap().IsLoopback()
}

// digest is equal for equal sources.
func (s Source) digest() [32]byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings, bytes and numbers
	}
	return sha256.Sum256(text)
}

const (
	discoveryPath = "/.well-known/openid-configuration"
	maxRedirects  = 3
)

// newFetcher returns what fetches the keys of a complete source.
func newFetcher(s Source) func(context.Context) (found, error) {
	if s.File != "" {
		return func(context.Context) (found, error) { return readFile(s.File) }
	}
	client := newClient(s.HTTP)
	return func(ctx context.Context) (found, error) {
		uri := s.JWKSURI
		if uri == "" {
			var err error
			if uri, err = discover(ctx, client, s.Issuer); err != nil {
				return found{}, err
			}
		}
		data, err := get(ctx, client, uri)
		if err != nil {
			return found{}, fmt.Errorf("the key set: %w", err)
		}
		return readSet(data)
	}
}

func readFile(name string) (found, error) {
	f, err := os.Open(name)
	if err != nil {
		return found{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSetBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return found{}, err
	}
	return readSet(data)
}

func newClient(h HTTPConfig) *http.Client {
	// A fetch in a quarter of an hour is not worth a connection that is kept.
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if h.RootCAs != nil {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(h.RootCAs)
	}
	if u, err := url.Parse(h.ProxyURL); err == nil && h.ProxyURL != "" {
		transport.Proxy = http.ProxyURL(u)
	}
	return &http.Client{Transport: transport, CheckRedirect: sameHost}
}

// sameHost lets a redirect pass that stays where it is: keys are taken from whom the configuration names, and from nobody whom
// that one names.
func sameHost(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if len(before) > maxRedirects || next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return errors.New("a redirect to another place, or one too many")
	}
	return nil
}

func get(ctx context.Context, client *http.Client, uri string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, errors.New("no URL")
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refusedSet(fmt.Sprintf("answered with status %d, not 200", response.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxSetBytes+1))
	if err != nil {
		return nil, withoutURL(err)
	}
	return data, nil
}

// withoutURL leaves out the URL, whose query may hold a key.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// discover asks an issuer where its keys are.
func discover(ctx context.Context, client *http.Client, issuer string) (string, error) {
	data, err := get(ctx, client, strings.TrimSuffix(issuer, "/")+discoveryPath)
	if err != nil {
		return "", fmt.Errorf("the discovery document: %w", err)
	}
	if len(data) > maxSetBytes {
		return "", refusedSet("the discovery document is larger than 150,000 bytes")
	}
	members, err := parseObject(string(data))
	if err != nil {
		return "", refusedSet("the discovery document is not a JSON object")
	}
	var named, uri string
	for _, m := range members {
		switch {
		case m.name == "issuer" && m.value.kind == text:
			named = m.value.text
		case m.name == "jwks_uri" && m.value.kind == text:
			uri = m.value.text
		}
	}
	if named != issuer {
		return "", refusedSet("the discovery document is another issuer's")
	}
	if checkURL("jwks_uri", uri, false) != nil || !mayName(issuer, uri) {
		return "", refusedSet("the discovery document names no https URL of the keys")
	}
	return uri, nil
}

// mayName says whether an issuer may have its keys at a URL: at http only if it is itself at http, on this machine.
func mayName(issuer, uri string) bool {
	return !strings.HasPrefix(strings.ToLower(uri), "http:") || strings.HasPrefix(strings.ToLower(issuer), "http:")
}
