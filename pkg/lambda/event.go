package lambda

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"iter"
	"math/big"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// event writes what the function is told of a request.
func (a *Authorizer) event(c Call) ([]byte, error) {
	if c.Event == nil {
		return nil, errors.New("a request came without its event")
	}
	e := c.Event.Event()
	if e == nil || e.Request == nil {
		return nil, errors.New("a request came without its event")
	}
	switch {
	case a.token:
		return encode(tokenEvent{Type: string(Token), MethodARN: e.MethodARN, AuthorizationToken: c.Identity[0]})
	case a.version == version2:
		return encode(a.newEvent2(e, c.Identity))
	default:
		return encode(a.newEvent1(e, c.Identity))
	}
}

// tokenEvent is the event of a TOKEN authorizer.
type tokenEvent struct {
	Type               string `json:"type"`
	MethodARN          string `json:"methodArn"`
	AuthorizationToken string `json:"authorizationToken"`
}

// encode writes JSON. What is not UTF-8 becomes U+FFFD.
func encode(event any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(event); err != nil {
		return nil, errors.New("the event cannot be written")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// headers yields the header lines with the host among them.
func headers(r *authz.Request) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if _, lines := r.Header("host"); lines == 0 && r.Host != "" && !yield("host", r.Host) {
			return
		}
		for name, value := range r.Headers() {
			if !yield(name, value) {
				return
			}
		}
	}
}

// spell gives a header's name the spelling that a client would have used.
func (a *Authorizer) spell(name string) string {
	if spelled, ok := a.spelling[name]; ok {
		return spelled
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

// query yields the parameters of the query decoded.
func query(r *authz.Request) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, value := range r.Query() {
			if !yield(unescaped(name), unescaped(value)) {
				return
			}
		}
	}
}

func unescaped(s string) string {
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		decoded = s
	}
	return clean(decoded)
}

// clean is needed for the keys of an object alone: two that are not UTF-8 must not become one.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func pathParameters(e *authz.Event) map[string]string {
	parameters := make(map[string]string, len(e.PathParameters))
	for _, p := range e.PathParameters {
		parameters[clean(p.Name)] = p.Value
	}
	return parameters
}

func stageVariables(e *authz.Event) map[string]string {
	variables := make(map[string]string, len(e.StageVariables))
	for name, value := range e.StageVariables {
		variables[clean(name)] = value
	}
	return variables
}

// requestTime is when the request came: the text of $context.requestTime, and milliseconds.
func (a *Authorizer) requestTime(e *authz.Event) (text string, epoch int64) {
	at := e.Request.Time
	if at.IsZero() {
		at = a.now()
	}
	return at.UTC().Format("02/Jan/2006:15:04:05 -0700"), at.UnixMilli()
}

// resourceID is the id of a resource, six characters as on API Gateway: nothing but the resource decides it.
func resourceID(e *authz.Event) string {
	sum := sha256.Sum256(appendText(appendText(nil, e.API), e.Resource))
	text := "00000" + new(big.Int).SetBytes(sum[:8]).Text(36)
	return text[len(text)-6:]
}

// orNil is a text that is null where it is empty.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
