package deploy

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object has the fields of a manifest that the tests read.
type object struct {
	Kind     string
	Metadata metadata
	Data     map[string]string
	Spec     spec

	AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
}

type metadata struct {
	Name, Namespace string
	Labels          map[string]string
}

// spec is a Deployment's, a Service's, a NetworkPolicy's, an autoscaler's or a disruption budget's.
type spec struct {
	Template struct {
		Metadata metadata
		Spec     pod
	}
	Selector       yaml.Node
	ClusterIP      string   `yaml:"clusterIP"`
	Ports          []port   `yaml:"ports"`
	PodSelector    selector `yaml:"podSelector"`
	PolicyTypes    []string `yaml:"policyTypes"`
	Ingress        []rule
	Egress         []rule
	ScaleTargetRef struct{ Kind, Name string } `yaml:"scaleTargetRef"`
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type rule struct {
	Ports    []port
	From, To []map[string]any
}

// port is a port of a Service, a container, a rule or a probe, or the type of a seccomp profile.
type port struct {
	Name, Port, Path, Type string

	TargetPort    string `yaml:"targetPort"`
	AppProtocol   string `yaml:"appProtocol"`
	ContainerPort string `yaml:"containerPort"`
	HostPort      string `yaml:"hostPort"`
}

type pod struct {
	ServiceAccountName            string      `yaml:"serviceAccountName"`
	AutomountServiceAccountToken  *bool       `yaml:"automountServiceAccountToken"`
	TerminationGracePeriodSeconds int         `yaml:"terminationGracePeriodSeconds"`
	HostNetwork                   bool        `yaml:"hostNetwork"`
	HostPID                       bool        `yaml:"hostPID"`
	HostIPC                       bool        `yaml:"hostIPC"`
	SecurityContext               security    `yaml:"securityContext"`
	InitContainers                []container `yaml:"initContainers"`
	Containers                    []container
	Volumes                       []map[string]yaml.Node
}

type container struct {
	Name, Image     string
	Args            []string
	Ports           []port
	Env             []struct{ Name, Value string }
	StartupProbe    probe             `yaml:"startupProbe"`
	LivenessProbe   probe             `yaml:"livenessProbe"`
	ReadinessProbe  probe             `yaml:"readinessProbe"`
	SecurityContext security          `yaml:"securityContext"`
	VolumeMounts    []mount           `yaml:"volumeMounts"`
	RestartPolicy   string            `yaml:"restartPolicy"`
	Resources       map[string]limits `yaml:"resources"`
	Lifecycle       struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
}

type limits map[string]string

type probe struct {
	HTTPGet          *port `yaml:"httpGet"`
	GRPC             *port `yaml:"grpc"`
	TCPSocket        *port `yaml:"tcpSocket"`
	PeriodSeconds    int   `yaml:"periodSeconds"`
	FailureThreshold int   `yaml:"failureThreshold"`
}

type mount struct {
	Name      string
	MountPath string `yaml:"mountPath"`
	SubPath   string `yaml:"subPath"`
	ReadOnly  bool   `yaml:"readOnly"`
}

type security struct {
	RunAsNonRoot             *bool `yaml:"runAsNonRoot"`
	RunAsUser                int   `yaml:"runAsUser"`
	FSGroup                  int   `yaml:"fsGroup"`
	Privileged               *bool `yaml:"privileged"`
	AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
	ReadOnlyRootFilesystem   *bool `yaml:"readOnlyRootFilesystem"`
	SeccompProfile           port  `yaml:"seccompProfile"`
	Capabilities             struct{ Drop, Add []string }
}

// manifests are the objects of a variant.
type manifests []object

// variant reads the committed manifests of central or sidecar.
func variant(t *testing.T, name string) manifests {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("kubernetes", name, "*.yaml"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%s: %d files, %v", name, len(files), err)
	}
	var all manifests
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(t, text)...)
	}
	return all
}

func parse(t *testing.T, text []byte) (all manifests) {
	t.Helper()
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		switch err := d.Decode(&o); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, o)
	}
}

// one returns the object of a kind and name; any name if it is empty.
func (m manifests) one(t *testing.T, kind, name string) object {
	t.Helper()
	var found []object
	for _, o := range m {
		if o.Kind == kind && (name == "" || o.Metadata.Name == name) {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d of kind %s with the name %q, want one", len(found), kind, name)
	}
	return found[0]
}

// files are the contents of a ConfigMap or Secret.
func (o *object) files(t *testing.T) map[string]string {
	t.Helper()
	if o.Kind != "Secret" {
		return o.Data
	}
	plain := map[string]string{}
	for name, text := range o.Data {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		plain[name] = string(data)
	}
	return plain
}

func (m manifests) pod(t *testing.T) pod {
	t.Helper()
	deployment := m.one(t, "Deployment", "")
	return deployment.Spec.Template.Spec
}

func (p *pod) all() []container {
	return append(append([]container{}, p.InitContainers...), p.Containers...)
}

func (p *pod) container(t *testing.T, name string) container {
	t.Helper()
	for _, c := range p.all() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("the pod has no container %s", name)
	return container{}
}
