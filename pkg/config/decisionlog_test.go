package config

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

func TestDecisionLog(t *testing.T) {
	unset := decisionlog.Sampling{Allowed: -1, Denied: -1, Errors: -1}
	dir := t.TempDir()
	for _, tt := range []struct {
		yaml string
		want *decisionlog.Config
	}{
		{"", nil},
		{"decisionLog: {}\n", &decisionlog.Config{Log: true, Sampling: unset}},
		{"decisionLog: {stdout: true, sampling: {allowed: 0}}\n", &decisionlog.Config{Stdout: true, Sampling: decisionlog.Sampling{Allowed: 0, Denied: -1, Errors: -1}}},
		{"decisionLog: {file: {path: log/d.jsonl}, audit: REQUIRED}\n", &decisionlog.Config{
			File: &decisionlog.File{Path: filepath.Join(dir, "log/d.jsonl"), MaxBytes: 100 << 20, Keep: 5}, Sampling: unset, Required: true,
		}},
		{"decisionLog: {file: {path: /var/log/d, maxBytes: 1048576, keep: 0}, otlp: {address: 'otel:4317', tls: true}, fields: {requestHeaders: [User-Agent], queryParameters: [Page], claims: [sub]}}\n", &decisionlog.Config{
			File: &decisionlog.File{Path: "/var/log/d", MaxBytes: 1 << 20}, OTLP: &decisionlog.OTLP{Address: "otel:4317", TLS: true}, Sampling: unset,
			Fields: decisionlog.Fields{Headers: []string{"user-agent"}, Query: []string{"Page"}, Claims: []string{"sub"}},
		}},
	} {
		path := filepath.Join(dir, "portcullis.yaml")
		write(t, path, []byte(good+tt.yaml))
		s, err := Load(path, pool.Dry())
		if err != nil {
			t.Errorf("%s: %v", tt.yaml, err)
			continue
		}
		if diff := cmp.Diff(tt.want, s.DecisionLog); diff != "" {
			t.Errorf("%s(-want +got):\n%s", tt.yaml, diff)
		}
		s.Close()
	}
}
