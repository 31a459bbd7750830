package deploy

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// flagsOf are the flags of a pod's portcullis, by name.
func flagsOf(t *testing.T, c container) map[string]string {
	t.Helper()
	if len(c.Args) == 0 || c.Args[0] != "serve" {
		t.Fatalf("arguments %q, want serve first", c.Args)
	}
	flags := map[string]string{}
	for _, arg := range c.Args[1:] {
		name, value, ok := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !ok || !strings.HasPrefix(arg, "--") || flags[name] != "" {
			t.Fatalf("argument %q, want --flag=value, once", arg)
		}
		flags[name] = value
	}
	return flags
}

var flagLine = regexp.MustCompile(`(?m)^  -([a-z-]+)`)

// The chart knows each flag of the program, and no other: it sets it itself, or values.flags may.
func TestFlagsAreThoseOfTheProgram(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), program(t), "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, line := range flagLine.FindAllStringSubmatch(string(help), -1) {
		known = append(known, line[1])
	}
	slices.Sort(known)

	text, err := os.ReadFile("helm/portcullis/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Flags struct {
				Properties           map[string]any
				AdditionalProperties *bool
			}
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if more := schema.Properties.Flags.AdditionalProperties; more == nil || *more {
		t.Error("the schema takes any flag")
	}
	free := slices.Collect(maps.Keys(schema.Properties.Flags.Properties))
	own := []string{"config", "listen", "admin", "admin-token-file", "sts", "tls-cert", "tls-key", "tls-client-ca", "drain-delay", "drain-timeout"}
	if diff := cmp.Diff(known, slices.Sorted(slices.Values(append(free, own...)))); diff != "" {
		t.Errorf("flags of the program (-) and of the chart (+):\n%s", diff)
	}
	for _, name := range []string{"central", "sidecar"} {
		p := variant(t, name).pod(t)
		for flag := range flagsOf(t, p.container(t, "portcullis")) {
			if !slices.Contains(known, flag) {
				t.Errorf("%s: portcullis serve has no --%s", name, flag)
			}
		}
	}
}

// Names, ports and labels lead from one object to the next, and from `portcullis envoy` to the first.
func TestNamesAndPortsFit(t *testing.T) {
	for _, name := range []string{"central", "sidecar"} {
		t.Run(name, func(t *testing.T) { checkFit(t, variant(t, name)) })
	}
	service := variant(t, "central").one(t, "Service", "portcullis")
	if at := service.Metadata.Name + "." + service.Metadata.Namespace; at != "portcullis.portcullis" {
		t.Errorf("the Service is %s, which is not where portcullis envoy --for istio looks", at)
	}
	if got, want := service.Spec.Ports, []port{{Name: "grpc", Port: "9001", TargetPort: "grpc", AppProtocol: "kubernetes.io/h2c"}}; !slices.Equal(got, want) {
		t.Errorf("ports %+v, want %+v", got, want)
	}
	if pods := variant(t, "central").one(t, "Service", "portcullis-pods"); pods.Spec.ClusterIP != "None" {
		t.Errorf("portcullis-pods leads to the one address %q", pods.Spec.ClusterIP)
	}
	printed, err := exec.CommandContext(t.Context(), program(t), "envoy", "--for", "istio", "--config", "helm/portcullis/files/example/portcullis.yaml").Output()
	if err != nil || !strings.Contains(string(printed), "portcullis.portcullis.svc.cluster.local") || !strings.Contains(string(printed), "port: 9001") {
		t.Errorf("portcullis envoy --for istio names another Service: %v\n%s", err, printed)
	}
}

