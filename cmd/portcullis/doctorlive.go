package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/live"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
)

// liveContradiction returns an error for flags of probes that do not belong together.
func (p *patient) liveContradiction() error {
	switch {
	case p.live == "" && p.against+p.tokenFile+p.liveCA != "":
		return errors.New("--against, --admin-token-file and --live-ca belong to --live")
	case p.live == "":
		return nil
	case p.against == "" || p.tokenFile == "":
		return errors.New("--live needs --against and --admin-token-file, because a running portcullis gives out the tokens of probes")
	}
	at, err := url.Parse(p.live)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Port() == "" || at.Path != "" && at.Path != "/" || at.User != nil || at.RawQuery != "" {
		return fmt.Errorf("--live: %q is not the URL of a listener; write http://host:port or https://host:port", p.live)
	}
	return nil
}

// probe sends the probes.
func (p *patient) probe(ctx context.Context, d *dump.Dump, found []rulebook.Finding) ([]rulebook.Finding, error) {
	at, err := url.Parse(p.live)
	if err != nil {
		return nil, err
	}
	var pool *x509.CertPool
	if p.liveCA != "" {
		text, err := os.ReadFile(p.liveCA)
		if err != nil {
			return nil, err
		}
		if pool = x509.NewCertPool(); !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--live-ca: %s has no certificate", p.liveCA)
		}
	}
	l := live.Live{URL: at, Tokens: p.tokens, Transport: func(serverName string) http.RoundTripper {
		return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: serverName}, DisableKeepAlives: true}
	}}
	return live.Probe(ctx, d, p.options.Config, l, found)
}

// tokens asks the running portcullis for tokens.
func (p *patient) tokens(ctx context.Context, n int) ([]string, error) {
	data, err := askAdmin(ctx, p.against, p.tokenFile, fmt.Sprintf("/probes?count=%d", n), nil)
	if err != nil {
		return nil, err
	}
	var tokens []string
	if json.Unmarshal(data, &tokens) != nil {
		return nil, errors.New("the answer has no tokens; is it the admin port of this version of portcullis?")
	}
	return tokens, nil
}
