package rulebook

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	Wrong Severity = "wrong" // decisions are wrong, signatures fail, or a route is unguarded
	Note  Severity = "note"  // it works, and could be better
)

// Finding is a rule that a configuration breaks.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Where names the listener, filter chain, virtual host, route or cluster.
	Where string `json:"where"`
	// Path is the place in the dump, if there is one.
	Path string `json:"path,omitempty"`
	// What is what was found.
	What string `json:"what"`
	Why  string `json:"why"`
	Fix  string `json:"fix"`
}

// Findings collects findings. One rule has one finding at a place.
type Findings struct {
	All  []Finding
	seen map[[3]string]bool
}

// Report adds a finding with the severity of the rule.
func (f *Findings) Report(rule, where, path, format string, args ...any) {
	f.ReportAs(byID()[rule].Severity, rule, where, path, format, args...)
}

// ReportAs adds a finding with a severity of its own.
func (f *Findings) ReportAs(s Severity, rule, where, path, format string, args ...any) {
	r := byID()[rule]
	what := fmt.Sprintf(format, args...)
	key := [3]string{rule, where, what}
	if f.seen[key] {
		return
	}
	if f.seen == nil {
		f.seen = map[[3]string]bool{}
	}
	f.seen[key] = true
	f.All = append(f.All, Finding{Rule: rule, Severity: s, Where: where, Path: path, What: what, Why: r.Why, Fix: r.Fix})
}

// Sorted returns the findings, the wrong ones first, in the order of the rule book.
func (f *Findings) Sorted() []Finding {
	order := map[string]int{}
	for i, r := range Rules() {
		order[r.ID] = i
	}
	slices.SortStableFunc(f.All, func(a, b Finding) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(order[a.Rule], order[b.Rule]))
	})
	return f.All
}

// HasWrong reports whether a finding is more than a note.
func HasWrong(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Severity == Wrong })
}

// maxPerRule is how many findings of a rule Text prints.
const maxPerRule = 20

// Text prints findings, a block each.
func Text(w io.Writer, all []Finding) error {
	var b strings.Builder
	printed := map[string]int{}
	for _, f := range all {
		if printed[f.Rule]++; printed[f.Rule] > maxPerRule {
			continue
		}
		fmt.Fprintf(&b, "%-6s%s: %s\n", f.Severity, f.Rule, line(f.What))
		for _, row := range [][2]string{{"where", f.Where}, {"path", f.Path}, {"why", f.Why}, {"fix", f.Fix}} {
			if row[1] != "" {
				fmt.Fprintf(&b, "      %-7s%s\n", row[0], line(row[1]))
			}
		}
		b.WriteByte('\n')
	}
	for _, r := range Rules() {
		if more := printed[r.ID] - maxPerRule; more > 0 {
			fmt.Fprintf(&b, "%s was found %d more times; -o json lists them.\n", r.ID, more)
		}
	}
	wrong := 0
	for _, f := range all {
		if f.Severity == Wrong {
			wrong++
		}
	}
	fmt.Fprintf(&b, "%d wrong, %d to note\n", wrong, len(all)-wrong)
	_, err := io.WriteString(w, b.String())
	return err
}

// line returns a text as one line of visible characters. Names in a dump may hold anything.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, s)
}
