package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const alertsFile = chart + "/files/alerts.yaml"

// alert is one rule of alertsFile.
type alert struct{ Alert, Expr string }

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var rules struct{ Groups []struct{ Rules []alert } }
	must(t, yaml.Unmarshal([]byte(read(t, alertsFile)), &rules))
	for _, g := range rules.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 10 {
		t.Fatalf("%d alerts", len(all))
	}
	return all
}

// promtool's own tests have, for each alert, a case in which it fires and one in which it does not.
func TestAlertsFireWhenTheyMust(t *testing.T) {
	t.Parallel()
	bin, dir := envoytest.RequirePrometheus(t), t.TempDir()
	for name, file := range map[string]string{"alerts.yaml": alertsFile, "alerts_test.yaml": "testdata/alerts_test.yaml"} {
		save(t, dir, name, []byte(read(t, file)))
	}
	if out, err := command(t, filepath.Join(bin, "promtool"), "test", "rules", filepath.Join(dir, "alerts_test.yaml")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	var cases struct {
		Tests []struct {
			Cases []struct {
				Alertname string
				Expected  []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	must(t, yaml.Unmarshal([]byte(read(t, "testdata/alerts_test.yaml")), &cases))
	fires, rests := map[string]int{}, map[string]int{}
	for _, group := range cases.Tests {
		for _, c := range group.Cases {
			if len(c.Expected) > 0 {
				fires[c.Alertname]++
			} else {
				rests[c.Alertname]++
			}
		}
	}
	for _, a := range alerts(t) {
		if fires[a.Alert] == 0 || rests[a.Alert] == 0 {
			t.Errorf("%s: %d cases in which it fires, %d in which it does not", a.Alert, fires[a.Alert], rests[a.Alert])
		}
	}
}

// A changed alert fails its cases: without this, promtool might look at nothing.
func TestAlertsTestsSeeAChange(t *testing.T) {
	t.Parallel()
	bin, dir := envoytest.RequirePrometheus(t), t.TempDir()
	changed := regexp.MustCompile(`portcullis_jwks_keys\) == 0`).ReplaceAllString(read(t, alertsFile), "portcullis_jwks_keys) > 0")
	save(t, dir, "alerts.yaml", []byte(changed))
	save(t, dir, "alerts_test.yaml", []byte(read(t, "testdata/alerts_test.yaml")))
	if out, err := command(t, filepath.Join(bin, "promtool"), "test", "rules", filepath.Join(dir, "alerts_test.yaml")); err == nil {
		t.Errorf("promtool accepts another alert:\n%s", out)
	}
}

var runbookRow = regexp.MustCompile("(?m)^\\| `(Portcullis[A-Za-z]+)` \\|")

// The runbook says what to do for each alert, and names no other.
func TestRunbookHasEveryAlert(t *testing.T) {
	var want, got []string
	for _, a := range alerts(t) {
		want = append(want, a.Alert)
	}
	for _, row := range runbookRow.FindAllStringSubmatch(read(t, "../pkg/server/README.md"), -1) {
		got = append(got, row[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-) and the runbook (+):\n%s", diff)
	}
}

// expressions returns those of the dashboard, which Grafana's own schema decodes.
func expressions(t *testing.T, file string) (string, error) {
	t.Helper()
	path, err := filepath.Abs(file)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", path)
	cmd.Dir, cmd.Env = "../hack/dashboard", append(os.Environ(), "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Grafana's schema accepts the dashboard, and not one with a field that it does not know.
func TestDashboardIsStrictlyDecoded(t *testing.T) {
	t.Parallel()
	if out, err := expressions(t, "dashboard.json"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	for _, field := range []string{"legendFormat", "unit", "gridPos", "refresh", "schemaVersion", "expr"} {
		save(t, dir, "dashboard.json", regexp.MustCompile(`"`+field+`":`).ReplaceAll([]byte(read(t, "dashboard.json")), []byte(`"`+field+`s":`)))
		if _, err := expressions(t, filepath.Join(dir, "dashboard.json")); err == nil {
			t.Errorf("%ss is accepted in place of %s", field, field)
		}
	}
}
