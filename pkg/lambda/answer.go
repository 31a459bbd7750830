package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// maxResource is how many characters a Resource of an answer's policy may have ("Output from an API Gateway Lambda
// authorizer").
const maxResource = 512

// Answer is the answer of a function. It does not change and is shared among requests. Its zero value allows nothing.
type Answer struct {
	principalID, usageIdentifierKey string
	policy                          *policy.Policy
	allowed                         bool
	context                         map[string]string
	// bytes is about what the answer takes in memory.
	bytes int64
	// fresh says that the answer had to be asked for.
	fresh bool
}

// Cache says whether the answer was remembered here. What another replica remembered counts as asked for.
func (a *Answer) Cache() authz.CacheState {
	if a.fresh {
		return authz.CacheMiss
	}
	return authz.CacheHit
}

// asFresh is the answer for the request that asked for it.
func (a *Answer) asFresh() *Answer {
	fresh := *a
	fresh.fresh = true
	return &fresh
}

// PrincipalID is the caller as the function names it; empty in a simple response.
func (a *Answer) PrincipalID() string { return a.principalID }

// Policy is the answer's policy; nil for a simple response.
func (a *Answer) Policy() *policy.Policy { return a.policy }

// Allowed is a simple response's isAuthorized. It is false where there is a policy.
func (a *Answer) Allowed() bool { return a.allowed }

// ContextValue returns a value of the answer's context as text, or false if the context has no such name.
func (a *Answer) ContextValue(name string) (string, bool) {
	value, ok := a.context[name]
	return value, ok
}

// UsageIdentifierKey is the API key that the function found for the caller; empty for none.
func (a *Answer) UsageIdentifierKey() string { return a.usageIdentifierKey }

// read reads an answer. Its error quotes nothing of the answer.
func (a *Authorizer) read(data []byte) (*Answer, string) {
	if len(data) > a.limits.Bytes {
		return nil, fmt.Sprintf("it is longer than %d bytes", a.limits.Bytes)
	}
	if problem := checkJSON(data); problem != "" {
		return nil, problem
	}
	m := members(data)
	if m == nil {
		return nil, "it is not a JSON object"
	}
	_, hasPolicy := m["policyDocument"]
	_, hasAuthorized := m["isAuthorized"]
	switch {
	case hasPolicy && hasAuthorized:
		return nil, "it has both policyDocument and isAuthorized; one of them has to decide"
	case a.simple && !hasAuthorized:
		return nil, "it has no isAuthorized, which a simple response is about"
	case !a.simple && !hasPolicy:
		return nil, "it has no policyDocument"
	}
	answer := &Answer{}
	problem := a.readDecision(answer, m)
	if problem == "" {
		problem = a.readContext(answer, m["context"])
	}
	if problem != "" {
		return nil, problem
	}
	answer.bytes = int64(answerOverhead + answerFactor*len(data))
	return answer, ""
}

// answerOverhead and answerFactor make of an answer's length about what its compiled form takes; a test weighs it.
const (
	answerOverhead = 4096
	answerFactor   = 16
)

func (a *Authorizer) readDecision(answer *Answer, m map[string]raw) string {
	if a.simple {
		switch string(m["isAuthorized"]) {
		case "true":
			answer.allowed = true
		case "false":
		default:
			return "isAuthorized is neither true nor false"
		}
		return ""
	}
	if answer.principalID = principalID(m["principalId"]); answer.principalID == "" {
		return "principalId is missing, empty, or neither text nor a number"
	}
	if key := m["usageIdentifierKey"]; !isNull(key) && !text(key, &answer.usageIdentifierKey) {
		return "usageIdentifierKey is not text"
	}
	return a.readPolicy(answer, m["policyDocument"])
}

// principalID reads a principalId. API Gateway takes a number as text; it keeps its spelling.
func principalID(value raw) string {
	var s string
	if !text(value, &s) && len(value) > 0 && (value[0] == '-' || value[0] >= '0' && value[0] <= '9') {
		return string(value)
	}
	return s
}

func (a *Authorizer) readPolicy(answer *Answer, document raw) string {
	p, faults := policy.Parse(document, policy.Options{
		Name: a.name, Kind: policy.Authorizer, Format: policy.FormatJSON,
		Limits: policy.Limits{Bytes: a.limits.Bytes, Statements: a.limits.Statements},
	})
	for _, f := range faults {
		if !f.Warning {
			return fmt.Sprintf("policyDocument, line %d, column %d: %s", f.Line, f.Column, withoutQuotes(f.Message))
		}
	}
	switch {
	case p == nil:
		return "policyDocument cannot be read"
	case hasLongResource(document):
		return fmt.Sprintf("policyDocument has a Resource of more than %d characters", maxResource)
	}
	answer.policy = p
	return ""
}

