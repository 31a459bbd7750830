package simulate

import (
	"strings"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// where is a statement's place as IAM's simulator gives it.
type where struct{ start, end policy.Position }

// places finds, by name of policy and position of its brace, where IAM's simulator sees the statements. They are given in the order
// of each policy.
func places(texts map[string]string, statements []policy.StatementOutcome) map[string]map[policy.Position]where {
	all := map[string]map[policy.Position]where{}
	cursors := map[string]*cursor{}
	for _, s := range statements {
		if cursors[s.Policy] == nil {
			cursors[s.Policy] = &cursor{text: texts[s.Policy], at: policy.Position{Line: 1, Column: 1}}
			all[s.Policy] = map[policy.Position]where{}
		}
		all[s.Policy][s.Start] = where{
			start: cursors[s.Policy].start(s.Start),
			end:   policy.Position{Line: s.End.Line, Column: s.End.Column + 1},
		}
	}
	return all
}

// cursor walks forward through a policy.
type cursor struct {
	text string
	off  int
	at   policy.Position
	// behind is the position behind the last thing that was passed which can stand before a statement in a list: the list's
	// bracket or another statement's brace.
	behind policy.Position
}

// start is where IAM's reader stood when it began to read the statement whose brace is at the given position.
func (c *cursor) start(brace policy.Position) policy.Position {
	for c.off < len(c.text) && c.at != brace {
		c.next()
	}
	before := strings.TrimRight(c.text[:c.off], " \t\r\n")
	if strings.HasSuffix(before, ":") {
		return policy.Position{Line: brace.Line, Column: brace.Column + 1}
	}
	return c.behind
}

func (c *cursor) next() {
	r, size := utf8.DecodeRuneInString(c.text[c.off:])
	c.off += size
	c.at.Column++
	switch r {
	case '\n':
		c.at = policy.Position{Line: c.at.Line + 1, Column: 1}
	case '[', '}':
		c.behind = c.at
	}
}
