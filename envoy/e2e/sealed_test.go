package e2e

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	sealing "github.com/portcullis-authz/portcullis/pkg/session"
)

// sealedKey is the key that the sessions of these tests are sealed under.
var sealedKey = base64.StdEncoding.EncodeToString([]byte("e2e: abcdefghijklmnopqrstuvwxyz0"))

// accepting is signing for callers who have nothing but sealed sessions.
func accepting() setup {
	c := signing("")
	c.config = strings.Replace(c.config, "  accessKeys: [{file: access-keys.yaml}]\n", "  sessions: {keys: [{id: k1, secret: {file: ring.key}, use: ISSUE}]}\n", 1)
	delete(c.files, "access-keys.yaml")
	c.files["ring.key"] = sealedKey + "\n"
	return c
}

// sealed returns a principal with credentials that a replica has sealed.
func sealed(t *testing.T, arn string, s *sealing.Session) who {
	t.Helper()
	ring, faults := sealing.NewRing([]sealing.RingKey{{ID: "k1", Secret: sealedKey, Issues: true}}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s.Issued = time.Now()
	if s.Expires.IsZero() {
		s.Expires = time.Now().Add(time.Hour)
	}
	c, err := ring.Seal(s)
	if err != nil {
		t.Fatal(err)
	}
	return who{arn: arn, id: c.AccessKeyID, secret: c.SecretAccessKey, session: c.SessionToken}
}

func sealedRole(t *testing.T, name string, change func(*sealing.Session)) who {
	t.Helper()
	s := &sealing.Session{Role: role(owner, name), RoleID: "AROA" + owner[:4] + strings.ToUpper(name), Name: "ci"}
	change(s)
	return sealed(t, session(owner, name).arn, s)
}

func sealedUser(t *testing.T, name string) who {
	t.Helper()
	return sealed(t, user(owner, name).arn, &sealing.Session{User: user(owner, name).arn, UserID: "AIDA" + owner[:4] + strings.ToUpper(name)})
}

// Every client's requests pass with sealed credentials, at any of two replicas that share nothing but the key.
func TestClientsSignWithSealedSessions(t *testing.T) {
	t.Parallel()
	replicas := []*stack{start(t, accepting()), start(t, accepting())}
	callers := []who{sealedUser(t, member), sealedRole(t, grants, func(*sealing.Session) {})}
	eachClient(t, func(t *testing.T, c client, m mode) {
		for _, tc := range signables() {
			if tc.name != "GET" && tc.name != "PUT bytes" && tc.name != "spaces" || tc.not[c.name]+tc.not[c.name+" "+string(m)] != "" {
				continue
			}
			t.Run(tc.name, func(t *testing.T) {
				for _, caller := range callers {
					request := c.mustSign(t, tc.signedBy(caller, m))
					for _, s := range replicas {
						s.passes(t, s.send11(t, request), request, caller)
						s.passes(t, s.send20(t, request), request, caller)
					}
				}
			})
		}
	})
}

func TestSealedSessionsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t, accepting())
	valid := sealedRole(t, grants, func(*sealing.Session) {})
	changed := func(change func(*who)) who {
		w := valid
		change(&w)
		return w
	}
	denied := `{"Message":"User: ` + session(owner, silent).arn + ` is not authorized`
	for name, row := range map[string]struct {
		caller          who
		errorType, body string
	}{
		"expired": {
			sealedRole(t, grants, func(s *sealing.Session) { s.Expires = time.Now().Add(-time.Minute) }),
			"ExpiredTokenException", `{"message":"The security token included in the request is expired"}`,
		},
		"the grace is over only then": {sealedRole(t, grants, func(s *sealing.Session) { s.Expires = time.Now().Add(-30 * time.Second) }), "", ""},
		"altered":                     {changed(func(w *who) { w.session = w.session[:50] + "AAAA" + w.session[54:] }), "UnrecognizedClientException", unknownKey},
		"another id":                  {changed(func(w *who) { w.id = session(owner, grants).id }), "UnrecognizedClientException", unknownKey},
		"a role created anew":         {sealedRole(t, grants, func(s *sealing.Session) { s.RoleID = "AROAOLD" }), "UnrecognizedClientException", unknownKey},
		"no token":                    {changed(func(w *who) { w.session = "" }), "UnrecognizedClientException", unknownKey},
		"another secret":              {changed(func(w *who) { w.secret = "x" }), "InvalidSignatureException", mismatch},
		"no permission":               {sealedRole(t, silent, func(*sealing.Session) {}), "AccessDeniedException", denied},
		"beyond its session policy": {sealedRole(t, grants, func(s *sealing.Session) {
			s.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/GET/pets/8"}]}`
		}), "AccessDeniedException", strings.Replace(denied, silent, grants, 1)},
	} {
		for _, m := range []mode{inHeader, presigned} {
			t.Run(name+"/"+string(m), func(t *testing.T) {
				request := goClient().mustSign(t, by(row.caller, m, "GET", "/pets/7"))
				a := s.send11(t, request)
				if row.errorType == "" {
					s.passes(t, a, request, row.caller)
					return
				}
				if s.denied(t, a, 403); a.header.Get("x-amzn-errortype") != row.errorType || !strings.HasPrefix(a.body, row.body) {
					t.Errorf("%s, %s; want %s, %s", a.header.Get("x-amzn-errortype"), a.body, row.errorType, row.body)
				}
			})
		}
	}
	if log := s.portcullis.Stderr(); strings.Contains(log, valid.session[60:100]) || strings.Contains(log, valid.secret) || strings.Contains(log, sealedKey[:20]) {
		t.Error("the log has a token or a key")
	}
}
