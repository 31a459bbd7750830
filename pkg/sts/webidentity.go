package sts

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// maxWebIdentityToken is the limit of WebIdentityToken.
const maxWebIdentityToken = 20000

// webIdentity verifies the token of a call: its signature and times by its issuer, then its audience.
func (s *Service) webIdentity(ctx context.Context, c *Call) (*iam.WebIdentity, error) {
	text := withoutNewline(c.Text("WebIdentityToken"))
	switch {
	case len(text) > maxWebIdentityToken:
		return nil, constraint("", "WebIdentityToken", "Member must have length less than or equal to 20000")
	case strings.ContainsAny(text, " \t\r\n"):
		return nil, invalidToken("the token has blanks or more than one line")
	case s.tokens == nil:
		return nil, invalidToken("no issuer has audiences: write them to issuers in portcullis.yaml")
	}
	token, failed := s.tokens.Verify(ctx, text)
	if failed != nil {
		c.event.Issuer, c.event.Subject = failed.Caller().Issuer, failed.Caller().Principal
		return nil, tokenError(failed)
	}
	c.event.Issuer, c.event.Subject = token.Issuer(), token.Subject()
	if !token.For(s.audiences[token.Issuer()]) {
		return nil, &Error{Code: InvalidIdentityToken, Message: "Incorrect token audience", Detail: "the token's aud has none of its issuer's audiences"}
	}
	if token.Subject() == "" {
		return nil, invalidToken("the token has no sub")
	}
	if err := c.Within("web identity", token.Issuer()+"\n"+token.Subject()); err != nil {
		return nil, err
	}
	return WebIdentity(token)
}

// withoutNewline removes the newline at the end of a token file, which SDKs send along.
func withoutNewline(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

func invalidToken(detail string) *Error {
	return &Error{Code: InvalidIdentityToken, Message: "The web identity token that was passed could not be validated.", Detail: detail}
}

// audience returns the audience for the answer: the client, if the token names one, as the condition key aud does.
func audience(w *iam.WebIdentity) string {
	if w.AuthorizedParty != "" || len(w.Audience) == 0 {
		return w.AuthorizedParty
	}
	return w.Audience[0]
}

// WebIdentity reads the claims that trust policies and sessions know, of a token that was rendered as jwt.RenderJSON. A claim of another type
// than its own is refused, because it would otherwise count as absent.
func WebIdentity(t *jwt.Token) (*iam.WebIdentity, error) {
	w := &iam.WebIdentity{Issuer: t.Issuer(), Subject: t.Subject()}
	w.Audience, _ = t.Audience()
	for name, into := range map[string]*string{"azp": &w.AuthorizedParty, "https://aws.amazon.com/source_identity": &w.SourceIdentity} {
		if _, given := t.Claim(name); !given {
			continue
		}
		text, ok := t.StringClaim(name)
		if !ok || text == "" {
			return nil, invalidToken("the claim " + name + " is not a text, or empty")
		}
		*into = text
	}
	if _, given := t.Claim("amr"); given {
		var ok bool
		if w.Methods, ok = listClaim(t, "amr"); !ok {
			return nil, invalidToken("the claim amr is not a list of texts")
		}
	}
	var err error
	w.Tags, w.TransitiveTagKeys, err = sessionTags(t)
	return w, err
}

// listClaim returns a claim that is a list of texts.
func listClaim(t *jwt.Token, name string) ([]string, bool) {
	text, _ := t.Claim(name)
	if _, isString := t.StringClaim(name); isString {
		return nil, false
	}
	return list(json.RawMessage(text))
}

// list reads a list of texts. Null is not a text.
func list(data json.RawMessage) ([]string, bool) {
	var items []*string
	if json.Unmarshal(data, &items) != nil || items == nil {
		return nil, false
	}
	texts := make([]string, len(items))
	for i, item := range items {
		if item == nil {
			return nil, false
		}
		texts[i] = *item
	}
	return texts, true
}

const tagsClaim = "https://aws.amazon.com/tags"

// sessionTags reads the session tags of a token, which are one claim or, flattened, a claim for each tag ("Pass session tags in AWS
// STS", IAM User Guide). What has another form is refused: it would otherwise count as absent.
func sessionTags(t *jwt.Token) ([]session.Tag, []string, error) {
	var r tagReader
	nested, given := t.Claim(tagsClaim)
	_, isString := t.StringClaim(tagsClaim)
	if given && (isString || !r.object(nested)) {
		r.bad = true
	}
	for name := range t.ClaimsBelow(tagsClaim + "/") {
		texts, ok := listClaim(t, tagsClaim+"/"+name)
		r.bad = r.bad || given || !ok
		if key, isTag := strings.CutPrefix(name, "principal_tags/"); isTag {
			r.tag(key, texts)
		} else {
			r.bad = r.bad || name != "transitive_tag_keys"
			r.transitive = texts
		}
	}
	if r.bad {
		return nil, nil, invalidToken("the session tags of the token are not in the form of the claim " + tagsClaim)
	}
	slices.SortFunc(r.tags, func(a, b session.Tag) int { return strings.Compare(a.Key, b.Key) })
	return r.tags, r.transitive, nil
}

type tagReader struct {
	tags       []session.Tag
	transitive []string
	bad        bool
}

// object reads {"principal_tags": {"key": ["value"]}, "transitive_tag_keys": ["key"]}.
func (r *tagReader) object(text string) bool {
	var members, tags map[string]json.RawMessage
	ok := json.Unmarshal([]byte(text), &members) == nil
	for name, value := range members {
		switch name {
		case "principal_tags":
			ok = ok && json.Unmarshal(value, &tags) == nil && tags != nil
		case "transitive_tag_keys":
			var isList bool
			r.transitive, isList = list(value)
			ok = ok && isList
		default:
			return false
		}
	}
	for key, value := range tags {
		texts, isList := list(value)
		ok = ok && isList
		r.tag(key, texts)
	}
	return ok
}

// tag adds a tag, which has one value.
func (r *tagReader) tag(key string, values []string) {
	if len(values) != 1 {
		r.bad = true
		return
	}
	r.tags = append(r.tags, session.Tag{Key: key, Value: values[0]})
}
