package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// doctor runs portcullis doctor in a folder, and returns the rules that it names, and what it prints.
func doctor(t *testing.T, dir string, args ...string) (rules []string, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, portcullis(t), append([]string{"doctor", "-o", "json"}, args...)...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	failed := cmd.Run()
	var d struct {
		Envoy    string
		Findings []struct{ Rule, Severity string }
	}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), errs.String())
	}
	wrong := false
	for _, f := range d.Findings {
		wrong = wrong || f.Severity == "wrong"
		if !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	if wrong != (failed != nil) {
		t.Errorf("%v, with %v", failed, rules)
	}
	return rules, out.String()
}

// finds insists on rules, and on no others.
func finds(t *testing.T, dir string, want []string, args ...string) {
	t.Helper()
	got, text := doctor(t, dir, args...)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v:\n%s", got, want, text)
	}
}

// probed is a stack whose portcullis gives out tokens, and the arguments that examine and probe it.
func probed(t *testing.T, c setup) (*stack, []string) {
	t.Helper()
	c.config = strings.Replace(meshed, "GET /health", "GET /open", 1)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(adminToken), 0o600); err != nil {
		t.Fatal(err)
	}
	c.files = map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}
	c.printed, c.flags = append([]string{}, c.printed...), []string{"--admin-token-file", token}
	s := start(t, c)
	return s, []string{"--envoy", s.envoy.Admin(), "--config", "portcullis.yaml", "--live", "http://" + s.addr, "--against", s.portcullis.Admin, "--admin-token-file", token}
}

// Nothing is found in a running Envoy with what portcullis envoy prints, and no probe reaches the upstream.
func TestDoctorOfPrinted(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		s, args := probed(t, setup{envoy: bin})
		finds(t, s.dir, nil, args...)
		if seen := s.upstream.Take(); len(seen) > 0 {
			t.Errorf("the upstream has seen %d requests", len(seen))
		}
		s.allowed(t, s.get(t, "/open"))
	})
}

// Values that a dump does not show are found by probes.
func TestDoctorProbes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		old, new string
		want     []string
	}{
		"another stage":        {`portcullis.stage: "prod"`, `portcullis.stage: "test"`, []string{"probe-api"}},
		"another API":          {`portcullis.api: "a1b2c3d4e5"`, `portcullis.api: "b1b2c3d4e5"`, []string{"probe-api"}},
		"another base path":    {`portcullis.basePath: "/"`, `portcullis.basePath: "/pets"`, []string{"probe-api"}},
		"a value that is none": {`portcullis.secureTransport: "false"`, `portcullis.secureTransport: "yes"`, []string{"probe-refused"}},
		"a text body":          {`pack_as_bytes: true`, `pack_as_bytes: false`, []string{"body-text", "probe-body"}},
		"a slash":              {`KEEP_UNCHANGED`, `UNESCAPE_AND_FORWARD`, []string{"escaped-slashes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, args := probed(t, setup{change: func(_, bootstrap string) string {
				for _, quote := range []string{`"`, ""} { // quoted or not
					if old := strings.ReplaceAll(tc.old, `"`, quote); strings.Contains(bootstrap, old) {
						return strings.ReplaceAll(bootstrap, old, tc.new)
					}
				}
				t.Fatalf("the bootstrap does not contain %s", tc.old)
				return ""
			}})
			finds(t, s.dir, tc.want, args...)
			if seen := s.upstream.Take(); len(seen) > 0 {
				t.Errorf("the upstream has seen %d requests", len(seen))
			}
		})
	}
}

// A token makes a probe of one request. Without a live one the header has no effect, and an open route that is probed is not reached.
func TestProbeIsNeverForwarded(t *testing.T) {
	t.Parallel()
	s, _ := probed(t, setup{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.portcullis.Admin+"/probes?count=1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var tokens []string
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil || len(tokens) != 1 {
		t.Fatalf("%v, %q", err, tokens)
	}
	s.allowed(t, s.get(t, "/open", "X-Portcullis-Probe: another"))
	answer := s.get(t, "/open", "X-Portcullis-Probe: "+tokens[0])
	s.denied(t, answer, 403)
	if !strings.Contains(answer.body, `"portcullis.api":"a1b2c3d4e5"`) {
		t.Errorf("%s", answer.body)
	}
	s.allowed(t, s.get(t, "/open", "X-Portcullis-Probe: "+tokens[0]))
}

// While a connection keeps the filters of an older configuration, the doctor says so.
func TestDoctorFindsDraining(t *testing.T) {
	t.Parallel()
	var bootstrap string
	s, args := probed(t, setup{change: func(dir, printed string) string {
		bootstrap = printed
		doc := mapping(t, documents(t, printed)[0])
		listener := mapping(t, mapping(t, doc["static_resources"])["listeners"].([]any)[0])
		chain := mapping(t, listener["filter_chains"].([]any)[0])
		manager := mapping(t, mapping(t, chain["filters"].([]any)[0])["typed_config"])
		manager["http_filters"] = manager["http_filters"].([]any)[1:]
		return byFiles(t, dir, marshal(t, doc), true)
	}})
	static := args[:4]
	finds(t, s.dir, []string{"no-ext-authz"}, static...)
	old := s.connect(t, 1)
	byFiles(t, s.dir, bootstrap, true)
	eventually(t, "the doctor finds that connections drain", func() bool {
		rules, _ := doctor(t, s.dir, static...)
		return slices.Equal(rules, []string{"draining"})
	})
	(*old)[0].Close()
}
