package deploy

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// cluster is a real etcd and the real kube-apiserver on loopback, without nodes: what is asked of them is checked and stored, and no pod
// runs.
type cluster struct{ url, token string }

func startCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	save(t, dir, "sa.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	save(t, dir, "sa.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	c := &cluster{token: rand.Text()}
	save(t, dir, "tokens.csv", []byte(c.token+",admin,admin,system:masters\n"))

	etcd, err := exec.LookPath("etcd")
	if err != nil {
		t.Fatal("no etcd: deploy/tools.sh etcd installs it")
	}
	for range portTries {
		if c.start(t, etcd, dir) {
			return c
		}
	}
	t.Fatalf("the API server did not start on %d choices of ports", portTries)
	return nil
}

// portTries is how often ports are chosen: somebody else may have taken one before it is bound.
const portTries = 5

// start runs etcd and the API server on free ports until the test ends, and waits until they serve. It says false where one has ended.
func (c *cluster) start(t *testing.T, etcd, dir string) bool {
	t.Helper()
	data, err := os.MkdirTemp(dir, "etcd")
	must(t, err)
	client, peer, port := freePort(t), freePort(t), freePort(t)
	store := background(t, etcd, "--data-dir", data, "--listen-client-urls", "http://127.0.0.1:"+client, "--advertise-client-urls", "http://127.0.0.1:"+client,
		"--listen-peer-urls", "http://127.0.0.1:"+peer, "--unsafe-no-fsync", "--log-level", "error")
	server := background(t, filepath.Join(tool(t, "apiserver"), "kube-apiserver"), "--etcd-servers=http://127.0.0.1:"+client, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		"--secure-port="+port, "--cert-dir="+filepath.Join(data, "certs"), "--token-auth-file="+filepath.Join(dir, "tokens.csv"), "--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.96.0.0/24", "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+filepath.Join(dir, "sa.pub"),
		"--service-account-signing-key-file="+filepath.Join(dir, "sa.key"), "--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount")
	c.url = "https://127.0.0.1:" + port
	for end := time.Now().Add(clusterPatience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if status, _ := c.do(t, http.MethodGet, "/readyz", nil); status == http.StatusOK {
			return true
		}
		select {
		case <-store.Done():
			return false
		case <-server.Done():
			return false
		default:
		}
	}
	t.Fatalf("the API server is not ready within %v", clusterPatience)
	return false
}

// clusterPatience is for a start that takes five seconds on two cores that have nothing else to do.
const clusterPatience = 2 * time.Minute

// freePort returns a free port, because neither program reports a port that it chooses.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	return port
}

// background runs a program until the test ends, or this process does.
func background(t *testing.T, name string, args ...string) *envoytest.Process {
	t.Helper()
	p, err := envoytest.Start(name, args...)
	must(t, err)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			text := p.Stdout() + p.Stderr()
			t.Logf("%s wrote:\n%s", filepath.Base(name), text[max(0, len(text)-3000):])
		}
	})
	return p
}

// do sends a request with the administrator's token. A status of 0 is no answer.
func (c *cluster) do(t *testing.T, method, path string, body []byte) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, c.url+path, bytes.NewReader(body))
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(answer)
}

// resources are where objects of a kind are created, without their namespace.
var resources = map[string]string{
	"Namespace": "api/v1 namespaces", "ConfigMap": "api/v1 configmaps", "Secret": "api/v1 secrets", "Service": "api/v1 services", "Pod": "api/v1 pods",
	"ServiceAccount": "api/v1 serviceaccounts", "Deployment": "apis/apps/v1 deployments", "HorizontalPodAutoscaler": "apis/autoscaling/v2 horizontalpodautoscalers",
	"PodDisruptionBudget": "apis/policy/v1 poddisruptionbudgets", "NetworkPolicy": "apis/networking.k8s.io/v1 networkpolicies",
}

// create has the API server check an object, every field of it, and store it unless it is a dry run.
func (c *cluster) create(t *testing.T, o map[string]any, options string) (status int, text string) {
	t.Helper()
	kind, meta := o["kind"].(string), o["metadata"].(map[string]any)
	group, resource, ok := strings.Cut(cmp.Or(resources[kind], gatewayResources[kind]), " ")
	if !ok {
		t.Fatalf("a %s: where is it created?", kind)
	}
	path := "/" + group
	if namespace, is := meta["namespace"].(string); is {
		path += "/namespaces/" + namespace
	}
	return c.do(t, http.MethodPost, path+"/"+resource+"?fieldValidation=Strict"+options, encode(t, o))
}

