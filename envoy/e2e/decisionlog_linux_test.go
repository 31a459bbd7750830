package e2e

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDecisionLogIsRequired reads the lines of a required audit while the requests are answered, and fills the disk.
func TestDecisionLogIsRequired(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: pets + `
decisionLog:
  file: {path: decisions.jsonl}
  fields: {requestHeaders: [User-Agent], queryParameters: [page]}
  audit: REQUIRED
`})
	get := func(target string) answer {
		return s.send(t, "GET "+target+" HTTP/1.1\r\nHost: pets.example.com\r\nUser-Agent: <b>\u202e\r\nAuthorization: Bearer s3cr3t\r\nCookie: s=s3cr3t\r\n\r\n")
	}
	s.allowed(t, get("/pets/7?page=2&token=s3cr3t"))
	denied := get("/admin?token=s3cr3t")
	lines := s.decisions(t)
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2", len(lines))
	}
	for i, want := range []map[string]any{
		{"decision": "allow", "reason": "allowed", "step": "pass", "path": "/pets/7", "route": "GET /pets/{petId}", "client": "127.0.0.1", "host": "pets.example.com", "method": "GET"},
		{"decision": "deny", "reason": "explicit_deny", "step": "decision", "status": 403.0, "path": "/admin", "policy": "resource-policy", "statement": "NoAdmin", "request_id": denied.header.Get("x-amzn-requestid")},
	} {
		for name, value := range want {
			if lines[i][name] != value {
				t.Errorf("line %d: %s is %v, want %v", i, name, lines[i][name], value)
			}
		}
	}
	if lines[0]["headers"].(map[string]any)["user-agent"] != "<b>\u202e" || lines[0]["query"].(map[string]any)["page"] != "2" {
		t.Errorf("chosen fields: %v", lines[0])
	}
	s.limitFiles(t, 10)
	if a := get("/pets/7"); a.status != 500 {
		t.Errorf("a request was answered with %d although its decision could not be recorded", a.status)
	}
	s.limitFiles(t, math.MaxUint64)
	s.allowed(t, get("/pets/7"))
}

// decisions are the lines of the decision log, without secrets and without anything that a terminal interprets.
func (s *stack) decisions(t *testing.T) (lines []map[string]any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, "decisions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "s3cr3t") || strings.ContainsAny(string(data), "\u202e<>") {
		t.Errorf("the log has what it must not have: %q", data)
	}
	for l := range strings.Lines(string(data)) {
		var line map[string]any
		if err := json.Unmarshal([]byte(l), &line); err != nil {
			t.Fatalf("%v: %q", err, l)
		}
		lines = append(lines, line)
	}
	return lines
}

// limitFiles bounds the files that portcullis writes, as a full disk does.
func (s *stack) limitFiles(t *testing.T, size uint64) {
	t.Helper()
	if err := unix.Prlimit(s.portcullis.Pid(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: math.MaxUint64}, nil); err != nil {
		t.Fatal(err)
	}
}
