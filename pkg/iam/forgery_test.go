package iam

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

// forger has the genuine credentials of two sessions and the keys of two users; it knows everything but the keys of the ring.
type forger struct {
	t      *testing.T
	ring   *session.Ring
	own    session.Credentials
	other  session.Credentials
	signer sigv4test.Signer // signs with own
}

// token replaces the token of the signer.
func (f *forger) token(text string) sigv4test.Signer {
	s := f.signer
	s.Token = text
	return s
}

// raw returns the token's bytes, changed.
func (f *forger) raw(change func([]byte) []byte) sigv4test.Signer {
	raw, err := base64.RawURLEncoding.DecodeString(f.own.SessionToken)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.token(base64.RawURLEncoding.EncodeToString(change(raw)))
}

// flip changes one bit of the byte at an offset; from the end if it is negative.
func (f *forger) flip(at int) sigv4test.Signer {
	return f.raw(func(b []byte) []byte {
		b[(at+len(b))%len(b)] ^= 1
		return b
	})
}

// seal signs with the credentials of a session that the ring itself has sealed.
func (f *forger) seal(change func(*session.Session)) sigv4test.Signer {
	s := deployerSession()
	change(s)
	return sessionSigner(mustSeal(f.t, f.ring, s))
}

func (f *forger) json(v any) sigv4test.Signer {
	text, err := json.Marshal(v)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.token(base64.RawURLEncoding.EncodeToString(text))
}

// withKey signs with the id and secret of a configured key.
func (f *forger) withKey(k *AccessKey, token string) sigv4test.Signer {
	s := signerOf(k)
	s.Token = token
	return s
}

// The offsets in a token: the version, the length of the ring key's id, the id "k1", the salt, the sealed session.
const (
	atLength = 1
	atID     = 2
	atSalt   = 4
	atSealed = 28
)

