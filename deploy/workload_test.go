package deploy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// issuing has the values of the chart's variant with STS.
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

// clusterKeys is a key of a cluster's issuer of service account tokens, and the set that publishes it.
func clusterKeys(t *testing.T) (signing jwk.Key, set string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	signing, err = jwk.FromRaw(private)
	must(t, err)
	must(t, signing.Set(jwk.KeyIDKey, "cluster"))
	public, err := signing.PublicKey()
	must(t, err)
	must(t, public.Set(jwk.AlgorithmKey, jwa.ES256))
	keys := jwk.NewSet()
	must(t, keys.AddKey(public))
	text, err := json.Marshal(keys)
	must(t, err)
	return signing, string(text)
}

// accountToken is the token of a service account, as the kubelet writes it.
func accountToken(t *testing.T, signing jwk.Key, account string) string {
	t.Helper()
	now := time.Now()
	token, err := jwt.NewBuilder().Issuer("https://kubernetes.default.svc.cluster.local").Subject("system:serviceaccount:" + account).
		Audience([]string{"portcullis-sts"}).IssuedAt(now).NotBefore(now).Expiration(now.Add(time.Hour)).Build()
	must(t, err)
	text, err := jwt.Sign(token, jwt.WithKey(jwa.ES256, signing))
	must(t, err)
	return string(text)
}

// STS of the chart's variant has a role for the workload's service account, and for no other.
func TestWorkloadGetsItsRole(t *testing.T) {
	t.Parallel()
	v, dir := issuingVariant(t), t.TempDir()
	signing, keys := clusterKeys(t)
	volume(filepath.Join(dir, "config")).write(t, with(v.Config.Files, "keys.json", keys))
	volume(filepath.Join(dir, "secrets")).write(t, v.Secrets.Files)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := envoytest.StartPortcullis(ctx, program(t), filepath.Join(dir, "config", "portcullis.yaml"), "127.0.0.1:0", "--sts=127.0.0.1:0")
	must(t, err)
	t.Cleanup(p.Stop)

	w, account := workload(t)
	role := w.container(t, "pets-client").Env[0].Value
	for name, want := range map[string]int{account.Name: http.StatusOK, "default": http.StatusForbidden} {
		resp, err := http.PostForm("http://"+p.STS+"/", url.Values{
			"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"pets"},
			"WebIdentityToken": {accountToken(t, signing, account.Namespace+":"+name)},
		})
		must(t, err)
		answer, err := io.ReadAll(resp.Body)
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != want || (want == http.StatusOK) != strings.Contains(string(answer), "<SecretAccessKey>") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, answer)
		}
	}
}
