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

// maxToken is the limit of WebIdentityToken.
const maxToken = 20000

// webIdentity verifies the token of a call: its signature and times by its issuer, then its audience.
func (s *Service) webIdentity(ctx context.Context, c *Call) (*iam.WebIdentity, error) {
	text := withoutNewline(c.Text("WebIdentityToken"))
	switch {
	case len(text) > maxToken:
		return nil, constraint("", "WebIdentityToken", "Member must have length less than or equal to 20000")
	case strings.ContainsAny(text, " \t\r\n"):
		return nil, invalidToken("the token has blanks or more than one line")
	case s.tokens == nil:
		return nil, invalidToken("no issuer has audiences: write them to issuers in portcullis.yaml")
	}
	token, failed := s.tokens.Verify(ctx, text)
	if failed != nil {
		c.entry.issuer, c.entry.subject = failed.Caller().Issuer, failed.Caller().Principal
		return nil, tokenError(failed)
	}
	c.entry.issuer, c.entry.subject = token.Issuer(), token.Subject()
	if !token.For(s.audiences[token.Issuer()]) {
		return nil, &Error{Code: InvalidIdentityToken, Message: "Incorrect token audience", Detail: "the token's aud has none of its issuer's audiences"}
	}
	if token.Subject() == "" {
		return nil, invalidToken("the token has no sub")
	}
	if err := c.within("web identity", token.Issuer()+"\n"+token.Subject()); err != nil {
		return nil, err
	}
	return identityOf(token)
}

// withoutNewline removes the newline at the end of a token file, which SDKs send along.
func withoutNewline(text string) string { return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r") }

func invalidToken(detail string) *Error {
	return &Error{Code: InvalidIdentityToken, Message: "The web identity token that was passed could not be validated.", Detail: detail}
}

// audience is what the answer calls the audience: the client, if the token names one, as the condition key aud does.
func audience(w *iam.WebIdentity) string {
	if w.AuthorizedParty != "" || len(w.Audience) == 0 {
		return w.AuthorizedParty
	}
	return w.Audience[0]
}

// identityOf reads the claims that trust policies and sessions know. A claim of another type than its own is refused, for it would
// otherwise count as absent.
func identityOf(t *jwt.Token) (*iam.WebIdentity, error) {
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
	if amr, given := t.Claim("amr"); given && json.Unmarshal([]byte(amr), &w.Methods) != nil {
		return nil, invalidToken("the claim amr is not a list of texts")
	}
	var err error
	w.Tags, w.TransitiveTagKeys, err = sessionTags(t)
	return w, err
}

const tagsClaim = "https://aws.amazon.com/tags"

// tags is the claim of session tags ("Pass session tags in AWS STS", IAM User Guide).
type tags struct {
	Principal  map[string][]string `json:"principal_tags"`
	Transitive []string            `json:"transitive_tag_keys"`
}

// sessionTags reads the session tags of a token, which are one claim or, flattened, a claim for each tag. Other members of the claim are
// refused: they could be tags in a form that is not known.
func sessionTags(t *jwt.Token) ([]session.Tag, []string, error) {
	bad := invalidToken("the session tags of the token are not in the form of the claim " + tagsClaim)
	var all tags
	nested, given := t.Claim(tagsClaim)
	if given {
		decoder := json.NewDecoder(strings.NewReader(nested))
		decoder.DisallowUnknownFields()
		if nested == "" || nested[0] != '{' || decoder.Decode(&all) != nil || !exactNames(nested) {
			return nil, nil, bad
		}
	}
	for name, text := range t.ClaimsBelow(tagsClaim + "/") {
		key, isTag := strings.CutPrefix(name, "principal_tags/")
		var values []string
		if given || json.Unmarshal([]byte(text), &values) != nil || !isTag && name != "transitive_tag_keys" {
			return nil, nil, bad
		}
		if !isTag {
			all.Transitive = values
			continue
		}
		if all.Principal == nil {
			all.Principal = map[string][]string{}
		}
		all.Principal[key] = values
	}
	var list []session.Tag
	for key, values := range all.Principal {
		if len(values) != 1 {
			return nil, nil, bad
		}
		list = append(list, session.Tag{Key: key, Value: values[0]})
	}
	slices.SortFunc(list, func(a, b session.Tag) int { return strings.Compare(a.Key, b.Key) })
	return list, all.Transitive, nil
}

// exactNames reports whether the members of the claim have exactly the names that count: encoding/json ignores case.
func exactNames(object string) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(object), &members) != nil {
		return false
	}
	for name, value := range members {
		if name != "principal_tags" && name != "transitive_tag_keys" || string(value) == "null" {
			return false
		}
	}
	return true
}