// quoted is text in a fault's message that may be the document's.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// withoutQuotes takes what the document holds out of a message: it may hold what a client has sent.
func withoutQuotes(message string) string { return quoted.ReplaceAllLiteralString(message, `"…"`) }

// hasLongResource looks at a document that is a policy.
func hasLongResource(document raw) bool {
	d := members(document)
	if d == nil {
		return true
	}
	for _, statement := range elements(d["Statement"]) {
		s := members(statement)
		if s == nil {
			return true
		}
		for _, name := range []string{"Resource", "NotResource"} {
			for _, resource := range elements(s[name]) {
				var written string
				if !text(resource, &written) || utf8.RuneCountInString(written) > maxResource {
					return true
				}
			}
		}
	}
	return false
}

// readContext reads the context. A REST API takes text, numbers, true and false; an HTTP API takes anything. What is null is
// not there.
func (a *Authorizer) readContext(answer *Answer, value raw) string {
	if isNull(value) {
		return ""
	}
	m := members(value)
	if m == nil {
		return "context is not an object"
	}
	answer.context = make(map[string]string, len(m))
	for name, value := range m {
		structured := value[0] == '[' || value[0] == '{'
		switch {
		case name == "claims" && a.version == version1:
			return "context has the key claims, which is reserved in payload format version 1.0"
		case structured && !a.http:
			return "a value of context is a list or an object; a REST API takes text, numbers, true and false"
		case !isNull(value):
			answer.context[name] = rendered(value)
		}
	}
	return ""
}

// Bounds of an answer's JSON.
const (
	maxDepth  = 32
	maxValues = 100_000
)

// raw is a JSON value as it is written; nil stands for none.
type raw = []byte

// checkJSON says what is wrong with a JSON document. U+FFFD stands where somebody has replaced what was not Unicode: two such texts
// would be equal.
func checkJSON(data []byte) string {
	if !utf8.Valid(data) {
		return "it is not UTF-8"
	}
	r := strictjson.New(data, strictjson.Limits{Depth: maxDepth, Values: maxValues})
	replaced := false
	r.Each = func(text string) { replaced = replaced || strings.ContainsRune(text, utf8.RuneError) }
	_, _, err := r.Span()
	if err == nil {
		err = r.End()
	}
	wrong, ok := errors.AsType[*strictjson.Error](err)
	switch {
	case replaced || ok && wrong.Problem == strictjson.NotUnicode:
		return "it holds text that is not Unicode, or was not"
	case !ok:
		return ""
	case wrong.Problem == strictjson.Duplicate:
		return "a key stands twice in one object"
	case wrong.Problem == strictjson.TooMany:
		return "it has too many values"
	case wrong.Problem == strictjson.TooDeep:
		return "its lists and objects nest too deep"
	}
	return "it is not JSON"
}

// members are an object's, by their exact names; nil for anything else.
func members(data []byte) map[string]raw {
	m := map[string]raw{}
	r := strictjson.New(data, strictjson.Limits{})
	err := r.Object(func(name string, _ int) error {
		from, to, err := r.Span()
		m[name] = data[from:to]
		return err
	})
	if err != nil || r.End() != nil {
		return nil
	}
	return m
}

// elements are the elements of a list; anything else stands for a list of one, and nothing for an empty one.
func elements(value raw) []raw {
	if value == nil {
		return nil
	}
	list := []raw{}
	r := strictjson.New(value, strictjson.Limits{})
	err := r.Array(func() error {
		from, to, err := r.Span()
		list = append(list, value[from:to])
		return err
	})
	if err != nil {
		return []raw{value}
	}
	return list
}

// rendered is a value as text: text itself, anything else as its JSON.
func rendered(value raw) string {
	var s string
	if text(value, &s) {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return ""
	}
	return b.String()
}

func isNull(value raw) bool { return value == nil || string(value) == "null" }

// text reads text, and says whether the value is any.
func text(value raw, s *string) bool {
	if len(value) == 0 || value[0] != '"' {
		return false
	}
	said, err := strictjson.New(value, strictjson.Limits{}).Text()
	*s = said
	return err == nil
}
