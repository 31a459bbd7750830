package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// TextOptions say how a Report is printed.
type TextOptions struct {
	// Color uses the colours of a terminal.
	Color bool
	// Full prints every step, route and statement, and not only those that took part.
	Full bool
}

// mark stands before what decided.
const mark = "=> "

// Text prints a Report for people.
func (r *Report) Text(w io.Writer, o TextOptions) error {
	var b strings.Builder
	p := &printer{w: tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0), full: o.Full}
	p.report(r)
	if err := p.w.Flush(); err != nil {
		return err
	}
	text := b.String()
	if o.Color {
		text = colored(text, r.Decision)
	}
	_, err := io.WriteString(w, text)
	return err
}

type printer struct {
	w    *tabwriter.Writer
	full bool
}

// maxText is how many bytes of a text are printed without Full.
const maxText = 2000

func (p *printer) row(name, text string) {
	if text == "" {
		return
	}
	rest := ""
	if !p.full && len(text) > maxText {
		rest = fmt.Sprintf("… (%d more bytes; --full prints them)", len(text)-maxText)
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	fmt.Fprintf(p.w, "%s\t%s\n", name, Printable(text)+rest)
}

func (p *printer) report(r *Report) {
	head := strings.ToUpper(r.Decision)
	if r.Answer.Status != 0 {
		head += " " + strconv.Itoa(r.Answer.Status)
	}
	at := ""
	if r.Step != "" {
		at = ", at the step " + r.Step
	}
	p.row(head, r.Reason.Code+at+": "+r.Reason.Cause)
	for _, note := range r.Notes {
		p.row("note", note)
	}
	p.row("detail", r.Reason.Detail)
	q := r.Request
	p.row("request", strings.TrimSpace(q.Method+" "+q.Host+q.Path+from(q.Client)))
	p.place(r)
	p.caller(r)
	p.call(r.Logged)
	p.policies(r)
	p.row("combined", r.Combined)
	p.row("cache", r.Cache)
	p.answer(&r.Answer)
	for _, remedy := range r.Remedy {
		p.row("do", remedy)
	}
	p.steps(r.Steps)
}

func from(client string) string {
	if client == "" {
		return ""
	}
	return " from " + client
}

func (p *printer) place(r *Report) {
	if r.API != "" {
		p.row("api", r.API+", stage "+r.Stage)
	}
	p.row("route", r.Route)
	for _, route := range r.Routes {
		if !route.Chosen && (p.full || r.Route == "") {
			p.row("  not", route.Route+": "+route.Why)
		}
	}
	p.row("authorizer", r.Authorizer)
}

func (p *printer) caller(r *Report) {
	if c := r.Caller; c != nil {
		p.row("caller", c.Principal)
		p.row("access key", c.AccessKeyID)
		p.row("issuer", c.Issuer)
		p.row("audience", strings.Join(c.Audience, ", "))
		p.row("client id", c.ClientID)
		p.row("scopes", strings.Join(c.Scopes, ", "))
	}
	p.row("needed scopes", strings.Join(r.NeededScopes, ", "))
}

// call prints what a line says of a call of STS.
func (p *printer) call(l *Logged) {
	if l == nil {
		return
	}
	p.row("action", l.Action)
	p.row("role", l.Role)
	p.row("session name", l.SessionName)
	p.row("issued key", l.IssuedKey)
}

// shortList is how many statements are printed without Full that do not apply because of a condition, and how many because of something else.
const shortList = 5

func (p *printer) policies(r *Report) {
	for _, e := range r.Policies {
		p.row("policy", e.Policies+", about "+e.Caller+": "+e.Decision)
		p.row("  method ARN", e.Resource)
		left, printed := 0, map[bool]int{}
		for _, s := range e.Statements {
			near := strings.Contains(s.Because, " ") // all fits but a condition
			if !p.full && !s.Applies && printed[near] >= shortList {
				left++
				continue
			}
			if !s.Applies {
				printed[near]++
			}
			p.statement(&s, e.Values)
		}
		if left > 0 {
			p.row("  …", fmt.Sprintf("%d more statements that do not apply; --full prints them", left))
		}
	}
}

func (p *printer) statement(s *Statement, values map[string]string) {
	verdict := "applies"
	if !s.Applies {
		verdict = "does not apply: " + s.Because
		if _, key, ok := strings.Cut(s.Because, " "); ok {
			verdict += " (the request has: " + values[key] + ")"
		}
	}
	name := "  "
	if s.Decided {
		name = mark
	}
	p.row(name+s.Effect, s.Policy+" "+s.Statement+" "+verdict)
	if s.Applies {
		for _, condition := range s.Conditions {
			_, key, _ := strings.Cut(condition, " ")
			p.row("", condition+" (the request has: "+values[key]+")")
		}
	}
}

func (p *printer) answer(a *Answer) {
	if a.Status != 0 {
		p.row("answer", strconv.Itoa(a.Status)+" "+a.Body)
	}
	if p.full {
		for _, h := range a.Headers {
			p.row("", h)
		}
	}
	p.row("sets", strings.Join(a.SetHeaders, ", "))
	if p.full {
		p.row("removes", strings.Join(a.RemoveHeaders, ", "))
	}
}

func (p *printer) steps(steps []Step) {
	for _, s := range steps {
		name := "  "
		if s.Decided {
			name = mark
		}
		if p.full || s.Decided || s.Found != "" && s.Name != string(authz.StepMethod) && s.Name != string(authz.StepPath) && s.Name != string(authz.StepHost) {
			p.row(name+s.Name, s.Outcome+separated(s.Found))
		}
	}
}

func separated(found string) string {
	if found == "" {
		return ""
	}
	return ": " + found
}

// colored colours the first line and the marked ones. The text has no escapes of its own: Printable has removed them.
func colored(text, decision string) string {
	color := "\x1b[31m"
	if decision == Allow || decision == Preflight {
		color = "\x1b[32m"
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if i == 0 || strings.HasPrefix(l, mark) {
			lines[i] = color + l + "\x1b[0m"
		}
	}
	return strings.Join(lines, "\n")
}

// Printable escapes what a terminal may act upon, or what changes the direction of text.
func Printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// JSON prints a Report for programs. Every character that is not printable is escaped.
func (r *Report) JSON(w io.Writer) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return err
	}
	var out strings.Builder
	for _, c := range b.String() {
		switch {
		case c == '\n' || unicode.IsPrint(c):
			out.WriteRune(c)
		case c > 0xffff:
			high, low := (c-0x10000)>>10+0xd800, (c-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, c)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// Reasons prints what each reason code means.
func Reasons(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REASON\tCAUSE\tDO")
	for _, m := range authz.Meanings() {
		fmt.Fprintf(t, "%s\t%s\t%s\n", m.Code, m.Cause, m.Remedy)
	}
	return t.Flush()
}