// forgeries are signed in the header and presigned. None is allowed. All but a few get the answer for an unknown key.
var forgeries = []struct {
	name string
	make func(*forger) sigv4test.Signer
	code authz.Code // CodeUnknownKey if empty
}{
	{"the version changed", func(f *forger) sigv4test.Signer { return f.flip(0) }, ""},
	{"the length of the key's id changed", func(f *forger) sigv4test.Signer { return f.flip(atLength) }, ""},
	{"the key's id changed", func(f *forger) sigv4test.Signer { return f.flip(atID) }, ""},
	{"the salt changed at its start", func(f *forger) sigv4test.Signer { return f.flip(atSalt) }, ""},
	{"the salt changed at its end", func(f *forger) sigv4test.Signer { return f.flip(atSealed - 1) }, ""},
	{"the sealed session changed at its start", func(f *forger) sigv4test.Signer { return f.flip(atSealed) }, ""},
	{"the sealed session changed inside", func(f *forger) sigv4test.Signer { return f.flip(atSealed + 20) }, ""},
	{"the tag changed at its start", func(f *forger) sigv4test.Signer { return f.flip(-16) }, ""},
	{"the tag changed at its end", func(f *forger) sigv4test.Signer { return f.flip(-1) }, ""},
	{"the id of another session", func(f *forger) sigv4test.Signer { s := f.signer; s.KeyID = f.other.AccessKeyID; return s }, ""},
	{"the token of another session", func(f *forger) sigv4test.Signer { return f.token(f.other.SessionToken) }, ""},
	{"the id of another session, its secret too", func(f *forger) sigv4test.Signer { s := sessionSigner(f.other); s.Token = f.own.SessionToken; return s }, ""},
	{"the secret of another session", func(f *forger) sigv4test.Signer { s := f.signer; s.Secret = f.other.SecretAccessKey; return s }, authz.CodeBadSignature},
	{"no secret", func(f *forger) sigv4test.Signer { s := f.signer; s.Secret = ""; return s }, authz.CodeBadSignature},
	{"the token as secret", func(f *forger) sigv4test.Signer { s := f.signer; s.Secret = s.Token; return s }, authz.CodeBadSignature},
	{"the id of the ring's other key", func(f *forger) sigv4test.Signer { return f.raw(func(b []byte) []byte { b[atID+1] = '2'; return b }) }, ""},
	{"the id of no key", func(f *forger) sigv4test.Signer { return f.raw(func(b []byte) []byte { b[atID+1] = '9'; return b }) }, ""},
	{"an empty id of the key", func(f *forger) sigv4test.Signer {
		return f.raw(func(b []byte) []byte { return append([]byte{b[0], 0}, b[atSalt:]...) })
	}, ""},
	{"an id of the key beyond the end", func(f *forger) sigv4test.Signer { return f.raw(func(b []byte) []byte { b[atLength] = 255; return b }) }, ""},
	{"one byte less", func(f *forger) sigv4test.Signer { return f.raw(func(b []byte) []byte { return b[:len(b)-1] }) }, ""},
	{"one character less", func(f *forger) sigv4test.Signer { return f.token(f.own.SessionToken[:len(f.own.SessionToken)-1]) }, ""},
	{"nothing sealed", func(f *forger) sigv4test.Signer { return f.raw(func(b []byte) []byte { return b[:atSealed] }) }, ""},
	{"only a tag", func(f *forger) sigv4test.Signer {
		return f.raw(func(b []byte) []byte { return append(b[:atSealed:atSealed], b[len(b)-16:]...) })
	}, ""},
	{"one byte more", func(f *forger) sigv4test.Signer { return f.raw(func(b []byte) []byte { return append(b, 0) }) }, ""},
	{"more characters", func(f *forger) sigv4test.Signer { return f.token(f.own.SessionToken + "AAAA") }, ""},
	{"twice", func(f *forger) sigv4test.Signer { return f.token(f.own.SessionToken + f.own.SessionToken) }, ""},
	{"a list", func(f *forger) sigv4test.Signer { return f.token(f.own.SessionToken + "," + f.own.SessionToken) }, ""},
	{"the other alphabet of base64", func(f *forger) sigv4test.Signer {
		return f.token(strings.NewReplacer("-", "+", "_", "/").Replace(f.own.SessionToken))
	}, ""},
	{"padding", func(f *forger) sigv4test.Signer { return f.token(f.own.SessionToken + "=") }, ""},
	{"unused bits", func(f *forger) sigv4test.Signer { return f.token(unusedBits(f.own.SessionToken)) }, ""},
	{"a space inside", func(f *forger) sigv4test.Signer {
		return f.token(f.own.SessionToken[:40] + " " + f.own.SessionToken[40:])
	}, ""},
	{"in capital letters", func(f *forger) sigv4test.Signer { return f.token(strings.ToUpper(f.own.SessionToken)) }, ""},
	{"escaped once too often", func(f *forger) sigv4test.Signer { return f.token(url.QueryEscape(f.own.SessionToken + "=")) }, ""},
	{"expired for 60 seconds", func(f *forger) sigv4test.Signer {
		return f.seal(func(s *session.Session) { s.Expires = now.Add(-60 * time.Second) })
	}, authz.CodeExpiredToken},
	{"expired for 61 seconds", func(f *forger) sigv4test.Signer {
		return f.seal(func(s *session.Session) { s.Expires = now.Add(-61 * time.Second) })
	}, authz.CodeExpiredToken},
	{"expired, with a wrong secret", func(f *forger) sigv4test.Signer {
		s := f.seal(func(s *session.Session) { s.Expires = now.Add(-time.Hour) })
		s.Secret = "x"
		return s
	}, authz.CodeExpiredToken},
	{"issued in the future", func(f *forger) sigv4test.Signer {
		return f.seal(func(s *session.Session) { s.Issued = now.Add(maxAhead + time.Second) })
	}, ""},
	{"a long-term id", func(f *forger) sigv4test.Signer { s := f.signer; s.KeyID = "AKIA" + s.KeyID[4:]; return s }, ""},
	{"an id in lower case", func(f *forger) sigv4test.Signer { s := f.signer; s.KeyID = strings.ToLower(s.KeyID); return s }, ""},
	{"an id with more at its end", func(f *forger) sigv4test.Signer { s := f.signer; s.KeyID += "A"; return s }, ""},
	{"the token with a user's long-term key", func(f *forger) sigv4test.Signer { return f.withKey(aliceKey(), f.own.SessionToken) }, ""},
	{"the token with a configured temporary key", func(f *forger) sigv4test.Signer { return f.withKey(deployerKey(), f.own.SessionToken) }, ""},
	{"a configured token with the session's id", func(f *forger) sigv4test.Signer { return f.token(deployerKey().SessionToken) }, ""},
	{"a session of an inactive key's id", func(f *forger) sigv4test.Signer { s := f.signer; s.KeyID = "ASIAINACTIVE"; return s }, ""},
	{"the fields in clear", func(f *forger) sigv4test.Signer { return f.json(deployerSession()) }, ""},
	{"the fields in clear after a genuine header", func(f *forger) sigv4test.Signer {
		return f.raw(func(b []byte) []byte { return append(b[:atSealed:atSealed], deployerARN+"AROADEPLOYER0000EXAMPLE"...) })
	}, ""},
	{"a token of no algorithm", func(f *forger) sigv4test.Signer {
		return f.token("eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(deployerARN)) + ".")
	}, ""},
	{"a foreign ring with keys of the same ids", func(f *forger) sigv4test.Signer {
		return sessionSigner(mustSeal(f.t, foreignRing(f.t), deployerSession()))
	}, ""},
	{"no token", func(f *forger) sigv4test.Signer { return f.token("") }, ""},
	{"a token of one byte", func(f *forger) sigv4test.Signer { return f.token("AQ") }, ""},
	{"a token of 16 KiB", func(f *forger) sigv4test.Signer { return f.token(strings.Repeat("A", 16<<10)) }, ""},
	{"of a role that is gone", func(f *forger) sigv4test.Signer { return f.seal(func(s *session.Session) { s.Role += "2" }) }, ""},
	{"of another role of the same name", func(f *forger) sigv4test.Signer { return f.seal(func(s *session.Session) { s.RoleID = "AROAX" }) }, ""},
	{"of a role without its path", func(f *forger) sigv4test.Signer {
		return f.seal(func(s *session.Session) { s.Role = "arn:aws:iam::111122223333:role/deployer" })
	}, ""},
	{"of a user as a role", func(f *forger) sigv4test.Signer {
		return f.seal(func(s *session.Session) { s.Role, s.RoleID = aliceARN, "AIDAALICE0000000EXAMPLE" })
	}, ""},
	{"with a slash in its name", func(f *forger) sigv4test.Signer { return f.seal(func(s *session.Session) { s.Name = "a/b" }) }, ""},
	{"with a tag twice", func(f *forger) sigv4test.Signer {
		return f.seal(func(s *session.Session) { s.Tags = []session.Tag{{Key: "a"}, {Key: "A"}} })
	}, ""},
	{"with a policy that cannot be read", func(f *forger) sigv4test.Signer { return f.seal(func(s *session.Session) { s.Policy = "{" }) }, ""},
	{"with a policy that names a principal", func(f *forger) sigv4test.Signer {
		return f.seal(func(s *session.Session) {
			s.Policy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`
		})
	}, ""},
	{"with a managed policy that is gone", func(f *forger) sigv4test.Signer {
		return f.seal(func(s *session.Session) { s.PolicyARNs = []string{"arn:aws:iam::aws:policy/Gone"} })
	}, ""},
	{"with a managed policy that cannot be read", func(f *forger) sigv4test.Signer {
		return f.seal(func(s *session.Session) { s.PolicyARNs = []string{"arn:aws:iam::aws:policy/NobodyHasIt"} })
	}, ""},
}

// unusedBits sets the bits of the last character that belong to no byte.
func unusedBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last|1])
}

func foreignRing(t *testing.T) *session.Ring {
	t.Helper()
	key := base64.StdEncoding.EncodeToString([]byte("foreign, abcdefghijklmnopqrstuvw"))
	r, faults := session.NewRing([]session.RingKey{{ID: "k1", Secret: key, Issues: true}}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return r
}

// forged returns a forger and a verifier that knows keys of configuration, too, and caches nothing or everything.
func forged(t *testing.T, cached bool) (*forger, *Verifier) {
	t.Helper()
	f := &forger{t: t, ring: mustRing(t, "k1", "k2")}
	b := NewBuilder()
	b.Sessions(f.ring)
	if faults := b.AddAccount([]byte(accountExport), testOrganization); len(faults) > 0 {
		t.Fatal(faults)
	}
	mustAdd(t, b, aliceKey())
	mustAdd(t, b, deployerKey())
	mustAdd(t, b, &AccessKey{ID: "ASIAINACTIVE", Secret: secret, SessionToken: "t", User: aliceARN, Inactive: true})
	c := Config{Store: b.Store(), Now: func() time.Time { return now }}
	if cached {
		c.Sessions, c.SigningKeys = mustCache[*identity](t), mustCache[[32]byte](t)
	}
	v, err := New(c).Verifier(Options{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	// A token that has characters of the other alphabet, and bits that belong to no byte.
	for !strings.ContainsAny(f.own.SessionToken, "-_") || len(f.own.SessionToken)%4 == 0 {
		s := deployerSession()
		s.Name = strings.Repeat("x", 1+len(f.own.SessionToken)%7)
		f.own = mustSeal(t, f.ring, s)
	}
	f.other, f.signer = mustSeal(t, f.ring, deployerSession()), sessionSigner(f.own)
	for range 2 { // both are opened, and kept if they are cached
		for _, c := range []session.Credentials{f.own, f.other} {
			if _, err := verify(v, c); err != nil {
				t.Fatal(err)
			}
		}
		v.sessions.Wait()
	}
	return f, v
}

func TestForgedSessions(t *testing.T) {
	if len(forgeries) < 40 {
		t.Fatalf("%d forgeries", len(forgeries))
	}
	for _, cached := range []bool{false, true} {
		f, v := forged(t, cached)
		for _, row := range forgeries {
			for form, sign := range map[string]func(sigv4test.Signer, *authz.Request){"header": sigv4test.Signer.Sign, "query": presign} {
				r := request()
				sign(row.make(f), r)
				refused(t, v, r, row.name+", "+form, row.code)
			}
		}
		for _, row := range f.spliced() {
			refused(t, v, row.request, row.name, row.code)
		}
		if c, err := verify(v, f.own); err != nil || c == nil {
			t.Errorf("the genuine token after all that: %v", err)
		}
		s := f.seal(func(s *session.Session) { s.Expires, s.Issued = now.Add(-59*time.Second), now.Add(maxAhead) })
		r := request()
		s.Sign(r)
		if _, err := v.Verify(r); err != nil {
			t.Errorf("expired for 59 seconds, issued by a clock that is ahead: %v", err)
		}
	}
}

func presign(s sigv4test.Signer, r *authz.Request) {
	s.Expires = 60
	s.Presign(r)
}

func refused(t *testing.T, v *Verifier, r *authz.Request, name string, code authz.Code) {
	t.Helper()
	if code == "" {
		code = authz.CodeUnknownKey
	}
	c, err := v.Verify(r)
	failed, ok := errors.AsType[*authz.Refusal](err)
	if c != nil || !ok || failed.Reason.Code != code {
		t.Errorf("%s: a caller %v, %v; want %s", name, c, err, code)
	}
	if ok && failed.ResponseType == "" {
		t.Errorf("%s: the answer is %+v", name, failed)
	}
}

type splice struct {
	name    string
	request *authz.Request
	code    authz.Code
}

// spliced are requests whose token was moved, removed or doubled after signing.
func (f *forger) spliced() []splice {
	header := func(add ...authz.Field) *authz.Request {
		r := request()
		f.signer.Sign(r)
		return edited(r, func(n, v string) []authz.Field { return []authz.Field{{Name: n, Value: v}} }, add...)
	}
	replaced := func(token ...string) *authz.Request {
		r := request()
		f.signer.Sign(r)
		return edited(r, func(n, v string) []authz.Field {
			if n != "x-amz-security-token" {
				return []authz.Field{{Name: n, Value: v}}
			}
			var lines []authz.Field
			for _, text := range token {
				lines = append(lines, authz.Field{Name: n, Value: text})
			}
			return lines
		})
	}
	query := func(change func(target string) string, add ...authz.Field) *authz.Request {
		r := request()
		presign(f.signer, r)
		r.Target = change(r.Target)
		r.SetHeaders(add)
		return r
	}
	same := func(target string) string { return target }
	token := authz.Field{Name: "x-amz-security-token", Value: f.own.SessionToken}
	parameter := "&X-Amz-Security-Token=" + f.own.SessionToken
	moved := query(func(target string) string { return strings.Replace(target, parameter, "", 1) }, token)
	inQuery := request()
	inQuery.Target += parameter
	without := f.token("")
	without.Sign(inQuery)
	return []splice{
		{"a second header", header(token), authz.CodeBadSignature},
		{"a header for a presigned request", query(same, token), authz.CodeUnknownKey},
		{"moved from the query to the header", moved, authz.CodeUnknownKey},
		{"in the query of a request that is signed in the header", inQuery, authz.CodeUnknownKey},
		{"a second parameter", query(func(target string) string { return target + parameter }), authz.CodeBadSignature},
		{"a parameter in lower case", query(func(target string) string {
			return strings.Replace(target, "X-Amz-Security-Token", "x-amz-security-token", 1)
		}), authz.CodeBadSignature},
		{"an escaped parameter", query(func(target string) string {
			return strings.Replace(target, "X-Amz-Security-Token", "X%2DAmz-Security-Token", 1)
		}), authz.CodeBadSignature},
		{"an empty parameter", query(func(target string) string { return strings.Replace(target, f.own.SessionToken, "", 1) }), authz.CodeBadSignature},
		{"removed after signing", replaced(), authz.CodeBadSignature},
		{"emptied after signing", replaced(""), authz.CodeUnknownKey},
		{"replaced after signing", replaced(f.other.SessionToken), authz.CodeUnknownKey},
		{"two after signing", replaced(f.own.SessionToken, f.own.SessionToken), authz.CodeBadSignature},
		{"two, the second one's own", replaced(f.other.SessionToken, f.own.SessionToken), authz.CodeBadSignature},
	}
}

// edited returns a request whose header lines are replaced, with more at the end.
func edited(r *authz.Request, line func(name, value string) []authz.Field, add ...authz.Field) *authz.Request {
	var lines []authz.Field
	for name, value := range r.Headers() {
		lines = append(lines, line(name, value)...)
	}
	r.SetHeaders(append(lines, add...))
	return r
}
