package jwt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

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
