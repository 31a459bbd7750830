package sts

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestErrorsOfParameters(t *testing.T) {
	f := newFixture(t, nil)
	alice := f.signer("AKIAALICE0000EXAMPLE")
	signed := func(body string) *http.Request { return sign(t, alice, change(post(nil), body)) }
	full := assumeForm().Encode()
	for _, c := range []struct {
		name    string
		request *http.Request
		code    Code
		message string
	}{
		{"nothing", change(post(nil), ""), MissingAction, ""},
		{"GET without a query", httptest.NewRequest("GET", "/", nil), MissingAction, ""},
		{"empty action", change(post(nil), "Action=&Version="+version), MissingAction, ""},
		{"unknown action", post(form("AssumeEverything")), InvalidAction, "Could not find operation AssumeEverything for version 2011-06-15"},
		{"action in another case", post(form("assumeRole")), InvalidAction, ""},
		{"DecodeAuthorizationMessage", post(form("DecodeAuthorizationMessage")), InvalidAction, "Could not find operation DecodeAuthorizationMessage"},
		{"AssumeRoleWithSAML", post(form("AssumeRoleWithSAML")), InvalidAction, ""},
		{"GetFederationToken", post(form("GetFederationToken")), InvalidAction, ""},
		{"GetAccessKeyInfo", post(form("GetAccessKeyInfo")), InvalidAction, ""},
		{"AssumeRoot", post(form("AssumeRoot")), InvalidAction, ""},
		{"no version", change(post(nil), "Action=AssumeRole"), InvalidAction, "for version NO_VERSION_SPECIFIED"},
		{"another version", change(post(nil), "Action=AssumeRole&Version=2010-05-08"), InvalidAction, "for version 2010-05-08"},
		{"markup in an action", post(form("<script>")), InvalidAction, "Could not find operation <script>"},
		{"AssumeRole by GET", httptest.NewRequest("GET", "/?"+full, nil), InvalidAction, "POST"},
		{"web identity by GET", httptest.NewRequest("GET", "/?"+webForm(t, nil).Encode(), nil), InvalidAction, "POST"},

		{"twice", signed(full + "&RoleArn=" + url.QueryEscape(pod)), MalformedQueryString, "RoleArn twice"},
		{"twice, escaped", signed(full + "&Role%41rn=x"), MalformedQueryString, "RoleArn twice"},
		{"action twice", signed(full + "&Action=GetCallerIdentity"), MalformedQueryString, "twice"},
		{"bad escape", signed(full + "&X=%zz"), MalformedQueryString, ""},
		{"bad text", signed(full + "&X=%ff"), MalformedQueryString, ""},
		{"many", signed(full + strings.Repeat("&a=", 1) + manyParameters(300)), MalformedQueryString, "too many"},
		{"bad escape in a name", signed(full + "&%zz=1"), MalformedQueryString, "syntax"},
		{"bad text in a name", signed(full + "&%ff=1"), MalformedQueryString, "syntax"},
		{"letters that are not printable", post(form("Assume\u202eRole")), InvalidAction, "operation Assume?Role for"},
		{"web identity, duration", post(webForm(t, nil, "DurationSeconds", "x")), ValidationError, "durationSeconds"},
		{"session token, duration", sign(t, alice, post(form("GetSessionToken", "DurationSeconds", "x"))), ValidationError, "durationSeconds"},
		{"session token, 37 hours", sign(t, alice, post(form("GetSessionToken", "DurationSeconds", "133200"))), ValidationError, "durationSeconds"},
		{"long name", signed(full + "&" + strings.Repeat("a", 129) + "=1"), MalformedQueryString, ""},
		{"another case", signed(full + "&policy=%7B%7D"), ValidationError, "write Policy"},
		{"list in another case", signed(full + "&tags.member.1.Key=a"), ValidationError, "write Tags"},
		{"empty policy", signed(full + "&Policy="), ValidationError, "Value '' at 'policy' failed"},
		{"empty policy without =", signed(full + "&Policy"), ValidationError, "Value '' at 'policy' failed"},
		{"empty external id", signed(full + "&ExternalId="), ValidationError, "externalId"},
		{"empty duration", signed(full + "&DurationSeconds="), ValidationError, "durationSeconds"},
		{"duration zero", signed(full + "&DurationSeconds=0"), ValidationError, "'0' at 'durationSeconds'"},
		{"duration negative", signed(full + "&DurationSeconds=-3600"), ValidationError, "durationSeconds"},
		{"duration fraction", signed(full + "&DurationSeconds=3600.5"), ValidationError, "durationSeconds"},
		{"duration overflow", signed(full + "&DurationSeconds=18446744073709555216"), ValidationError, "durationSeconds"},
		{"duration of 13 hours", signed(full + "&DurationSeconds=46800"), ValidationError, "durationSeconds"},
		{"provided contexts", signed(full + "&ProvidedContexts.member.1.ProviderArn=a"), ValidationError, "ProvidedContexts is not supported"},
		{"no role", sign(t, alice, post(form("AssumeRole", "RoleSessionName", "deploy"))), ValidationError,
			"1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null"},
		{"no role and name", sign(t, alice, post(form("AssumeRole"))), ValidationError, "2 validation errors detected: "},
		{"not an ARN", signed(assumeForm("RoleArn", "ops").Encode()), ValidationError, ""},
		{"one character", signed(assumeForm("RoleSessionName", "d").Encode()), ValidationError, "roleSessionName"},
		{"a name with a slash", signed(assumeForm("RoleSessionName", "a/b").Encode()), ValidationError, "roleSessionName"},
		{"a name with a star", signed(assumeForm("RoleSessionName", "a*").Encode()), ValidationError, "roleSessionName"},

		{"list without a number", signed(full + "&PolicyArns=a"), MalformedQueryString, "PolicyArns"},
		{"list without member", signed(full + "&PolicyArns.1.arn=a"), MalformedQueryString, ""},
		{"list from zero", signed(full + "&PolicyArns.member.0.arn=a"), MalformedQueryString, ""},
		{"list with two spellings", signed(full + "&PolicyArns.member.01.arn=a"), MalformedQueryString, ""},
		{"list with a high number", signed(full + "&PolicyArns.member.1000.arn=a"), MalformedQueryString, ""},
		{"list with another field", signed(full + "&PolicyArns.member.1.Arn=a"), MalformedQueryString, ""},
		{"list with more fields", signed(full + "&TransitiveTagKeys.member.1.Key=a"), MalformedQueryString, ""},
		{"empty policy ARN", signed(full + "&PolicyArns.member.1.arn="), ValidationError, "policyArns.1.member.arn"},
		{"tag without key", signed(full + "&Tags.member.1.Value=a"), ValidationError, "tags.1.member.key"},
		{"empty transitive key", signed(full + "&TransitiveTagKeys.member.1="), ValidationError, ""},
		{"transitive key without tag", signed(full + "&TransitiveTagKeys.member.1=a"), ValidationError, "transitive"},
		{"unknown managed policy", signed(full + "&PolicyArns.member.1.arn=arn:aws:iam::111122223333:policy/Nothing"), ValidationError, "does not exist"},
		{"policy is not JSON", signed(assumeForm("Policy", "{").Encode()), MalformedPolicyDocument, ""},
		{"policy of 2049 characters", signed(assumeForm("Policy", policyOf(2049)).Encode()), ValidationError, "policy"},
		{"random policy", signed(assumeForm("Policy", randomPolicy()).Encode()), PackedPolicyTooLarge, ""},
		{"a policy of 1 MiB", post(assumeForm("Policy", strings.Repeat("a", 1<<20))), ValidationError, "larger than"},

		{"web identity without token", post(form("AssumeRoleWithWebIdentity", "RoleArn", pod, "RoleSessionName", "a1")), ValidationError, "webIdentityToken"},
		{"web identity with ProviderId", post(webForm(t, nil, "ProviderId", "www.amazon.com")), ValidationError, "ProviderId is not supported"},
		{"web identity with empty ProviderId", post(webForm(t, nil, "ProviderId", "")), ValidationError, "ProviderId is not supported"},
		{"web identity with a long session", post(webForm(t, nil, "DurationSeconds", "7200")), ValidationError, "MaxSessionDuration"},
	} {
		f.refused(t, c.name, c.request, statuses[c.code], c.code, c.message)
	}
}

