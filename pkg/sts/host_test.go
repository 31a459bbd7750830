package sts

import (
	"crypto/tls"
	"net/http"
	"testing"
)

// A call is signed for one STS. Relayed to another, it is useless, although both know the key.
func TestCallsForAnotherSTS(t *testing.T) {
	const (
		local  = "127.0.0.1:40000"
		remote = "192.0.2.1:40000"
	)
	var base Config
	f := newFixture(t, func(c *Config) { base = *c })
	for _, c := range []struct {
		name         string
		hosts, certs []string
		host, peer   string
		tls          bool
		ok           bool
	}{
		{"its host", []string{"sts.shop.svc:9003"}, nil, "sts.shop.svc:9003", remote, true, true},
		{"in capitals", []string{"sts.shop.svc:9003"}, nil, "STS.shop.SVC:9003", remote, true, true},
		{"the second host", []string{"a", "b:1"}, nil, "b:1", remote, true, true},
		{"the usual port", []string{"sts.example.com"}, nil, "sts.example.com:443", remote, true, true},
		{"the usual port of another scheme", []string{"127.0.0.1:443"}, nil, "127.0.0.1:443", local, false, true},
		{"another host", []string{"sts.shop.svc:9003"}, nil, "sts.stage.svc:9003", remote, true, false},
		{"another port", []string{"sts.shop.svc:9003"}, nil, "sts.shop.svc:9004", remote, true, false},
		{"no port", []string{"sts.shop.svc:9003"}, nil, "sts.shop.svc", remote, true, false},
		{"AWS's STS", []string{"sts.shop.svc:9003"}, nil, "sts.amazonaws.com", remote, true, false},
		{"a longer host", []string{"sts.shop.svc:9003"}, nil, "evil-sts.shop.svc:9003", remote, true, false},
		{"a dot at the end", []string{"sts.example.com"}, nil, "sts.example.com.", remote, true, false},
		{"hosts replace loopback", []string{"sts.shop.svc:9003"}, nil, "127.0.0.1:9003", local, false, false},
		{"hosts replace the certificate", []string{"sts.shop.svc:9003"}, []string{"other"}, "other", remote, true, false},

		{"nothing known", nil, nil, "sts.shop.svc:9003", remote, true, false},
		{"nothing known, AWS's STS", nil, nil, "sts.eu-west-1.amazonaws.com", local, true, false},
		{"a certified name", nil, []string{"sts.shop.svc", "10.0.0.1"}, "sts.shop.svc:9003", remote, true, true},
		{"a certified name in capitals", nil, []string{"sts.shop.svc"}, "STS.SHOP.SVC", remote, true, true},
		{"a certified address", nil, []string{"sts.shop.svc", "10.0.0.1"}, "10.0.0.1:9003", remote, true, true},
		{"a certified address of IPv6", nil, []string{"2001:db8::1"}, "[2001:DB8:0::1]:9003", remote, true, true},
		{"a name that is not certified", nil, []string{"sts.shop.svc"}, "sts.stage.svc:9003", remote, true, false},
		{"a certified name in plain text", nil, []string{"sts.shop.svc"}, "sts.shop.svc:9003", remote, false, false},
		{"this machine", nil, nil, "127.0.0.1:9003", local, false, true},
		{"this machine by name", nil, nil, "localhost:9003", local, false, true},
		{"this machine by IPv6", nil, nil, "[::1]:9003", "[::1]:1", false, true},
		{"this machine without a port", nil, nil, "[::1]", "[::1]:1", false, true},
		{"the host of this machine, from elsewhere", nil, nil, "127.0.0.1:9003", remote, false, false},
		{"the name of this machine, from elsewhere", nil, nil, "localhost", remote, true, false},
		{"a name like that of this machine", nil, nil, "localhost.example.com", local, false, false},
		{"another host, from this machine", nil, nil, "10.0.0.1:9003", local, false, false},
	} {
		config := base
		config.Hosts = c.hosts
		service, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		f.config.Current = func() (*Service, func()) { return service, func() {} }
		f.config.Names = func() []string { return c.certs }
		to := func(r *http.Request) *http.Request {
			if r.Host, r.RemoteAddr = c.host, c.peer; c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			return r
		}
		for action, r := range map[string]*http.Request{"AssumeRole": post(assumeForm()), "GetSessionToken": post(form("GetSessionToken"))} {
			signed := sign(t, f.signer("AKIAALICE0000EXAMPLE"), to(r))
			if c.ok {
				f.granted(t, c.name+", "+action, signed)
			} else {
				f.refused(t, c.name+", "+action, signed, 403, SignatureDoesNotMatch, "another host")
			}
		}
		f.granted(t, c.name+", a web identity", to(post(webForm(t, nil))))
	}
	f = newFixture(t, func(config *Config) { config.Hosts = []string{"sts.shop.svc:9003"} })
	f.refused(t, "GetCallerIdentity by GET", presigned(f.signer("AKIAALICE0000EXAMPLE"), "Action=GetCallerIdentity&Version="+version), 403, SignatureDoesNotMatch, "another host")
}
