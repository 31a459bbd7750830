package jwt

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
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
