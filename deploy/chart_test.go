package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const chart = "helm/portcullis"

// mesh leaves a test out that needs more than Go and the parts of the other tests.
func mesh(t *testing.T) {
	t.Helper()
	if os.Getenv("E2E_MESH") == "" {
		t.Skip("run it with make e2e-mesh, which installs what it needs with deploy/tools.sh, or with E2E_MESH=1")
	}
}

// tool is the folder of what deploy/tools.sh installs.
func tool(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "./tools.sh", "folder", name).Output()
	must(t, err)
	dir := strings.TrimSpace(string(out))
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("no %s: deploy/tools.sh %s installs it", name, name)
	}
	return dir
}

// command runs a program; what it wrote comes back even if it fails.
func command(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	return string(out), err
}

func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return command(t, filepath.Join(tool(t, "helm"), "helm"), args...)
}

// rendered returns the resources of the chart for the values of a variant.
func rendered(t *testing.T, name string, flags ...string) string {
	t.Helper()
	out, err := helm(t, append([]string{"template", "pets", chart, "--namespace", "shop", "--values", filepath.Join(chart, "ci", name+"-values.yaml")}, flags...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

func variants(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*-values.yaml")
	must(t, err)
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), "-values.yaml"))
	}
	if len(names) < 5 {
		t.Fatalf("only %v", names)
	}
	return names
}

// Each variant of the chart passes Helm's own checks, Kubernetes' schemas and those of the committed manifests.
func TestChart(t *testing.T) {
	mesh(t)
	dir := t.TempDir()
	pattern := schemas(t, dir)
	for _, name := range variants(t) {
		t.Run(name, func(t *testing.T) {
			if out, err := helm(t, "lint", "--strict", chart, "--values", filepath.Join(chart, "ci", name+"-values.yaml")); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			text := rendered(t, name)
			if out, err := conforms(t, pattern, text); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			m := parse(t, []byte(text))
			checkLockedDown(t, m)
			checkFit(t, m)
			checkServes(t, m)
		})
	}
	for _, name := range []string{"central", "sidecar", "workload"} {
		t.Run("manifests of "+name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join("kubernetes", name, "*.yaml"))
			must(t, err)
			for _, f := range files {
				if out, err := conforms(t, pattern, read(t, f)); err != nil {
					t.Errorf("%s: %v\n%s", f, err, out)
				}
			}
		})
	}
	t.Run("what does not conform", func(t *testing.T) {
		good := rendered(t, "iam-redis")
		if out, err := conforms(t, pattern, good); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for old, new := range map[string]string{
			"automountServiceAccountToken: false\n      enable": "automountServiceAccountTokens: false\n      enable",
			"failureThreshold: 60":                              "failureThreshold: often",
			"path: /metrics":                                    "pathes: /metrics",
			"minReplicas: 2":                                    "minReplica: 2",
			"kind: NetworkPolicy":                               "kind: NetworkPolice",
		} {
			bad := strings.Replace(good, old, new, 1)
			if out, err := conforms(t, pattern, bad); err == nil || bad == good {
				t.Errorf("%s passes as %s:\n%s", old, new, out)
			}
		}
	})
}

