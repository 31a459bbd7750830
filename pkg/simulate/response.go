package simulate

import (
	"fmt"
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
