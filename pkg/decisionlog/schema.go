package decisionlog

import (
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// maxFields is more than there are fields.
const maxFields = 64

// Version is the version of the schema. A field may be added without a new version; none is renamed, removed or changed.
const Version = 1

// message is the field msg of every line.
const message = "decision"

// field is one field of a line.
type field struct {
	name string
	// max limits the bytes of a text, or of each text of a list.
	max int
	// about describes the field for README.md.
	about string
	// Exactly one of these is set. An empty text or list, or a zero, leaves the field out. write reports whether it has shortened the field.
	text   func(*Entry) string
	list   func(*Entry) []string
	number func(*Entry) int64
	write  func(*line, *Entry) bool
}

// The limits of lists and of chosen values.
const (
	maxItems  = 32
	maxChosen = 256
)

// fields is the schema, in the order of a line. After these follows "cut".
var fields = []field{
	{name: "time", max: 40, about: "when the decision was taken, RFC 3339 in UTC", write: (*line).time},
	{name: "level", max: 8, about: "`INFO`, or `ERROR` if an operator has to correct something", text: func(e *Entry) string { return e.level().String() }},
	{name: "msg", max: 8, about: "always `decision`", text: func(*Entry) string { return message }},
	{name: "v", about: "the version of the schema: 1", number: func(*Entry) int64 { return Version }},
	{name: "decision", max: 8, about: "`allow` or `deny`; a preflight that the API answers itself is `deny`, with the reason `preflight`", text: func(e *Entry) string { return authz.Word(e.Allow) }},
	{name: "reason", max: 64, about: "the reason code", text: func(e *Entry) string { return e.Code.String() }},
	{name: "step", max: 32, about: "the step that ended the decision", text: func(e *Entry) string { return string(e.Step) }},
	{name: "status", about: "the status of the answer to the client; not on allowed requests", number: func(e *Entry) int64 { return int64(e.Status) }},
	{name: "api", max: 64, about: "the id of the API", text: func(e *Entry) string { return e.API }},
	{name: "stage", max: 128, about: "the stage", text: func(e *Entry) string { return e.Stage }},
	{name: "route", max: 512, about: "the route, such as `GET /pets/{id}`", text: func(e *Entry) string { return e.Route }},
	{name: "host", max: 260, about: "the host of the request", text: func(e *Entry) string { return e.Host }},
	{name: "method", max: 32, about: "the method of the request", text: func(e *Entry) string { return e.Method }},
	{name: "path", max: 1024, about: "the path in the form that the decision used, without the query; as received if it has no such form", text: func(e *Entry) string { return e.Path }},
	{name: "client", max: 64, about: "the address of the client", write: (*line).client},
	{name: "principal", max: 1024, about: "the caller: an ARN, a subject or a principalId", text: func(e *Entry) string { return e.Principal }},
	{name: "access_key", max: 128, about: "the id of the access key that signed the request", text: func(e *Entry) string { return e.AccessKey }},
	{name: "issuer", max: 512, about: "the issuer of the token", text: func(e *Entry) string { return e.Issuer }},
	{name: "audience", max: 256, about: "the audience of the token", list: func(e *Entry) []string { return e.Audience }},
	{name: "client_id", max: 128, about: "the client id of the token", text: func(e *Entry) string { return e.ClientID }},
	{name: "key_id", max: 128, about: "the id of the key that signed the token", text: func(e *Entry) string { return e.KeyID }},
	{name: "scopes", max: 128, about: "the scopes of the token", list: func(e *Entry) []string { return e.Scopes }},
	{name: "needed_scopes", max: 128, about: "the scopes of which the route needs one", list: func(e *Entry) []string { return e.NeededScopes }},
	{name: "authorizer", max: 128, about: "the name of the authorizer", text: func(e *Entry) string { return e.Authorizer }},
	{name: "cache", max: 16, about: "`hit` or `miss`: whether the function's answer, or the verified token, was cached", text: func(e *Entry) string { return e.Cache }},
	{name: "policy", max: 512, about: "the policy that decided", text: func(e *Entry) string { return e.Policy }},
	{name: "statement", max: 256, about: "its statement: the Sid, or the position", text: func(e *Entry) string { return e.Statement }},
	{name: "condition", max: 512, about: "the condition that was not met", text: func(e *Entry) string { return e.Condition }},
	{name: "condition_key", max: 256, about: "the condition key", text: func(e *Entry) string { return e.ConditionKey }},
	{name: "action", max: 128, about: "the operation of STS, such as `AssumeRole`", text: func(e *Entry) string { return e.Action }},
	{name: "role", max: 2048, about: "the ARN of the role that a call of STS asks for", text: func(e *Entry) string { return e.Role }},
	{name: "session_name", max: 128, about: "the name of the session that a call of STS asks for", text: func(e *Entry) string { return e.SessionName }},
	{name: "issued_key", max: 128, about: "the id of the access key that STS issued", text: func(e *Entry) string { return e.IssuedKey }},
	{name: "detail", max: 1024, about: "a text for the operator", text: func(e *Entry) string { return e.Detail }},
	{name: "request_id", max: 128, about: "the request id, which the client's answer has too", text: func(e *Entry) string { return e.RequestID }},
	{name: "headers", max: maxChosen, about: "the request headers that `fields` chooses, by name", write: (*line).headers},
	{name: "query", max: maxChosen, about: "the query parameters that `fields` chooses, by name", write: (*line).query},
	{name: "claims", max: maxChosen, about: "the claims that `fields` chooses, by name", write: (*line).claims},
	{name: "duration_us", about: "how long the decision took, in microseconds", number: func(e *Entry) int64 { return max(e.Took.Microseconds(), 1) }},
}

const cutAbout = "the fields that were shortened"

// Table returns the schema as a table in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| field | type | at most | what it is |\n|---|---|---|---|\n")
	row := func(name, kind, most, about string) {
		b.WriteString("| `" + name + "` | " + kind + " | " + most + " | " + about + " |\n")
	}
	for _, f := range fields {
		most := strconv.Itoa(f.max) + " bytes"
		switch {
		case f.number != nil:
			row(f.name, "number", "", f.about)
		case f.list != nil:
			row(f.name, "list of texts", strconv.Itoa(maxItems)+" of "+most, f.about)
		case f.name == "headers" || f.name == "query" || f.name == "claims":
			row(f.name, "object of texts", most+" each", f.about)
		default:
			row(f.name, "text", most, f.about)
		}
	}
	row("cut", "list of texts", "", cutAbout)
	return b.String()
}

const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

func (l *line) time(e *Entry) bool {
	l.open("time")
	l.buf = append(l.buf, '"')
	l.buf = e.Time.UTC().AppendFormat(l.buf, timeFormat)
	l.buf = append(l.buf, '"')
	return false
}

func (l *line) client(e *Entry) bool {
	if !e.ClientAddress.IsValid() {
		return false
	}
	l.open("client")
	l.buf = append(l.buf, '"')
	l.buf = e.ClientAddress.WithZone("").AppendTo(l.buf)
	l.buf = append(l.buf, '"')
	return false
}
