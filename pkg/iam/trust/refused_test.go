package trust

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

const bobsRole = "arn:aws:iam::111122223333:role/bobs"

func trustPolicy(t *testing.T, kind policy.Kind, statement string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse([]byte(`{"Version": "2012-10-17", "Statement": `+statement+`}`), policy.Options{Name: "p", Kind: kind, Format: policy.FormatJSON})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}

// goodRole trusts bob, an identity provider and IAM Roles Anywhere.
func goodRole(t *testing.T) *Role {
	t.Helper()
	return &Role{
		ARN: bobsRole, ID: "AROABOBS00000000EXAMPLE", Partition: "aws", Account: "111122223333", MaxDuration: 2 * time.Hour,
		Trust: trustPolicy(t, policy.Trust, `{"Effect": "Allow", "Action": "sts:*", "Principal": {"AWS": ["arn:aws:iam::111122223333:user/bob", "`+bobsRole+`"],
			"Federated": ["arn:aws:iam::111122223333:oidc-provider/id.example.com", "accounts.google.com"], "Service": "rolesanywhere.amazonaws.com"}}`),
		Managed: func(arn string) *policy.Policy {
			if !strings.HasSuffix(arn, "/Narrow") {
				return nil
			}
			return trustPolicy(t, policy.Session, `{"Effect": "Allow", "Action": "*", "Resource": "*"}`)
		},
	}
}