func checkFit(t *testing.T, m manifests) {
	t.Helper()
	deployment := m.one(t, "Deployment", "")
	p := deployment.Spec.Template.Spec
	ports := checkProbes(t, p)
	for _, o := range m {
		checkLeads(t, o, deployment, ports)
		if o.Kind != "Namespace" && o.Metadata.Namespace != deployment.Metadata.Namespace {
			t.Errorf("%s %s is in namespace %q", o.Kind, o.Metadata.Name, o.Metadata.Namespace)
		}
	}
	flags := flagsOf(t, p.container(t, "portcullis"))
	if flags["admin"] != ":"+ports["admin"] || flags["listen"] != ":"+ports["grpc"] && !strings.HasPrefix(flags["listen"], "unix:") {
		t.Errorf("portcullis listens at %s and %s; its ports are %v", flags["listen"], flags["admin"], ports)
	}
	if flags["sts"] != "" && flags["sts"] != ":"+ports["sts"] {
		t.Errorf("STS listens at %s; the pod's ports are %v", flags["sts"], ports)
	}
	checkGrace(t, p, flags)
}

// checkProbes holds the probes to the ports of their containers, and returns the pod's by name.
func checkProbes(t *testing.T, p pod) (ports map[string]string) {
	t.Helper()
	ports = map[string]string{}
	for _, c := range p.all() {
		for _, p := range c.Ports {
			ports[p.Name] = p.ContainerPort
		}
		for _, p := range []probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
			for _, at := range []*port{p.HTTPGet, p.TCPSocket} {
				if at != nil && ports[at.Port] == "" {
					t.Errorf("%s is probed at port %q, which it has not got", c.Name, at.Port)
				}
			}
			if p.GRPC != nil && p.GRPC.Port != ports["grpc"] {
				t.Errorf("%s is probed at port %s, and speaks gRPC at %s", c.Name, p.GRPC.Port, ports["grpc"])
			}
		}
	}
	return ports
}

// checkLeads follows an object's references to the pods.
func checkLeads(t *testing.T, o, deployment object, ports map[string]string) {
	t.Helper()
	labels := deployment.Spec.Template.Metadata.Labels
	switch o.Kind {
	case "Service":
		for _, p := range o.Spec.Ports {
			if ports[p.TargetPort] == "" || p.AppProtocol == "" {
				t.Errorf("Service %s leads to port %q (%q)", o.Metadata.Name, p.TargetPort, p.AppProtocol)
			}
		}
		var selects map[string]string
		must(t, o.Spec.Selector.Decode(&selects))
		checkSelects(t, o, selects, labels)
	case "Deployment", "PodDisruptionBudget":
		var selects selector
		must(t, o.Spec.Selector.Decode(&selects))
		checkSelects(t, o, selects.MatchLabels, labels)
	case "NetworkPolicy":
		checkSelects(t, o, o.Spec.PodSelector.MatchLabels, labels)
	case "HorizontalPodAutoscaler":
		if o.Spec.ScaleTargetRef.Name != deployment.Metadata.Name || o.Spec.ScaleTargetRef.Kind != "Deployment" {
			t.Errorf("the autoscaler scales %+v", o.Spec.ScaleTargetRef)
		}
	}
}

func checkSelects(t *testing.T, o object, selector, labels map[string]string) {
	t.Helper()
	if len(selector) == 0 {
		t.Errorf("%s %s selects every pod", o.Kind, o.Metadata.Name)
	}
	for name, value := range selector {
		if labels[name] != value {
			t.Errorf("%s %s selects %s=%s; the pods have %q", o.Kind, o.Metadata.Name, name, value, labels[name])
		}
	}
}

// A pod is killed no sooner than its drain may end; and it drains for longer than it takes to be seen not ready.
func checkGrace(t *testing.T, p pod, flags map[string]string) {
	t.Helper()
	delay, err1 := time.ParseDuration(flags["drain-delay"])
	timeout, err2 := time.ParseDuration(flags["drain-timeout"])
	if err1 != nil || err2 != nil {
		t.Fatalf("drain flags %q, %q", flags["drain-delay"], flags["drain-timeout"])
	}
	for _, c := range p.Containers {
		delay += time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	}
	if grace := time.Duration(p.TerminationGracePeriodSeconds) * time.Second; grace < delay+timeout+5*time.Second {
		t.Errorf("the pod is killed after %v, in the middle of a drain of %v and %v", grace, delay, timeout)
	}
	if delay < 3*time.Second {
		t.Errorf("requests end %v after a pod is told to, before all can have heard of it", delay)
	}
}