// podOf is a Deployment's pod by itself: Pod Security Standards hold for pods.
func podOf(o map[string]any) map[string]any {
	template := o["spec"].(map[string]any)["template"].(map[string]any)
	meta := o["metadata"].(map[string]any)
	return map[string]any{
		"apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
		"metadata": map[string]any{"name": meta["name"], "namespace": meta["namespace"], "labels": template["metadata"].(map[string]any)["labels"]},
	}
}

func objects(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var o map[string]any
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		if o != nil {
			all = append(all, o)
		}
	}
}

// The real API server takes the plain manifests, field by field, and the pods in a namespace that enforces the Pod Security Standard
// restricted; and Helm installs, upgrades and removes the chart.
func TestKubernetes(t *testing.T) {
	mesh(t)
	c := startCluster(t)
	for _, name := range []string{"central", "sidecar", "workload"} {
		t.Run("manifests of "+name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join("kubernetes", name, "*.yaml"))
			must(t, err)
			for _, f := range files {
				for _, o := range objects(t, read(t, f)) {
					if status, text := c.create(t, o, ""); status != http.StatusCreated {
						t.Errorf("%s: %d %s", f, status, text)
					}
					if o["kind"] == "Deployment" {
						c.checkRestricted(t, podOf(o))
					}
				}
			}
		})
	}
	for _, name := range variants(t) {
		t.Run("Helm with "+name, func(t *testing.T) { c.checkHelm(t, name) })
	}
	t.Run("Envoy Gateway", c.checkGateway)
}

// checkRestricted applies the namespace's standard to a pod, and to one that may gain privileges, which must be refused.
func (c *cluster) checkRestricted(t *testing.T, pod map[string]any) {
	t.Helper()
	if status, text := c.create(t, pod, "&dryRun=All"); status != http.StatusCreated {
		t.Errorf("the pod: %d %s", status, text)
	}
	text := strings.Replace(string(encode(t, pod)), `"allowPrivilegeEscalation":false`, `"allowPrivilegeEscalation":true`, 1)
	var looser map[string]any
	must(t, json.Unmarshal([]byte(text), &looser))
	if status, text := c.create(t, looser, "&dryRun=All"); status != http.StatusForbidden || !strings.Contains(text, "restricted") {
		t.Errorf("a pod that may gain privileges: %d %s", status, text)
	}
}

func (c *cluster) checkHelm(t *testing.T, name string) {
	t.Helper()
	helm := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(tool(t, "helm"), "helm"), append(args, "--namespace", "helm-"+name,
			"--kube-apiserver", c.url, "--kube-token", c.token, "--kube-insecure-skip-tls-verify", "--kubeconfig", os.DevNull)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("helm %s: %v\n%s", args[0], err, out)
		}
		return string(out)
	}
	// The Prometheus operator's kinds are not known here.
	values := []string{"--values", filepath.Join(chart, "ci", name+"-values.yaml"), "--set", "serviceMonitor.enabled=false,prometheusRule.enabled=false"}
	if out := helm(append([]string{"install", "pets", chart, "--create-namespace"}, values...)...); !strings.Contains(out, "STATUS: deployed") {
		t.Errorf("install: %s", out)
	}
	if out := helm(append([]string{"upgrade", "pets", chart, "--set", "drain.delaySeconds=7"}, values...)...); !strings.Contains(out, "REVISION: 2") {
		t.Errorf("upgrade: %s", out)
	}
	status, text := c.do(t, http.MethodGet, fmt.Sprintf("/apis/apps/v1/namespaces/helm-%s/deployments/pets", name), nil)
	if status != http.StatusOK || !strings.Contains(text, `"terminationGracePeriodSeconds": 32`) && !strings.Contains(text, `"terminationGracePeriodSeconds":32`) {
		t.Errorf("the upgraded Deployment: %d %s", status, text)
	}
	helm("uninstall", "pets")
}
