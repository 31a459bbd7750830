package envoyconf

import (
	"embed"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"

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
	if o.Upstream != "" && (o.Target == Bootstrap || o.Target == Filter) && allNamed(c.APIs) {
		return Output{}, errors.New("--upstream: the routes of all APIs have upstreams in portcullis.yaml: remove the flag")
	}
	p, err := newPlan(c, o.withDefaults(c.APIs))
	if err != nil {
		return Output{}, err
	}
	data, err := p.forTarget()
	if err != nil {
		return Output{}, err
	}
	if err := p.checkReadings(); err != nil {
		return Output{}, err
	}
	text, err := p.render(string(p.Target)+".tmpl", data)
	return Output{Text: text, Notes: p.Notes}, err
}

// forTarget returns the data of the target's template.
func (p *plan) forTarget() (any, error) {
	switch p.Target {
	case Istio:
		return p.forIstio()
	case EnvoyGateway:
		return p.forEnvoyGateway()
	case Bootstrap, Filter:
	}
	return p, nil
}

// render executes a template of the folder templates.
func (p *plan) render(name string, data any) (string, error) {
	said := map[string]bool{}
	t := template.New(name).Option("missingkey=error")
	t.Funcs(template.FuncMap{
		"quote": quote, "comment": comment, "duration": duration, "gatewayDuration": gatewayDuration, "indent": indent,
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

// gatewayDuration returns a time in the format of the Gateway API, whose numbers are whole and have up to five digits. It
// rounds up.
func gatewayDuration(d time.Duration) string {
	d += time.Millisecond - 1
	text := ""
	if seconds := d / time.Second; seconds > 0 {
		text = strconv.Itoa(int(seconds)) + "s"
	}
	if rest := d % time.Second / time.Millisecond; rest > 0 || text == "" {
		text += strconv.Itoa(int(rest)) + "ms"
	}
	return text
}

// plainShape matches scalars that every YAML reader takes as text, except otherWords.
var plainShape = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

// otherWords are words that some version of YAML does not take as text.
var otherWords = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

// quote returns a text as a YAML scalar, quoted if necessary. Go's escapes are also YAML's.
func quote(text string) string {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Is4() {
		return text
	}
	if plainShape.MatchString(text) && !slices.Contains(otherWords, strings.ToLower(text)) {
		return text
	}
	return strconv.QuoteToASCII(text)
}

// comment returns a text for use inside a comment line.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}
