package main

import (
	"io"
	"strings"
	"testing"
)

// Every command exits with 2 after a usage error, and with 1 for a faulty configuration.
func TestExitCodes(t *testing.T) {
	for args, want := range map[string]int{
		"": 2, "sevre": 2, "help": 0, "--help": 0, "--version": 0, "-version": 0, "version 1": 2,
		"serve portcullis.yaml": 2, "validate --strct": 2, "validate --config testdata/missing.yaml": 1,
		"envoy --for nginx": 2, "envoy --max-request-bytes 1e6": 2, "envoy --timeout 5": 2, "envoy --secure-transport yes": 2, "envoy --tls-cert a.pem": 2,
		"envoy --listen localhost:80": 2, "envoy --private-listen 80": 2, "envoy --admin 0.0.0.0:9901": 2, "envoy --upstream http://a:1": 2, "envoy --upstream a1b2c3d4e5=b": 2, "envoy --portcullis x": 2,
		"envoy --portcullis 127.0.0.1:1 --portcullis-ca ca.pem": 2, "envoy --for istio --portcullis 127.0.0.1:1": 2, "envoy --for istio --istio-namespace A_b": 2, "envoy --for istio --istio-selector app": 2,
		"envoy --for istio --istio-callers cluster.local/ns/a/sa/b": 2, "envoy --for istio --istio-callers spiffe://a/b --istio-portcullis-selector app": 2,
		"envoy --config testdata/missing.yaml": 1, "serve --drain-delay 5": 2, "serve --admin-token-file testdata/missing": 2, "simulate --nothing": 2,
	} {
		if got := run(strings.Fields(args), io.Discard, io.Discard); got != want {
			t.Errorf("portcullis %s: exit code %d, want %d", args, got, want)
		}
	}
}
