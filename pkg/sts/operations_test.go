package sts

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	f := newFixture(t, nil)
	a := f.granted(t, "pod", post(webForm(t, nil)))
	for name, want := range map[string]string{
		"Arn": "arn:aws:sts::111122223333:assumed-role/pod/cart-1", "AssumedRoleId": "AROAPOD000000000EXAMPLE:cart-1",
		"SubjectFromWebIdentityToken": "system:serviceaccount:shop:cart", "Audience": stsAudience, "Provider": issuer, "PackedPolicySize": "", "SourceIdentity": "",
	} {
		if a.texts[name] != want {
			t.Errorf("%s is %q, want %q", name, a.texts[name], want)
		}
	}
	s, secret, ok := f.ring.Open(a.texts["AccessKeyId"], a.texts["SessionToken"])
	if !ok || secret != a.texts["SecretAccessKey"] || s.Role != pod || s.RoleID != "AROAPOD000000000EXAMPLE" || s.Name != "cart-1" {
		t.Errorf("the credentials do not open: %v, %+v", ok, s)
	}
	expires, err := time.Parse(time.RFC3339, a.texts["Expiration"])
	if rest := time.Until(expires); err != nil || rest < 59*time.Minute || rest > time.Hour || !strings.HasSuffix(a.texts["Expiration"], "Z") {
		t.Errorf("expires %s", a.texts["Expiration"])
	}
	for name, c := range map[string]struct {
		claims claims
		pairs  []string
		want   map[string]string
	}{
		"newline":           {pairs: []string{"WebIdentityToken", token(t, nil) + "\n"}},
		"CR and newline":    {pairs: []string{"WebIdentityToken", token(t, nil) + "\r\n"}},
		"one of audiences":  {claims: claims{"aud": []string{"x", stsAudience}}},
		"audience as text":  {claims: claims{"aud": "other"}, want: map[string]string{"Audience": "other"}},
		"azp":               {claims: claims{"azp": "web"}, want: map[string]string{"Audience": "web"}},
		"unknown parameter": {pairs: []string{"Shiny", "1"}},
		"fifteen minutes":   {pairs: []string{"DurationSeconds", "900"}},
		"policy":            {pairs: []string{"Policy", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, "PolicyArns.member.1.arn", "arn:aws:iam::111122223333:policy/Narrow"}},
		"source identity":   {claims: claims{"https://aws.amazon.com/source_identity": "dora"}, want: map[string]string{"SourceIdentity": "dora"}},
	} {
		a := f.granted(t, name, post(webForm(t, c.claims, c.pairs...)))
		for element, want := range c.want {
			if a.texts[element] != want {
				t.Errorf("%s: %s is %q, want %q", name, element, a.texts[element], want)
			}
		}
		if _, has := a.texts["PackedPolicySize"]; has != (name == "policy") {
			t.Errorf("%s: PackedPolicySize %q", name, a.texts["PackedPolicySize"])
		}
	}
}

func TestWebIdentityTokensThatAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	altered := token(t, nil)
	altered = altered[:len(altered)-8] + "AAAAAAAA"
	for name, c := range map[string]struct {
		claims claims
		token  string
		code   Code
		detail string
	}{
		"expired":                   {claims: claims{"exp": time.Now().Unix() - 1}, code: ExpiredTokenException},
		"not yet":                   {claims: claims{"nbf": time.Now().Unix() + 600}, code: InvalidIdentityToken},
		"another issuer":            {claims: claims{"iss": issuer + "/"}, code: InvalidIdentityToken},
		"no audience":               {claims: claims{"aud": nil}, code: InvalidIdentityToken, detail: "audience"},
		"another audience":          {claims: claims{"aud": "sts.amazonaws.com"}, code: InvalidIdentityToken, detail: "audience"},
		"audience in azp only":      {claims: claims{"aud": "x", "azp": stsAudience}, code: InvalidIdentityToken, detail: "audience"},
		"no subject":                {claims: claims{"sub": nil}, code: InvalidIdentityToken},
		"another subject":           {claims: claims{"sub": "system:serviceaccount:shop:other"}, code: AccessDenied},
		"subject of another length": {claims: claims{"sub": "system:serviceaccount:shop:cart2"}, code: AccessDenied},
		"keys that are not there":   {claims: claims{"iss": "http://127.0.0.1:1/down"}, code: IDPCommunicationError},
		"altered":                   {token: altered, code: InvalidIdentityToken},
		"Bearer":                    {token: "Bearer " + token(t, nil), code: InvalidIdentityToken},
		"two newlines":              {token: token(t, nil) + "\n\n", code: InvalidIdentityToken},
		"not a token":               {token: "x.y.z", code: InvalidIdentityToken},
		"long":                      {token: strings.Repeat("a", maxWebIdentityToken+1), code: ValidationError},
		"azp of another type":       {claims: claims{"azp": []string{"web"}}, code: InvalidIdentityToken},
		"empty azp":                 {claims: claims{"azp": ""}, code: InvalidIdentityToken},
		"amr as text":               {claims: claims{"amr": "pwd"}, code: InvalidIdentityToken},
		"amr of numbers":            {claims: claims{"amr": []int{1}}, code: InvalidIdentityToken},
		"source identity as list":   {claims: claims{"https://aws.amazon.com/source_identity": []string{"a"}}, code: InvalidIdentityToken},
	} {
		form := webForm(t, c.claims)
		if c.token != "" {
			form.Set("WebIdentityToken", c.token)
		}
		f.refused(t, name, post(form), statuses[c.code], c.code, c.detail)
	}
	if log := f.log.String(); strings.Contains(log, "eyJ") || !strings.Contains(log, "subject=system:serviceaccount:shop:other") {
		t.Errorf("the log: %s", log)
	}
	f = newFixture(t, func(c *Config) { c.Tokens = nil })
	f.refused(t, "no issuer", post(webForm(t, nil)), 400, InvalidIdentityToken, "")
}

