package deploy

import (
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// issuing is what the values of the chart's variant with STS say.
type issuing struct {
	Config  struct{ Files map[string]string }
	Secrets struct{ Files map[string]string }
}

func issuingVariant(t *testing.T) (v issuing) {
	t.Helper()
	must(t, yaml.Unmarshal([]byte(read(t, chart+"/ci/sts-values.yaml")), &v))
	return v
}

// workload is the pod of deploy/kubernetes/workload, with the name and namespace of its service account.
func workload(t *testing.T) (p pod, account metadata) {
	t.Helper()
	m := parse(t, []byte(read(t, "kubernetes/workload/workload.yaml")))
	return m.pod(t), m.one(t, "ServiceAccount", "").Metadata
}

// The workload asks for the role that the chart's variant has, with a token that the role's trust policy admits.
func TestWorkloadFitsItsRole(t *testing.T) {
	p, account := workload(t)
	environment := map[string]string{}
	for _, v := range p.container(t, "pets-client").Env {
		environment[v.Name] = v.Value
	}
	config := issuingVariant(t).Config.Files["portcullis.yaml"]
	var identity struct {
		Sources []struct {
			Token struct{ Audience, Path string } `yaml:"serviceAccountToken"`
		}
	}
	for _, v := range p.Volumes {
		if v["name"].Value == "identity" {
			node := v["projected"]
			must(t, node.Decode(&identity))
		}
	}
	if len(identity.Sources) == 0 || environment["AWS_WEB_IDENTITY_TOKEN_FILE"] != "/var/run/identity/"+identity.Sources[0].Token.Path {
		t.Fatalf("the token is at %s, its volume is %+v", environment["AWS_WEB_IDENTITY_TOKEN_FILE"], identity)
	}
	for _, want := range []string{
		"arn: " + environment["AWS_ROLE_ARN"], "region: " + environment["AWS_REGION"], "region: " + environment["AWS_DEFAULT_REGION"],
		"sub: system:serviceaccount:" + account.Namespace + ":" + account.Name, "aud: " + identity.Sources[0].Token.Audience,
		"audiences: [" + identity.Sources[0].Token.Audience + "]",
	} {
		if !strings.Contains(config, want) {
			t.Errorf("portcullis.yaml does not say %s", want)
		}
	}
	if p.ServiceAccountName != account.Name {
		t.Errorf("the pod runs as %s, not %s", p.ServiceAccountName, account.Name)
	}
}

// The workload calls the Service of STS, which the chart makes with the port that portcullis listens on.
func TestWorkloadCallsTheService(t *testing.T) {
	mesh(t)
	out, err := helm(t, "template", "portcullis", chart, "--namespace", "portcullis", "--values", filepath.Join(chart, "ci", "sts-values.yaml"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	service := parse(t, []byte(out)).one(t, "Service", "portcullis-sts")
	url := "https://" + service.Metadata.Name + "." + service.Metadata.Namespace + ".svc"
	if text := read(t, "kubernetes/workload/workload.yaml"); !strings.Contains(text, `value: "`+url+`"`) || service.Spec.Ports[0].Port != "443" {
		t.Errorf("the workload does not call %s, port %s", url, service.Spec.Ports[0].Port)
	}
}
