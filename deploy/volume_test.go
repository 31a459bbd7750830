package deploy

import (
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"
)

const folder = "/etc/portcullis/" // of the volumes

// volume is a ConfigMap or Secret in a pod, as the kubelet lays it out: each file is a link to ..data, which is a link to a folder.
type volume string

func (v volume) write(t *testing.T, files map[string]string) {
	t.Helper()
	must(t, os.MkdirAll(string(v), 0o700))
	dir, err := os.MkdirTemp(string(v), "..2026_")
	must(t, err)
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	link := filepath.Join(string(v), "..data_tmp")
	must(t, os.Symlink(filepath.Base(dir), link))
	must(t, os.Rename(link, filepath.Join(string(v), "..data"))) // the swap
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(string(v), name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mounted writes the ConfigMaps and Secrets that a variant's portcullis has, where they are mounted, below dir. It returns the volumes by name.
func mounted(t *testing.T, m manifests, dir string) map[string]volume {
	t.Helper()
	p := m.pod(t)
	paths := map[string]string{}
	for _, v := range p.container(t, "portcullis").VolumeMounts {
		paths[v.Name] = v.MountPath
	}
	volumes := map[string]volume{}
	for _, v := range p.Volumes {
		name := v["name"].Value
		var source struct {
			Name       string
			SecretName string `yaml:"secretName"`
		}
		for kind, node := range map[string]yaml.Node{"ConfigMap": v["configMap"], "Secret": v["secret"]} {
			if paths[name] == "" || node.Kind == 0 {
				continue
			}
			must(t, node.Decode(&source))
			volumes[name] = volume(filepath.Join(dir, paths[name]))
			volumes[name].write(t, nil) // one that is optional and not there is empty
			for _, o := range m {
				if o.Kind == kind && o.Metadata.Name == source.Name+source.SecretName {
					volumes[name].write(t, o.files(t))
				}
			}
		}
	}
	return volumes
}