func TestSessionTagsOfTokens(t *testing.T) {
	f := newFixture(t, nil)
	const flat = tagsClaim + "/"
	for name, c := range map[string]struct {
		claims claims
		want   string // key=value of the tags, and the transitive keys; empty if refused
	}{
		"none":   {claims: nil, want: "; "},
		"nested": {claims: claims{tagsClaim: claims{"principal_tags": claims{"team": []string{"shop"}, "env": []string{"prod"}}, "transitive_tag_keys": []string{"env"}}}, want: "env=prod team=shop; env"},
		"flat":   {claims: claims{flat + "principal_tags/team": []string{"shop"}, flat + "transitive_tag_keys": []string{"team"}}, want: "team=shop; team"},
		"empty":  {claims: claims{tagsClaim: claims{}}, want: "; "},

		"two values":       {claims: claims{tagsClaim: claims{"principal_tags": claims{"team": []string{"a", "b"}}}}},
		"no value":         {claims: claims{tagsClaim: claims{"principal_tags": claims{"team": []string{}}}}},
		"null value":       {claims: claims{tagsClaim: claims{"principal_tags": claims{"team": []any{nil}}}}},
		"text value":       {claims: claims{tagsClaim: claims{"principal_tags": claims{"team": "shop"}}}},
		"another member":   {claims: claims{tagsClaim: claims{"Principal_Tags": claims{"team": []string{"shop"}}}}},
		"a text":           {claims: claims{tagsClaim: `{"principal_tags":{"team":["shop"]}}`}},
		"a list":           {claims: claims{tagsClaim: []string{"team"}}},
		"null tags":        {claims: claims{tagsClaim: claims{"principal_tags": nil}}},
		"transitive text":  {claims: claims{tagsClaim: claims{"transitive_tag_keys": "team"}}},
		"both forms":       {claims: claims{tagsClaim: claims{}, flat + "principal_tags/team": []string{"shop"}}},
		"flat text":        {claims: claims{flat + "principal_tags/team": `["shop"]`}},
		"flat, two values": {claims: claims{flat + "principal_tags/team": []string{"a", "b"}}},
		"flat, another":    {claims: claims{flat + "principal": []string{"shop"}}},
	} {
		if c.want == "" {
			f.refused(t, name, post(webForm(t, c.claims)), 400, InvalidIdentityToken, "")
			continue
		}
		a := f.granted(t, name, post(webForm(t, c.claims)))
		s, _, ok := f.ring.Open(a.texts["AccessKeyId"], a.texts["SessionToken"])
		if !ok {
			continue
		}
		var tags []string
		for _, tag := range s.Tags {
			tags = append(tags, tag.Key+"="+tag.Value)
		}
		if got := strings.Join(tags, " ") + "; " + strings.Join(s.TransitiveTagKeys, " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAssumeRole(t *testing.T) {
	f := newFixture(t, nil)
	alice := f.signer("AKIAALICE0000EXAMPLE")
	a := f.granted(t, "alice", sign(t, alice, post(assumeForm("Tags.member.2.Key", "team", "Tags.member.2.Value", "shop", "Tags.member.10.Key", "env", "Tags.member.10.Value", "",
		"TransitiveTagKeys.member.1", "team", "SourceIdentity", "dora", "ExternalId", "x1"))))
	s, _, _ := f.ring.Open(a.texts["AccessKeyId"], a.texts["SessionToken"])
	if a.texts["Arn"] != "arn:aws:sts::111122223333:assumed-role/ops/deploy" || a.texts["SourceIdentity"] != "dora" || a.texts["PackedPolicySize"] == "" ||
		len(s.Tags) != 2 || s.Tags[0].Key != "team" || s.Tags[1].Value != "" || s.TransitiveTagKeys[0] != "team" {
		t.Errorf("%s: %+v", a.body, s)
	}
	f.refused(t, "bob", sign(t, f.signer("AKIABOB000000EXAMPLE"), post(assumeForm())), 403, AccessDenied,
		"User: arn:aws:iam::111122223333:user/bob is not authorized to perform: sts:AssumeRole on resource: "+ops)
	f.refused(t, "root", sign(t, f.signer("AKIAROOT00000EXAMPLE"), post(assumeForm())), 403, AccessDenied, "")
	f.refused(t, "unknown role", sign(t, alice, post(assumeForm("RoleArn", ops+"2"))), 403, AccessDenied, "")
	f.refused(t, "a device", sign(t, alice, post(assumeForm("SerialNumber", "arn:aws:iam::111122223333:mfa/alice"))), 403, AccessDenied, "MFA")
	f.refused(t, "a code", sign(t, alice, post(assumeForm("TokenCode", "123456"))), 403, AccessDenied, "MFA")
	f.refused(t, "a role of tokens", sign(t, alice, post(assumeForm("RoleArn", pod))), 403, AccessDenied, "")

	chained := f.signer(a.texts["AccessKeyId"])
	chained.Secret, chained.Token = a.texts["SecretAccessKey"], a.texts["SessionToken"]
	if got := f.send(t, sign(t, chained, post(form("GetCallerIdentity")))); got.status != 200 || got.texts["Arn"] != a.texts["Arn"] ||
		got.texts["UserId"] != "AROAOPS000000000EXAMPLE:deploy" {
		t.Errorf("the session: %d %s", got.status, got.body)
	}
	f.refused(t, "a session's session", sign(t, chained, post(form("GetSessionToken"))), 403, AccessDenied, "")
	f.refused(t, "another session's token", sign(t, withToken(chained, a.texts["SessionToken"][1:]), post(form("GetCallerIdentity"))), 403, InvalidClientTokenID, "")
}

func TestGetSessionToken(t *testing.T) {
	f := newFixture(t, nil)
	alice := f.signer("AKIAALICE0000EXAMPLE")
	a := f.granted(t, "alice", sign(t, alice, post(form("GetSessionToken", "DurationSeconds", "3600"))))
	s, _, _ := f.ring.Open(a.texts["AccessKeyId"], a.texts["SessionToken"])
	if s == nil || s.User != "arn:aws:iam::111122223333:user/alice" || strings.Contains(a.body, "AssumedRoleUser") {
		t.Errorf("%s: %+v", a.body, s)
	}
	f.refused(t, "MFA", sign(t, alice, post(form("GetSessionToken", "SerialNumber", "arn:aws:iam::111122223333:mfa/alice", "TokenCode", "123456"))), 403, AccessDenied, "MFA")
	f.refused(t, "short", sign(t, alice, post(form("GetSessionToken", "DurationSeconds", "899"))), 400, ValidationError, "'899' at 'durationSeconds'")
	f.refused(t, "unsigned", post(form("GetSessionToken")), 403, MissingAuthenticationToken, "")
}

// GetCallerIdentity needs no permission: bob has a Deny for everything.
func TestGetCallerIdentity(t *testing.T) {
	f := newFixture(t, nil)
	bob := f.signer("AKIABOB000000EXAMPLE")
	query := form("GetCallerIdentity").Encode()
	regionless := bob
	regionless.Region = ""
	short, long := bob, bob
	short.Expires, short.At = 60, bob.At.Add(-2*time.Minute)
	long.Expires, long.At = 3600, bob.At.Add(-16*time.Minute)
	old, late := bob, bob
	old.At, late.At = bob.At.Add(-14*time.Minute), bob.At.Add(14*time.Minute)
	outdated := bob
	outdated.At = bob.At.Add(-16 * time.Minute)
	unsignedHeader := presigned(bob, query)
	unsignedHeader.Header.Set("X-Amz-Meta", "x")
	for name, r := range map[string]*http.Request{
		"POST": sign(t, bob, post(form("GetCallerIdentity"))), "GET": sign(t, bob, httptest.NewRequest("GET", "/?"+query, nil)), "presigned": presigned(bob, query),
		"no region": sign(t, regionless, post(form("GetCallerIdentity"))), "no region, presigned": presigned(regionless, query),
		"14 minutes old": sign(t, old, post(form("GetCallerIdentity"))), "14 minutes early": sign(t, late, post(form("GetCallerIdentity"))),
		"presigned, 14 minutes old": presigned(old, query),
	} {
		a := f.send(t, r)
		if a.status != 200 || a.texts["Arn"] != "arn:aws:iam::111122223333:user/bob" || a.texts["UserId"] != "AIDABOB000000000EXAMPLE" || a.texts["Account"] != "111122223333" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for name, r := range map[string]*http.Request{
		"outdated": sign(t, outdated, post(form("GetCallerIdentity"))), "presigned for a minute": presigned(short, query), "presigned for an hour": presigned(long, query),
		"an X-Amz header added": unsignedHeader,
	} {
		f.refused(t, name, r, 403, SignatureDoesNotMatch, "")
	}
	tampered := sign(t, bob, post(form("GetCallerIdentity")))
	tampered.Body = http.NoBody
	tampered.ContentLength = 0
	tampered.URL.RawQuery = query
	f.refused(t, "parameters moved to the query", tampered, 403, SignatureDoesNotMatch, "")
	other := sign(t, bob, post(form("GetCallerIdentity")))
	other.Host = "sts.other.example.com"
	f.refused(t, "another host", other, 403, SignatureDoesNotMatch, "")
	api := bob
	api.Service = "execute-api"
	f.refused(t, "a signature for an API", sign(t, api, post(form("GetCallerIdentity"))), 403, SignatureDoesNotMatch, "Credential should be scoped to correct service: 'sts'")
	f.refused(t, "unknown key", sign(t, f.signer("AKIANOBODY000EXAMPLE"), post(form("GetCallerIdentity"))), 403, InvalidClientTokenID, "")
	f.refused(t, "a body changed", change(sign(t, bob, post(form("GetCallerIdentity"))), form("GetCallerIdentity", "A", "b").Encode()), 403, SignatureDoesNotMatch, "")
}

func TestExpiredSession(t *testing.T) {
	at := time.Now().Add(-2 * time.Hour)
	f := newFixture(t, func(c *Config) { c.Now = func() time.Time { return at } })
	f.at = at
	a := f.granted(t, "two hours ago", sign(t, f.signer("AKIAALICE0000EXAMPLE"), post(assumeForm())))
	at = time.Now()
	f.at = at
	s := f.signer(a.texts["AccessKeyId"])
	s.Secret, s.Token = a.texts["SecretAccessKey"], a.texts["SessionToken"]
	f.refused(t, "now", sign(t, s, post(form("GetCallerIdentity"))), 403, ExpiredToken, "expired")
}

func TestJSON(t *testing.T) {
	f := newFixture(t, nil)
	r := sign(t, f.signer("AKIABOB000000EXAMPLE"), post(form("GetCallerIdentity")))
	r.Header.Set("Accept", "application/json")
	a := f.send(t, r)
	var answer struct {
		GetCallerIdentityResponse struct {
			GetCallerIdentityResult struct{ Arn, UserID, Account string }
			ResponseMetadata        struct{ RequestID string }
		}
	}
	err := json.Unmarshal([]byte(a.body), &answer)
	if got := answer.GetCallerIdentityResponse; err != nil || a.header.Get("Content-Type") != "application/json" || got.GetCallerIdentityResult.Arn != "arn:aws:iam::111122223333:user/bob" ||
		got.ResponseMetadata.RequestID != a.header.Get("x-amzn-RequestId") {
		t.Errorf("%v: %s", err, a.body)
	}
	r = post(webForm(t, nil))
	r.Header.Set("Accept", "application/json")
	var credentials struct {
		AssumeRoleWithWebIdentityResponse struct {
			AssumeRoleWithWebIdentityResult struct{ Credentials struct{ Expiration int64 } }
		}
	}
	if a = f.send(t, r); json.Unmarshal([]byte(a.body), &credentials) != nil ||
		credentials.AssumeRoleWithWebIdentityResponse.AssumeRoleWithWebIdentityResult.Credentials.Expiration < time.Now().Unix() {
		t.Error(a.body)
	}
	r = post(form("Nothing"))
	r.Header.Set("Accept", "application/json")
	if a = f.send(t, r); a.status != 400 || !strings.HasPrefix(a.body, `{"Error":{"Type":"Sender","Code":"InvalidAction","Message":"`) {
		t.Error(a.status, a.body)
	}
}
