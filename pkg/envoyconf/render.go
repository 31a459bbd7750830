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

// Output is a configuration and notes for its reader.
type Output struct {
	// Text is the configuration. It depends only on the APIs and options.
	Text string
	// Notes say what the configuration lacks.
	Notes []string
}

// Generate returns the configuration for the APIs. The error names every setting of the configuration and of the
// options that the target does not support.
func Generate(c *gateway.Config, o Options) (Output, error) {
	if err := o.Validate(); err != nil {
		return Output{}, err
	}
	if o.VPCEndpoints != "" && !slices.ContainsFunc(c.APIs, isPrivate) {
		return Output{}, errors.New("--vpc-endpoints: it requires a private API: remove it")
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

// render executes a template of the folder templates.
func (p *plan) render(name string, data any) (string, error) {
	said := map[string]bool{}
	t := template.New(name).Option("missingkey=error")
	t.Funcs(template.FuncMap{
		"quote": quote, "comment": comment, "duration": duration, "indent": indent,
		// once returns true the first time, so that an explanation is written once.
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

// indent indents lines that are not empty.
func indent(by int, text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = strings.Repeat(" ", by) + line
		}
	}
	return strings.Join(lines, "\n")
}

// duration returns a time in Envoy's format.
func duration(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}
