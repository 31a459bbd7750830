package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/portcullis-authz/portcullis/pkg/sts"
)

// errNoSessions is returned for a configuration that --sts cannot serve.
var errNoSessions = errors.New("--sts: this portcullis issues no sessions: write iam.sessions")

// newSTS returns the server of STS, which uses the current configuration; nil without --sts.
func (p *process) newSTS() *sts.Server {
	if p.config.STS == "" {
		return nil
	}
	return sts.NewServer(sts.ServerConfig{Log: p.config.Log, Record: p.recorder.recordSTS, Names: p.certifiedNames, Current: func() (*sts.Service, func()) {
		loaded, users := p.gate.use()
		if loaded == nil {
			return nil, nil
		}
		if loaded.STS == nil {
			users.Add(-1)
			return nil, nil
		}
		return loaded.STS, func() { users.Add(-1) }
	}})
}

// serveSTS opens the port of STS.
func (p *process) serveSTS(ctx context.Context, group *errgroup.Group) (err error) {
	if p.sts == nil {
		return nil
	}
	if p.stsListener, err = listen(context.WithoutCancel(ctx), "--sts", p.config.STS); err != nil {
		return err
	}
	var t *tls.Config
	if p.tls != nil {
		t = p.tls.forSTS()
	}
	group.Go(func() error { return p.sts.Serve(p.stsListener, t) })
	return nil
}

// stopSTS closes the port and waits for the calls at work, within bounds.
func (p *process) stopSTS(ctx context.Context) {
	if p.sts == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.DrainTimeout)
	defer cancel()
	if !p.sts.Shutdown(ctx) {
		p.config.Log.Error("calls of STS were still at work at the end of --drain-timeout")
	}
}

// announceSTS prints the address, and warns if secrets cross the network in plain text.
func (p *process) announceSTS() {
	if p.stsListener == nil {
		return
	}
	if tcp, ok := p.stsListener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && p.tls == nil {
		p.config.Log.Warn("STS sends credentials in plain text beyond this machine: write --tls-cert and --tls-key, or let a proxy or mesh encrypt the connections",
			"address", address(p.stsListener))
	}
	fmt.Fprintln(p.config.Stdout, "portcullis: sts listening on", address(p.stsListener))
}

// certifiedNames are the names and addresses of the current certificate, without wildcards.
func (p *process) certifiedNames() (names []string) {
	if p.tls == nil {
		return nil
	}
	for _, c := range p.tls.sts.Load().Certificates {
		for _, name := range c.Leaf.DNSNames {
			if !strings.Contains(name, "*") {
				names = append(names, strings.ToLower(name))
			}
		}
		for _, ip := range c.Leaf.IPAddresses {
			names = append(names, ip.String())
		}
	}
	return names
}

// forSTS serves each handshake with the current certificate. It never asks for a client's certificate, which SDKs do not have:
// clients of STS show a token or sign.
func (c *certificates) forSTS() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.sts.Load(), nil },
	}
}