func bob() *naiveCaller {
	return &naiveCaller{principal: policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::111122223333:user/bob", Account: "111122223333", ID: "AIDABOB"}}
}

func ofBob() *Request {
	return &Request{Role: bobsRole, SessionName: "ci", Caller: bob(), At: time.Now()}
}

func ofWeb() *Request {
	return &Request{
		Role: bobsRole, SessionName: "ci", At: time.Now(),
		Web: &WebIdentity{Issuer: "https://id.example.com", Subject: "pod", Audience: []string{"a"}},
	}
}

func code(err error) Code {
	if err == nil {
		return ""
	}
	refused, _ := errors.AsType[*Refused](err)
	return refused.Code
}

func someTags(n int, prefix string) (tags []session.Tag, keys []string) {
	for i := range n {
		tags, keys = append(tags, session.Tag{Key: fmt.Sprint(prefix, i), Value: "v"}), append(keys, fmt.Sprint(prefix, i))
	}
	return tags, keys
}

// Each limit by itself, in a request that is good otherwise.
func TestRequestsBeyondALimit(t *testing.T) {
	arns := func(n int, arn string) (list []string) {
		for range n {
			list = append(list, arn)
		}
		return list
	}
	const narrow = "arn:aws:iam::111122223333:policy/Narrow"
	for name, c := range map[string]struct {
		request func() *Request
		change  func(*Request)
		want    Code
	}{
		"bob":                    {ofBob, func(*Request) {}, ""},
		"web":                    {ofWeb, func(*Request) {}, ""},
		"nobody":                 {ofBob, func(r *Request) { r.Caller = nil }, InternalFailure},
		"two":                    {ofBob, func(r *Request) { r.Web = ofWeb().Web }, InternalFailure},
		"three":                  {ofBob, func(r *Request) { r.Workload = "spiffe://a/b" }, InternalFailure},
		"no time":                {ofBob, func(r *Request) { r.At = time.Time{} }, InternalFailure},
		"no issuer":              {ofWeb, func(r *Request) { r.Web.Issuer = "" }, InternalFailure},
		"an issuer of a scheme":  {ofWeb, func(r *Request) { r.Web.Issuer = "https://" }, InternalFailure},
		"no subject":             {ofWeb, func(r *Request) { r.Web.Subject = "" }, InternalFailure},
		"web with tags":          {ofWeb, func(r *Request) { r.Tags, _ = someTags(1, "k") }, ValidationError},
		"web with transitives":   {ofWeb, func(r *Request) { _, r.TransitiveTagKeys = someTags(1, "k") }, ValidationError},
		"web with a source":      {ofWeb, func(r *Request) { r.SourceIdentity = "dora" }, ValidationError},
		"web with an id":         {ofWeb, func(r *Request) { r.ExternalID = "x1" }, ValidationError},
		"a short role":           {ofBob, func(r *Request) { r.Role = "arn:aws:iam::1:role" }, ValidationError},
		"a long role":            {ofBob, func(r *Request) { r.Role += strings.Repeat("a", 2048) }, ValidationError},
		"a role without colons":  {ofBob, func(r *Request) { r.Role = "role/bobs-of-the-account" }, ValidationError},
		"a role of another kind": {ofBob, func(r *Request) { r.Role = "arn:aws:sts::111122223333:role/bobs" }, ValidationError},
		"a role in a region":     {ofBob, func(r *Request) { r.Role = "arn:aws:iam:eu-west-1:111122223333:role/bobs" }, ValidationError},
		"a user":                 {ofBob, func(r *Request) { r.Role = "arn:aws:iam::111122223333:user/bobs" }, ValidationError},
		"a name of 1":            {ofBob, func(r *Request) { r.SessionName = "a" }, ValidationError},
		"a name of 65":           {ofBob, func(r *Request) { r.SessionName = strings.Repeat("a", 65) }, ValidationError},
		"an external id of 1":    {ofBob, func(r *Request) { r.ExternalID = "a" }, ValidationError},
		"an external id, star":   {ofBob, func(r *Request) { r.ExternalID = "a*" }, ValidationError},
		"a source of 1":          {ofBob, func(r *Request) { r.SourceIdentity = "a" }, ValidationError},
		"a source of the token":  {ofWeb, func(r *Request) { r.Web.SourceIdentity = "a*" }, ValidationError},
		"14 minutes":             {ofBob, func(r *Request) { r.Duration = 14 * time.Minute }, ValidationError},
		"negative":               {ofBob, func(r *Request) { r.Duration = -time.Hour }, ValidationError},
		"12 hours and more":      {ofBob, func(r *Request) { r.Duration = 12*time.Hour + time.Second }, ValidationError},
		"two hours":              {ofBob, func(r *Request) { r.Duration = 2 * time.Hour }, ""},
		"beyond the role's":      {ofBob, func(r *Request) { r.Duration = 2*time.Hour + time.Second }, ValidationError},
		"a policy":               {ofBob, func(r *Request) { r.PolicyARNs = arns(1, narrow) }, ""},
		"11 policies":            {ofBob, func(r *Request) { r.PolicyARNs = arns(11, narrow) }, ValidationError},
		"an unknown policy":      {ofBob, func(r *Request) { r.PolicyARNs = arns(1, "arn:aws:iam::111122223333:policy/Wide") }, ValidationError},
		"text as a policy":       {ofBob, func(r *Request) { r.PolicyARNs = arns(1, "policy/Narrow") }, ValidationError},
		"a long policy ARN": {ofBob, func(r *Request) {
			r.PolicyARNs = arns(1, "arn:aws:iam::111122223333:policy/"+strings.Repeat("a", 2048)+"/Narrow")
		}, ValidationError},
		"a policy of S3":       {ofBob, func(r *Request) { r.PolicyARNs = arns(1, "arn:aws:s3::111122223333:policy/Narrow") }, ValidationError},
		"a policy in a region": {ofBob, func(r *Request) { r.PolicyARNs = arns(1, "arn:aws:iam:eu-west-1:111122223333:policy/Narrow") }, ValidationError},
		"a role as a policy":   {ofBob, func(r *Request) { r.PolicyARNs = arns(1, "arn:aws:iam::111122223333:role/Narrow") }, ValidationError},
		"a wrong policy":       {ofBob, func(r *Request) { r.Policy = "{" }, MalformedPolicyDocument},
		"a long policy":        {ofBob, func(r *Request) { r.Policy = strings.Repeat(" ", 2049) }, ValidationError},
		"50 tags":              {ofBob, func(r *Request) { r.Tags, r.TransitiveTagKeys = someTags(50, "k") }, ""},
		"51 tags":              {ofBob, func(r *Request) { r.Tags, _ = someTags(51, "k") }, ValidationError},
		"51 transitive keys": {ofBob, func(r *Request) {
			r.Tags, r.TransitiveTagKeys = someTags(50, "k")
			r.TransitiveTagKeys = append(r.TransitiveTagKeys, "K1")
		}, ValidationError},
		"a tag twice":            {ofBob, func(r *Request) { r.Tags = []session.Tag{{Key: "a"}, {Key: "A"}} }, ValidationError},
		"a tag without a key":    {ofBob, func(r *Request) { r.Tags = []session.Tag{{Value: "A"}} }, ValidationError},
		"a tag of AWS":           {ofBob, func(r *Request) { r.Tags = []session.Tag{{Key: "AWS:x"}} }, ValidationError},
		"a value of AWS":         {ofBob, func(r *Request) { r.Tags = []session.Tag{{Key: "x", Value: "Aws:x"}} }, ValidationError},
		"a value with a star":    {ofBob, func(r *Request) { r.Tags = []session.Tag{{Key: "x", Value: "*"}} }, ValidationError},
		"a tag of the token":     {ofWeb, func(r *Request) { r.Web.Tags = []session.Tag{{Key: "x*"}} }, ValidationError},
		"a transitive key alone": {ofBob, func(r *Request) { r.TransitiveTagKeys = []string{"a"} }, ValidationError},
		"tags and inherited": {ofBob, func(r *Request) {
			caller := bob()
			caller.transitive, _ = someTags(25, "inherited")
			r.Caller = caller
			r.Tags, _ = someTags(26, "k")
		}, ValidationError},
		"50 with inherited": {ofBob, func(r *Request) {
			caller := bob()
			caller.transitive, _ = someTags(25, "inherited")
			r.Caller = caller
			r.Tags, _ = someTags(25, "k")
		}, ""},
		"a device": {ofBob, func(r *Request) { r.MFADevice = "arn:aws:iam::111122223333:mfa/bob" }, AccessDenied},
		"a code":   {ofBob, func(r *Request) { r.MFACode = "123456" }, AccessDenied},
	} {
		r := c.request()
		c.change(r)
		if s, err := Assume(goodRole(t), r); code(err) != c.want || (s == nil) != (err != nil) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A role that is not whole admits nobody, and neither does a policy of another kind in the place of its trust policy.
func TestRolesThatAreNotWhole(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Role)
		want   Code
	}{
		"another ARN":     {func(r *Role) { r.ARN += "2" }, InternalFailure},
		"no id":           {func(r *Role) { r.ID = "" }, InternalFailure},
		"no account":      {func(r *Role) { r.Account = "" }, InternalFailure},
		"no partition":    {func(r *Role) { r.Partition = "" }, InternalFailure},
		"no trust policy": {func(r *Role) { r.Trust = nil }, AccessDenied},
		"a resource policy": {func(r *Role) {
			r.Trust = trustPolicy(t, policy.Resource, `{"Effect": "Allow", "Action": "*", "Principal": "*", "Resource": "*"}`)
		}, InternalFailure},
		"an identity policy": {func(r *Role) {
			r.Trust = trustPolicy(t, policy.Identity, `{"Effect": "Allow", "Action": "*", "Resource": "*"}`)
		}, InternalFailure},
	} {
		for who, request := range map[string]*Request{"bob": ofBob(), "web": ofWeb(), "workload": {Role: bobsRole, SessionName: "ci", At: time.Now(), Workload: "spiffe://a/b"}} {
			role := goodRole(t)
			if _, err := Assume(role, request); err != nil {
				t.Errorf("%s, %s: %v", name, who, err)
			}
			c.change(role)
			if s, err := Assume(role, request); code(err) != c.want || s != nil {
				t.Errorf("%s, %s: %v, want %s", name, who, err, c.want)
			}
		}
	}
	for name, role := range map[string]*Role{"none": nil, "without managed policies": func() *Role { r := goodRole(t); r.Managed = nil; return r }()} {
		r := ofBob()
		r.PolicyARNs = []string{"arn:aws:iam::111122223333:policy/Narrow"}
		if s, err := Assume(role, r); err == nil || s != nil {
			t.Errorf("%s: %v", name, s)
		}
	}
}

// The session of a token names its provider: the well-known ones by their short names.
func TestProviderOfASession(t *testing.T) {
	for issuer, want := range map[string]string{"https://id.example.com": "arn:aws:iam::111122223333:oidc-provider/id.example.com", "https://accounts.google.com": "accounts.google.com"} {
		r := ofWeb()
		r.Web.Issuer = issuer
		if s, err := Assume(goodRole(t), r); err != nil || s.FederatedProvider != want {
			t.Errorf("%s: %+v, %v", issuer, s, err)
		}
	}
	if s, err := Assume(goodRole(t), ofBob()); err != nil || s.FederatedProvider != "" {
		t.Errorf("%+v, %v", s, err)
	}
}

// Issuers whose URLs are alike are different providers.
func TestIssuersThatAreAlike(t *testing.T) {
	for _, issuer := range []string{
		"https://id.example.com/", "https://id.example.com/realm", "https://id.example.com:443", "https://ID.example.com", "https://id.example.com.", "https://id.example.com.evil.net",
		"https://evil.net/id.example.com", "https://evil-id.example.com", "https://id.example.co", "https://https://id.example.com", "https://id.example.com?x", "https://user@id.example.com",
	} {
		r := ofWeb()
		r.Web.Issuer = issuer
		if _, err := Assume(goodRole(t), r); code(err) != AccessDenied {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	role := goodRole(t)
	role.Trust = trustPolicy(t, policy.Trust, `{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": [
		"arn:aws:iam::111122223333:oidc-provider/id.example.com", "arn:aws:iam::111122223333:oidc-provider/id.example.com/", "arn:aws:iam::111122223333:oidc-provider/evil.net"]},
		"Condition": {"StringEquals": {"id.example.com:sub": "pod"}}}`)
	for issuer, want := range map[string]Code{"https://id.example.com": "", "https://id.example.com/": AccessDenied, "https://evil.net": AccessDenied} {
		r := ofWeb()
		r.Web.Issuer = issuer
		if _, err := Assume(role, r); code(err) != want {
			t.Errorf("the subject of id.example.com, a token of %s: %v", issuer, err)
		}
	}
}

// The keys of an issuer have its name in front.
func TestKeysOfAnotherIssuer(t *testing.T) {
	for key, want := range map[string]Code{"id.example.com:sub": "", "ID.example.com:SUB": "", "evil.net:sub": AccessDenied, "id.example.com/:sub": AccessDenied, "id.example.com:subject": AccessDenied, "aws:sub": AccessDenied} {
		role := goodRole(t)
		role.Trust = trustPolicy(t, policy.Trust, `{"Effect": "Allow", "Action": "sts:*", "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/id.example.com"}, "Condition": {"StringEquals": {"`+key+`": "pod"}}}`)
		if _, err := Assume(role, ofWeb()); code(err) != want {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// Only a user or a root user has a session of its own, and without a device.
func TestSessionsOfUsers(t *testing.T) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 5e8, time.UTC)
	for name, c := range map[string]struct {
		change func(*UserRequest, *policy.Principal)
		want   Code
		lasts  time.Duration
	}{
		"a user":         {func(*UserRequest, *policy.Principal) {}, "", 12 * time.Hour},
		"15 minutes":     {func(r *UserRequest, _ *policy.Principal) { r.Duration = 15 * time.Minute }, "", 15 * time.Minute},
		"36 hours":       {func(r *UserRequest, _ *policy.Principal) { r.Duration = 36 * time.Hour }, "", 36 * time.Hour},
		"root":           {func(_ *UserRequest, p *policy.Principal) { p.Kind = policy.Root }, "", time.Hour},
		"root, 36 hours": {func(r *UserRequest, p *policy.Principal) { r.Duration, p.Kind = 36*time.Hour, policy.Root }, "", time.Hour},
		"root, briefly":  {func(r *UserRequest, p *policy.Principal) { r.Duration, p.Kind = 15*time.Minute, policy.Root }, "", 15 * time.Minute},
		"14 minutes":     {func(r *UserRequest, _ *policy.Principal) { r.Duration = 14 * time.Minute }, ValidationError, 0},
		"37 hours":       {func(r *UserRequest, _ *policy.Principal) { r.Duration = 37 * time.Hour }, ValidationError, 0},
		"temporary":      {func(r *UserRequest, _ *policy.Principal) { r.Temporary = true }, AccessDenied, 0},
		"temporary root": {func(r *UserRequest, p *policy.Principal) { r.Temporary, p.Kind = true, policy.Root }, AccessDenied, 0},
		"a role session": {func(_ *UserRequest, p *policy.Principal) { p.Kind = policy.RoleSession }, AccessDenied, 0},
		"a federated":    {func(_ *UserRequest, p *policy.Principal) { p.Kind = policy.FederatedUser }, AccessDenied, 0},
		"a device":       {func(r *UserRequest, _ *policy.Principal) { r.MFADevice = "arn" }, AccessDenied, 0},
		"a code":         {func(r *UserRequest, _ *policy.Principal) { r.MFACode = "123456" }, AccessDenied, 0},
		"no time":        {func(r *UserRequest, _ *policy.Principal) { r.At = time.Time{} }, InternalFailure, 0},
		"no id":          {func(r *UserRequest, _ *policy.Principal) { r.UserID = "" }, InternalFailure, 0},
		"no ARN":         {func(_ *UserRequest, p *policy.Principal) { p.ARN = "" }, InternalFailure, 0},
	} {
		caller := bob()
		r := &UserRequest{Caller: caller, UserID: "AIDABOB", At: at}
		c.change(r, &caller.principal)
		s, err := OfUser(r)
		if code(err) != c.want || (s == nil) != (err != nil) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if s != nil && (s.Expires.Sub(s.Issued) != c.lasts || !s.Issued.Equal(at.Truncate(time.Second)) || s.User != caller.principal.ARN || s.UserID != "AIDABOB" || s.Role != "") {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
