package main

import (
	"io"
	"strings"
	"testing"
)

// A wrong question ends with 2, whichever command it is for, and a configuration at fault with 1.
func TestExitCodes(t *testing.T) {
	for args, want := range map[string]int{
		"": 2, "sevre": 2, "help": 0, "--help": 0, "--version": 0, "-version": 0, "version 1": 2,
		"validate portcullis.yaml": 2, "validate --strct": 2, "validate --config testdata/missing.yaml": 1,
		"envoy --for nginx": 2, "envoy --max-request-bytes 1e6": 2, "envoy --timeout 5": 2, "envoy --secure-transport yes": 2, "envoy --tls-cert a.pem": 2,
		"envoy --config testdata/missing.yaml": 1, "serve --drain-delay 5": 2, "serve --admin-token-file testdata/missing": 2, "simulate --nothing": 2,
	} {
		if got := run(strings.Fields(args), io.Discard, io.Discard); got != want {
			t.Errorf("portcullis %s: exit code %d, want %d", args, got, want)
		}
	}
}
