package deploy

import (
	"slices"
	"strings"
	"testing"
)

// Nothing runs as root, with a capability, with a file system to write to, or with a token for the Kubernetes API.
func TestPodsAreLockedDown(t *testing.T) {
	for _, name := range []string{"central", "sidecar"} {
		t.Run(name, func(t *testing.T) { checkLockedDown(t, variant(t, name)) })
	}
}

func checkLockedDown(t *testing.T, m manifests) {
	t.Helper()
	p := m.pod(t)
	refuse := func(wrong bool, format string, args ...any) {
		t.Helper()
		if wrong {
			t.Errorf(format, args...)
		}
	}
	is := func(v *bool, want bool) bool { return v != nil && *v == want }
	refuse(!is(p.AutomountServiceAccountToken, false), "the pod gets a token of the Kubernetes API")
	refuse(p.HostNetwork || p.HostPID || p.HostIPC, "the pod shares a namespace with its node")
	refuse(!is(p.SecurityContext.RunAsNonRoot, true) || p.SecurityContext.RunAsUser < 10000, "the pod runs as user %d", p.SecurityContext.RunAsUser)
	refuse(p.SecurityContext.FSGroup == 0, "nobody but root can read the Secrets")
	refuse(p.SecurityContext.SeccompProfile.Type != "RuntimeDefault", "seccomp profile %q", p.SecurityContext.SeccompProfile.Type)
	for _, c := range p.all() {
		s := c.SecurityContext
		refuse(!is(s.AllowPrivilegeEscalation, false), "%s may gain privileges", c.Name)
		refuse(!is(s.ReadOnlyRootFilesystem, true), "%s can write to its root", c.Name)
		refuse(s.Privileged != nil && *s.Privileged, "%s is privileged", c.Name)
		refuse(!slices.Equal(s.Capabilities.Drop, []string{"ALL"}) || s.Capabilities.Add != nil, "%s keeps capabilities", c.Name)
		refuse(s.RunAsUser != 0 || s.RunAsNonRoot != nil || s.SeccompProfile.Type != "", "%s goes around the pod's settings", c.Name)
		if c.Name == "portcullis" || c.Name == "envoy" {
			refuse(c.Resources["limits"]["memory"] == "" || c.Resources["requests"]["cpu"] == "", "%s is without bounds", c.Name)
		}
		for _, p := range c.Ports {
			refuse(p.HostPort != "", "%s listens on its node", c.Name)
		}
		for _, v := range c.VolumeMounts {
			refuse(v.SubPath != "", "%s mounts %s by subPath, where changes do not arrive", c.Name, v.MountPath)
			refuse(!v.ReadOnly && v.Name != "socket", "%s can write to %s", c.Name, v.MountPath)
		}
	}
	checkVolumes(t, p)
	for _, o := range m {
		refuse(o.Kind == "ServiceAccount" && !is(o.AutomountServiceAccountToken, false), "the ServiceAccount hands out tokens")
		refuse(strings.Contains(o.Kind, "Role"), "there is a %s, though the Kubernetes API is not used", o.Kind)
	}
}

// checkVolumes finds Secrets that others can read, folders of the node, and the socket where it does not belong.
func checkVolumes(t *testing.T, p pod) {
	t.Helper()
	for _, v := range p.Volumes {
		name := v["name"].Value
		var secret struct {
			DefaultMode int `yaml:"defaultMode"`
		}
		node := v["secret"]
		if err := node.Decode(&secret); err != nil {
			t.Fatal(err)
		}
		if _, is := v["secret"]; is && (secret.DefaultMode == 0 || secret.DefaultMode&0o037 != 0) {
			t.Errorf("the Secret of volume %s has the mode %o", name, secret.DefaultMode)
		}
		if _, is := v["hostPath"]; is {
			t.Errorf("volume %s is a folder of the node", name)
		}
	}
	for _, c := range p.all() {
		for _, v := range c.VolumeMounts {
			if v.Name == "socket" && c.Name != "portcullis" && c.Name != "envoy" {
				t.Errorf("%s reaches the socket, and could answer in the name of portcullis", c.Name)
			}
		}
	}
}

// An empty list of peers in a rule of a NetworkPolicy means everybody.
func TestNetworkPolicyNamesWhoIsLetIn(t *testing.T) {
	for name, port := range map[string]string{"central": "grpc", "sidecar": "http"} {
		t.Run(name, func(t *testing.T) {
			m := variant(t, name)
			policy := m.one(t, "NetworkPolicy", "").Spec
			if !slices.Equal(policy.PolicyTypes, []string{"Ingress", "Egress"}) {
				t.Errorf("policy types %v", policy.PolicyTypes)
			}
			if len(policy.Ingress) != 1 || len(policy.Ingress[0].From) == 0 || policy.Ingress[0].Ports[0].Port != port {
				t.Errorf("let in: %+v, want the clients to port %s and nobody else", policy.Ingress, port)
			}
			for _, r := range policy.Egress {
				if len(r.To) == 0 || len(r.Ports) == 0 {
					t.Errorf("let out: %+v, want addresses and ports", r)
				}
			}
		})
	}
}
