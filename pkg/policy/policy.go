package policy

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
	yaml "go.yaml.in/yaml/v3"
)

// Position is a place in a document: line and column count from 1, columns in characters.
type Position = document.Position

// Limits bounds a policy document.
type Limits = document.Limits

// DefaultLimits returns the limits of Options that sets none. They are higher than every quota of AWS.
func DefaultLimits() Limits { return document.DefaultLimits() }

// Format is how a policy document is written.
type Format uint8

const (
	// FormatAuto takes a document that begins with a brace, bracket or quote for JSON, any other for YAML.
	FormatAuto Format = iota
	FormatJSON
	FormatYAML
)

// Kind is the policy type, which decides the elements that a document may have and its part in the evaluation.
type Kind uint8

const (
	// Identity is an identity-based policy: no Principal.
	Identity Kind = iota
	// Resource is a resource-based policy: every statement has Principal or NotPrincipal.
	Resource
	// Boundary is a permissions boundary.
	Boundary
	// Session is a session policy.
	Session
	// SCP is a service control policy.
	SCP
	// RCP is a resource control policy: every statement has Principal "*".
	RCP
	// VPCEndpoint is a VPC endpoint policy, in form like a resource-based policy.
	VPCEndpoint
	// Authorizer is the policy in a Lambda authorizer's answer, in form like an identity-based policy.
	Authorizer
	// Trust is a role trust policy: every statement has Principal, and the role is the resource of each.
	Trust
)

// String is the name that AWS's denial messages give to the policy type.
func (k Kind) String() string {
	switch k {
	case Identity:
		return "identity-based policy"
	case Resource:
		return "resource-based policy"
	case Boundary:
		return "permissions boundary"
	case Session:
		return "session policy"
	case SCP:
		return "service control policy"
	case RCP:
		return "resource control policy"
	case VPCEndpoint:
		return "VPC endpoint policy"
	case Authorizer:
		return "authorizer policy"
	case Trust:
		return "role trust policy"
	default:
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
}

// Options says what a policy document is.
type Options struct {
	// Name is how decisions name the policy: "resource-policy", an ARN, "inline/alice/p1".
	Name   string
	Kind   Kind
	Format Format
	// ExpandPrefix is put before abbreviated resources (execute-api:/stage/VERB/path) of a resource-based policy. It is
	// the API's ARN, such as arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5; without it they are faults.
	ExpandPrefix string
	// Limits bounds the document; each zero takes its default.
	Limits Limits
	// UnreadableValues accepts condition values that their operator cannot read ("abc" as a number) with a warning; no
	// value of a request ever equals them. It is for simulating policies as they are, never for guarding anything.
	UnreadableValues bool
	// Digest has the policy know a digest of what it says.
	Digest bool
}

// Policy is a compiled policy, immutable and safe for concurrent use. A nil Policy grants nothing.
type Policy struct {
	name       string
	kind       Kind
	statements []*statement.Statement
	// The indexes find the statements that a request could concern.
	denyIndex, allowIndex statement.Index
	allowsPrincipals      bool
	digest                string
}

// Name is the name that Options gave.
func (p *Policy) Name() string { return p.name }

// AllowsPrincipals reports whether an Allow of the policy names AWS principals, who can only be told where requests are signed.
func (p *Policy) AllowsPrincipals() bool { return p != nil && p.allowsPrincipals }

// Denies reports whether the policy has a Deny.
func (p *Policy) Denies() bool {
	return p != nil && slices.ContainsFunc(p.statements, func(s *statement.Statement) bool { return s.Effect == statement.Deny })
}

// Digest identifies what the policy says, without regard to spaces, comments and the order of fields. It is empty unless Options asks for
// it.
func (p *Policy) Digest() string {
	if p == nil {
		return ""
	}
	return p.digest
}

// Kind is the kind that Options gave.
func (p *Policy) Kind() Kind { return p.kind }

// Parse reads and compiles a policy document. It returns every fault it finds, sorted by position; with any fault that is
// not a warning the policy is nil. JSON may stand as the AWS CLI prints an API's policy, with its quotes escaped once or twice.
func Parse(data []byte, o Options) (*Policy, []fault.Fault) {
	r := newReader(o)
	if len(data) > r.limits.Bytes {
		r.fault(Position{Line: 1, Column: 1}, document.TooMuch("the document is longer than %d bytes", r.limits.Bytes))
		return nil, r.faults
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	read := document.YAML
	if o.Format == FormatJSON || o.Format == FormatAuto && looksLikeJSON(data) {
		read = func(data []byte, limits Limits, fault func(Position, string)) (*document.Node, error) {
			if o.Kind == Authorizer { // a function answers a policy, and not text
				return document.JSON(string(data), limits, fault)
			}
			return document.PrintedJSON(string(data), limits, fault)
		}
	}
	n, err := read(data, r.limits, r.fault)
	return r.finish(n, err)
}

// ParseYAML is Parse for a policy that stands inside a YAML file. Scalars are taken as they are written, so an account number
// needs no quotes; a node that is text holds the policy as JSON.
func ParseYAML(y *yaml.Node, o Options) (*Policy, []fault.Fault) {
	r := newReader(o)
	n, err := document.FromYAML(y, r.limits, r.fault)
	if err == nil && n.Kind == document.Text {
		return parseEmbedded(y, n, o)
	}
	return r.finish(n, err)
}

// parseEmbedded reads JSON text inside a YAML scalar and moves the positions to where the scalar stands. Columns inside a block
// scalar count from its indentation, which the YAML library does not tell.
func parseEmbedded(y *yaml.Node, n *document.Node, o Options) (*Policy, []fault.Fault) {
	o.Format = FormatJSON
	p, faults := Parse([]byte(n.Text), o)
	move := func(at Position) Position {
		switch {
		case y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
			at.Line += n.Start.Line
		case at.Line == 1:
			at = Position{Line: n.Start.Line, Column: n.Start.Column + at.Column}
		default:
			at.Line += n.Start.Line - 1
		}
		return at
	}
	for i := range faults {
		at := move(Position{Line: faults[i].Line, Column: faults[i].Column})
		faults[i].Line, faults[i].Column = at.Line, at.Column
	}
	if p != nil {
		for _, s := range p.statements {
			s.Start, s.End = move(s.Start), move(s.End)
			for _, res := range s.Resources {
				res.At = move(res.At)
			}
		}
	}
	return p, faults
}

func looksLikeJSON(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && bytes.IndexByte([]byte(`{["`), data[0]) >= 0
}