func conforms(t *testing.T, pattern, text string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(tool(t, "kubeconform"), "kubeconform"), "-summary", "-schema-location", pattern)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// checkServes has the program read the flags that a variant sets, and the configuration that it holds.
func checkServes(t *testing.T, m manifests) {
	t.Helper()
	dir := t.TempDir()
	config := string(mounted(t, m, dir)["config"])
	if _, err := os.Stat(filepath.Join(config, "portcullis.yaml")); err == nil {
		if out, err := command(t, program(t), "validate", "--config", filepath.Join(config, "portcullis.yaml")); err != nil {
			t.Errorf("validate: %v\n%s", err, out)
		}
	}
	// Flags that cannot be read or do not fit together end the program before the configuration is missed.
	p := m.pod(t)
	args := slices.Clone(p.container(t, "portcullis").Args)
	for i, arg := range args {
		if strings.HasPrefix(arg, "--config=") {
			args[i] = "--config=" + filepath.Join(dir, "missing.yaml")
		}
		if strings.HasPrefix(arg, "--listen=") || strings.HasPrefix(arg, "--admin=:") || strings.HasPrefix(arg, "--sts=:") {
			args[i], _, _ = strings.Cut(arg, "=")
			args[i] += "=127.0.0.1:0"
		}
		if strings.HasPrefix(arg, "--admin-token-file=") {
			token := filepath.Join(dir, "token")
			must(t, os.WriteFile(token, []byte("0123456789abcdef"), 0o600))
			args[i] = "--admin-token-file=" + token
		}
		if name, value, _ := strings.Cut(arg, "="); strings.HasPrefix(name, "--tls-") {
			args[i] = name + "=" + filepath.Join(dir, value)
		}
	}
	out, err := command(t, program(t), args...)
	if err == nil || strings.Contains(out, "lists the flags") || !strings.Contains(out, "missing.yaml") && !strings.Contains(out, "tls.crt") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What could not work, or would leave an API to chance, is refused with what to write instead.
func TestChartRefuses(t *testing.T) {
	mesh(t)
	const example = "config.example=true"
	for set, want := range map[string]string{
		"":                                      "set one of config.files",
		example + ",config.existingConfigMap=a": "set one of config.files",
		"config.files.a=b":                      "portcullis.yaml is missing",
		example + ",replica=3":                  "additional properties 'replica' not allowed",
		example + ",flags.listen=:80":           "additional properties 'listen' not allowed",
		example + ",flags.log-level=loud":       "value must be one of",
		example + ",flags.max-checks=many":      "want integer",
		example + ",tls.verifyClients=true":     "tls.verifyClients needs tls.existingSecret",
		example + ",sts.enabled=true":           "set tls.existingSecret, or sts.plainText=true",
		example + ",mode=sidecar,sts.enabled=true,sts.plainText=true": "a central portcullis serves STS",
		example + ",secrets.existingSecret=a,secrets.files.b=c":       "set either secrets.existingSecret or secrets.files",
		example + ",mode=daemon":                                      "value must be one of",
		example + ",mode=sidecar":                                     "sidecar.containers: write the application's containers",
		"config.existingConfigMap=a,mode=sidecar,sidecar.containers[0].name=a,sidecar.containers[0].image=b": "sidecar.envoy: set bootstrap to what",
		example + ",volumeMounts[0].name=a,volumeMounts[0].mountPath=/a,volumeMounts[0].subPath=b":           "'not' failed",
		example + ",networkPolicy.clients[0].podSelectors=a":                                                 "additional properties 'podSelectors' not allowed",
		example + ",drain.delaySeconds=5s":                                                                   "want integer",
		example + ",image.digest=sha256:1":                                                                   "does not match pattern",
	} {
		t.Run(set, func(t *testing.T) {
			out, err := helm(t, "template", "pets", chart, "--set", set)
			if err == nil || !strings.Contains(out, want) {
				t.Errorf("%v, want %q\n%s", err, want, out)
			}
		})
	}
}

// Files come in by --set-file as they are, and numbers as the program's flags read them.
func TestChartKeepsTexts(t *testing.T) {
	mesh(t)
	text := strings.ReplaceAll(read(t, chart+"/files/example/portcullis.yaml"), "{file: pets.policy.json}", `{Version: "2012-10-17", Statement: []}`) + "# {{ .Values }} ä \t\n\n"
	file := filepath.Join(t.TempDir(), "portcullis.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	out, err := helm(t, "template", "pets", chart, "--set-file", `config.files.portcullis\.yaml=`+file, "--set-file", `secrets.files.keys\.yaml=`+file,
		"--set-json", `flags={"max-checks": 20000000, "decision-log-sample": 0.25}`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := parse(t, []byte(out))
	for kind, name := range map[string]string{"ConfigMap": "portcullis.yaml", "Secret": "keys.yaml"} {
		o := m.one(t, kind, "")
		if diff := cmp.Diff(map[string]string{name: text}, o.files(t)); diff != "" {
			t.Errorf("%s: given (-) and rendered (+):\n%s", kind, diff)
		}
	}
	p := m.pod(t)
	flags := flagsOf(t, p.container(t, "portcullis"))
	if flags["max-checks"] != "20000000" || flags["max-body-bytes"] != "134217728" || flags["decision-log-sample"] != "0.25" {
		t.Errorf("flags %v", flags)
	}
}

// A file that portcullis.yaml names and that is not among the values is named, with what to write.
func TestChartMissesNoFile(t *testing.T) {
	mesh(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "portcullis.yaml")
	for text, want := range map[string]string{
		"apis: [{resourcePolicy: {file: pets.policy.json}}]":                         `names the file pets.policy.json, which is missing: add --set-file 'config.files.pets\.policy\.json=pets.policy.json'`,
		"issuers:\n  \"https://id.example.com/\":\n    file: \"keys.json\"\n":        "names the file keys.json",
		"iam:\n  accounts:\n    - file: iam/account.json\n":                          `--set-file 'config.files.account\.json=iam/account.json', without a folder`,
		"iam: {accessKeys: [{file: ../secrets/keys.yaml}]} # {file: old.json}":       "",
		"cache: {redis: {password: {file: /run/secrets/redis}}}\n# file: other.json": "",
		"apis: [{resourcePolicy: {file: own.json}}]":                                 "",
	} {
		must(t, os.WriteFile(config, []byte(text), 0o600))
		out, err := helm(t, "template", "pets", chart, "--set-file", `config.files.portcullis\.yaml=`+config, "--set-file", `config.files.own\.json=`+config)
		if (err != nil) != (want != "") || !strings.Contains(out, want) {
			t.Errorf("%s: %v, want %q\n%s", text, err, want, out)
		}
	}
}

// The notes name the Service and what to do with the example.
func TestNotes(t *testing.T) {
	mesh(t)
	for name, want := range map[string]string{
		"central": "portcullis envoy --for istio --portcullis pets.shop.svc.cluster.local:9001",
		"sidecar": "portcullis envoy --listen 0.0.0.0:10000 --portcullis unix:/run/portcullis/portcullis.sock",
	} {
		out, err := helm(t, "install", "pets", chart, "--namespace", "shop", "--dry-run=client", "--values", filepath.Join(chart, "ci", name+"-values.yaml"))
		if _, notes, _ := strings.Cut(out, "NOTES:"); err != nil || !strings.Contains(notes, want) || !strings.Contains(notes, "example API") {
			t.Errorf("%v\n%s", err, notes)
		}
	}
}

// The committed manifests are what the chart makes.
func TestManifestsAreUpToDate(t *testing.T) {
	mesh(t)
	dir := t.TempDir()
	if out, err := command(t, "./manifests.sh", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"central", "sidecar"} {
		must(t, os.WriteFile(filepath.Join(dir, name, "00-namespace.yaml"), []byte(read(t, filepath.Join("kubernetes", name, "00-namespace.yaml"))), 0o600))
		if out, err := command(t, "diff", "-r", filepath.Join("kubernetes", name), filepath.Join(dir, name)); err != nil {
			t.Errorf("make manifests would change deploy/kubernetes/%s:\n%s", name, out)
		}
	}
}
