package envoyconf

import (
	"embed"
	"errors"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

//go:embed templates
var files embed.FS

// Output is a configuration, and what its reader has to know beside it.
type Output struct {
	// Text is the configuration. The same APIs and options have the same text.
	Text string
	// Notes are what portcullis.yaml has and the configuration has not.
	Notes []string
}

// Generate writes the configuration that fits the APIs. The error names every setting, of the configuration or of the options,
// that the target cannot carry.
func Generate(c *gateway.Config, o Options) (Output, error) {
	if err := o.Validate(); err != nil {
		return Output{}, err
	}
	if o.VPCEndpoints != "" && !slices.ContainsFunc(c.APIs, isPrivate) {
		return Output{}, errors.New("--vpc-endpoints: no API is private: remove it")
	}
	p, err := newPlan(c, o.withDefaults(c.APIs))
	if err != nil {
		return Output{}, err
	}
	var data any = p
	if p.Target == Istio {
		if data, err = p.forIstio(); err != nil {
			return Output{}, err
		}
	}
	if err := p.checkReadings(); err != nil {
		return Output{}, err
	}
	text, err := p.render(string(p.Target)+".tmpl", data)
	return Output{Text: text, Notes: p.Notes}, err
}

// render fills in a template of the folder templates.
func (p *plan) render(name string, data any) (string, error) {
	said := map[string]bool{}
	t := template.New(name).Option("missingkey=error")
	t.Funcs(template.FuncMap{
		"quote": quote, "comment": comment, "duration": duration, "indent": indent,
		// once is true the first time: what is explained once is not explained again.
		"once": func(what string) bool {
			first := !said[what]
			said[what] = true
			return first
		},
		"include": func(name string, data any) (string, error) {
			var b strings.Builder
			err := t.ExecuteTemplate(&b, name, data)
			return strings.TrimRight(b.String(), "\n"), err
		},
	})
	if _, err := t.ParseFS(files, "templates/*.tmpl"); err != nil {
		return "", err
	}
	var b strings.Builder
	err := t.Execute(&b, data)
	return b.String(), err
}

// indent moves lines to the right, but for empty ones.
func indent(by int, text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = strings.Repeat(" ", by) + line
		}
	}
	return strings.Join(lines, "\n")
}

// duration is a time as Envoy writes one.
func duration(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}
