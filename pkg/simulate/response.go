package simulate

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Response is a response of SimulateCustomPolicy.
type Response struct {
	EvaluationResults []EvaluationResult
	IsTruncated       bool
	Marker            string `json:",omitempty"`
	// Warnings are about policies that are legal and surely wrong. AWS's response has none.
	Warnings []string `json:"-"`
}

// EvaluationResult is the decision on one action and resource.
type EvaluationResult struct {
	EvalActionName   string
	EvalResourceName string
	// EvalDecision is allowed, explicitDeny or implicitDeny.
	EvalDecision      string
	MatchedStatements []Statement
	// MissingContextValues are the condition keys that a policy's statement for this action and resource asks for and the
	// request does not give.
	MissingContextValues              []string
	OrganizationsDecisionDetail       *OrganizationsDecisionDetail       `json:",omitempty"`
	PermissionsBoundaryDecisionDetail *PermissionsBoundaryDecisionDetail `json:",omitempty"`
	// EvalDecisionDetails are the decisions of each side of a request across accounts, by type of policy; empty inside one
	// account, absent where the resource is "*" or the organization does not allow.
	EvalDecisionDetails     map[string]string        `json:",omitzero"`
	ResourceSpecificResults []ResourceSpecificResult `json:",omitempty"`
}

// ResourceSpecificResult repeats the decision for its resource, if that is not "*".
type ResourceSpecificResult struct {
	EvalResourceName                  string
	EvalResourceDecision              string
	MatchedStatements                 []Statement
	MissingContextValues              []string
	EvalDecisionDetails               map[string]string                  `json:",omitzero"`
	PermissionsBoundaryDecisionDetail *PermissionsBoundaryDecisionDetail `json:",omitempty"`
}

// OrganizationsDecisionDetail says whether the service control policies allow.
type OrganizationsDecisionDetail struct{ AllowedByOrganizations bool }

// PermissionsBoundaryDecisionDetail says whether the permissions boundary allows.
type PermissionsBoundaryDecisionDetail struct{ AllowedByPermissionsBoundary bool }

// Statement is a statement that made a decision.
type Statement struct {
	// SourcePolicyId names the request's policy, such as PolicyInputList.1.
	SourcePolicyId   string
	SourcePolicyType string
	StartPosition    policy.Position
	EndPosition      policy.Position
}

// Error is why a request was not evaluated, by the codes of IAM's API.
type Error struct{ Code, Message string }

// The codes. PolicyEvaluation is a fault of this program.
const (
	InvalidInput     = "InvalidInput"
	PolicyEvaluation = "PolicyEvaluation"
)

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func invalid(format string, args ...any) *Error {
	return &Error{InvalidInput, fmt.Sprintf(format, args...)}
}

// quote shows a text of the request in a message, whatever it holds and however long it is.
func quote(text string) string {
	const longest = 80
	if len(text) > longest {
		cut := longest
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return fmt.Sprintf("%q", text)
}

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