func manyParameters(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("&p" + strings.Repeat("x", i%100) + string(rune('a'+i/100)) + "=")
	}
	return b.String()
}

func policyOf(length int) string {
	const text = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	return text + strings.Repeat(" ", length-len(text))
}

// randomPolicy does not get shorter by packing.
func randomPolicy() string {
	var b strings.Builder
	b.WriteString(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":["arn:aws:execute-api:eu-west-1:111122223333:`)
	x := uint32(1)
	for b.Len() < 2030 {
		x = x*1664525 + 1013904223
		b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[x>>26])
	}
	return b.String() + `"]}}`
}

func FuzzParameters(f *testing.F) {
	f.Add("Action=AssumeRole&Version=2011-06-15&Tags.member.1.Key=a&Tags.member.1.Value=b", "")
	f.Add("A=%41&a", "PolicyArns.member.2.arn=x&PolicyArns.member.1.arn=y")
	f.Add("TransitiveTagKeys.member.1=k&&==&Policy=", "Policy=x")
	f.Fuzz(func(t *testing.T, query, body string) {
		p, failed := readParameters(query, body)
		if failed != nil {
			return
		}
		// net/url is the second opinion: the same names and values, each once.
		all, err := url.ParseQuery(query)
		more, err2 := url.ParseQuery(body)
		if err == nil && err2 == nil {
			for name, values := range more {
				all[name] = append(all[name], values...)
			}
			for name, values := range all {
				if len(values) != 1 || p.Text(name) != values[0] {
					t.Fatalf("%q is %q, want %q", name, p.Text(name), values)
				}
			}
		}
		if p.fit(&assumeRoleShape) != nil {
			return
		}
		for _, text := range slices.Concat(p.Texts("PolicyArns", "arn"), p.Texts("Tags", "Key"), p.Texts("TransitiveTagKeys", "")) {
			if text == "" {
				t.Fatal("an empty member")
			}
		}
		if len(p.Texts("Tags", "Key")) != len(p.Texts("Tags", "Value")) || p.Text("RoleArn") == "" {
			t.Fatal("a tag without a value, or no role")
		}
	})
}
