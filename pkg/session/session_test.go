package session

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// The keys of the tests.
var (
	keyOne   = base64.StdEncoding.EncodeToString([]byte("one: abcdefghijklmnopqrstuvwxyz0"))
	keyTwo   = base64.StdEncoding.EncodeToString([]byte("two: abcdefghijklmnopqrstuvwxyz0"))
	keyThree = base64.StdEncoding.EncodeToString([]byte("three: abcdefghijklmnopqrstuvwxy"))
)

func ring(t testing.TB, keys ...RingKey) *Ring {
	t.Helper()
	for i := range keys {
		keys[i].At = fault.Root(nil).Field("keys").Item(i)
	}
	r, faults := NewRing(keys, fault.Root(nil).Field("keys"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return r
}

func oneRing(t testing.TB) *Ring { return ring(t, RingKey{ID: "k1", Secret: keyOne, Issues: true}) }

func roleSession() *Session {
	return &Session{
		Role: "arn:aws:iam::111122223333:role/team/reader", RoleID: "AROAEXAMPLEREADER001", Name: "web",
		Issued: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Expires: time.Date(2026, 11, 28, 13, 0, 0, 0, time.UTC),
		Policy:            `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]}`,
		PolicyARNs:        []string{"arn:aws:iam::aws:policy/ReadOnly"},
		Tags:              []Tag{{"Team", "Å"}, {"empty", ""}},
		TransitiveTagKeys: []string{"Team"},
		SourceIdentity:    "alice", FederatedProvider: "arn:aws:iam::111122223333:oidc-provider/issuer.test/a",
	}
}

func userSession() *Session {
	return &Session{
		User: "arn:aws:iam::111122223333:user/alice", UserID: "AIDAEXAMPLEALICE0001",
		Issued: time.Unix(0, 0).UTC(), Expires: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC),
	}
}

func seal(t testing.TB, r *Ring, s *Session) Credentials {
	t.Helper()
	c, err := r.Seal(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	r := oneRing(t)
	for _, s := range []*Session{roleSession(), userSession()} {
		c := seal(t, r, s)
		got, secret, ok := r.Open(c.AccessKeyID, c.SessionToken)
		if !ok || secret != c.SecretAccessKey {
			t.Fatalf("%v: opened %v, the same secret: %v", s, ok, secret == c.SecretAccessKey)
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Error(diff)
		}
		if len(c.AccessKeyID) != 20 || !strings.HasPrefix(c.AccessKeyID, "ASIA") || len(c.SecretAccessKey) != 40 || !c.Expiration.Equal(s.Expires) {
			t.Errorf("%s, a secret of %d characters, until %v", c.AccessKeyID, len(c.SecretAccessKey), c.Expiration)
		}
	}
	if end := roleSession().End(); !end.Equal(roleSession().Expires.Add(60 * time.Second)) {
		t.Errorf("the credentials stop working at %v", end)
	}
}

// Open returns every session that Seal accepts.
func TestRoundTrip(t *testing.T) {
	r, random := oneRing(t), rand.New(rand.NewPCG(1, 2))
	text := func(most int) string {
		b := make([]byte, random.IntN(most+1))
		for i := range b {
			b[i] = byte(random.IntN(256))
		}
		return string(b)
	}
	list := func() (l []string) {
		for range random.IntN(4) {
			l = append(l, text(20))
		}
		return l
	}
	instant := func() time.Time { return time.Unix(random.Int64N(1<<34), 0).UTC() }
	for range 2000 {
		s := &Session{Role: "r" + text(40), RoleID: "i" + text(20), Name: "n" + text(64), Issued: instant(), Expires: instant()}
		s.Policy, s.PolicyARNs, s.TransitiveTagKeys, s.SourceIdentity = text(300), list(), list(), text(64)
		s.FederatedProvider = text(60)
		for range random.IntN(5) {
			s.Tags = append(s.Tags, Tag{text(20), text(20)})
		}
		c := seal(t, r, s)
		got, _, ok := r.Open(c.AccessKeyID, c.SessionToken)
		if diff := cmp.Diff(s, got, cmpopts.EquateEmpty()); !ok || diff != "" {
			t.Fatalf("%v %s", ok, diff)
		}
	}
}

// The credentials of roleSession that were sealed before.
const (
	firstID    = "ASIABOG2JH2RKCJZNDL5"
	firstToken = "AgJrMSwMMqc-ykHUnz12SQIVz6nZD9esq8nfkJpqcFs6gQf8zXYeOvIqJgga8SAT5nnfkUNnwpAUOiY0jWGS4I1QtzbvtQ6wqyHRhBSae40Mxg-h3yBCsyb9UlwLNyEKqYaj43v7bbIk" +
		"QvUsye4wy10oinr9UFBW2FqI4ue_U6VvVPO1wrZREzNHM65oQe02fygGD0NqKB48fAo7YC5DS_3IQEzrLLHlrGZHJk50YDZnxtT3"
	firstSecret = "bfmi8oeMteJhoyPXHNhMnH1Hl6zwssucH7osg87U"
)

// A token from before opens: a change of the format needs a new version.
func TestFormatStays(t *testing.T) {
	s, got, ok := oneRing(t).Open(firstID, firstToken)
	if !ok || got != firstSecret {
		t.Fatalf("opened: %v, its secret is %s", ok, got)
	}
	if diff := cmp.Diff(roleSession(), s); diff != "" {
		t.Error(diff)
	}
}

// No field is forgotten in the packed form.
func TestEveryFieldIsSealed(t *testing.T) {
	s := roleSession()
	s.User, s.UserID = "user", "id"
	for i, v := 0, reflect.ValueOf(s).Elem(); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the test leaves %s empty", v.Type().Field(i).Name)
		}
	}
	e := encoder{}
	walk(s, &e)
	got := &Session{}
	walk(got, &decoder{data: e.data})
	if diff := cmp.Diff(s, got); diff != "" {
		t.Error(diff)
	}
}

// Two-phase rotation: a key is accepted everywhere before it issues, and afterwards until its tokens have expired.
func TestRotation(t *testing.T) {
	before := ring(t, RingKey{ID: "one", Secret: keyOne, Issues: true})
	accepted := ring(t, RingKey{ID: "one", Secret: keyOne, Issues: true}, RingKey{ID: "two", Secret: keyTwo})
	issued := ring(t, RingKey{ID: "one", Secret: keyOne}, RingKey{ID: "two", Secret: keyTwo, Issues: true})
	after := ring(t, RingKey{ID: "two", Secret: keyTwo, Issues: true})
	for _, row := range []struct {
		name         string
		sealed, open *Ring
		ok           bool
	}{
		{"before and accepted", before, accepted, true},
		{"accepted and before", accepted, before, true},
		{"accepted and issued", accepted, issued, true},
		{"issued and accepted", issued, accepted, true},
		{"issued and after", issued, after, true},
		{"accepted and after", accepted, after, false},
		{"issued too early", issued, before, false},
	} {
		c := seal(t, row.sealed, roleSession())
		if _, _, ok := row.open.Open(c.AccessKeyID, c.SessionToken); ok != row.ok {
			t.Errorf("%s: opened %v", row.name, ok)
		}
	}
}

// Each changed bit, cut, extension and foreign id keeps a token from opening.
func TestChangedTokensDoNotOpen(t *testing.T) {
	r := ring(t, RingKey{ID: "k1", Secret: keyOne, Issues: true}, RingKey{ID: "k2", Secret: keyTwo})
	c := seal(t, r, roleSession())
	raw, err := tokenText.DecodeString(c.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, id, token string) {
		t.Helper()
		if s, secret, ok := r.Open(id, token); ok || s != nil || secret != "" {
			t.Errorf("%s opens", what)
		}
	}
	for i := range raw {
		for bit := range 8 {
			changed := []byte(string(raw))
			changed[i] ^= 1 << bit
			refused(fmt.Sprintf("byte %d with bit %d changed", i, bit), c.AccessKeyID, tokenText.EncodeToString(changed))
		}
		refused(fmt.Sprintf("cut at %d", i), c.AccessKeyID, tokenText.EncodeToString(raw[:i]))
		refused(fmt.Sprintf("text cut at %d", i), c.AccessKeyID, c.SessionToken[:i])
	}
	swapped := strings.Replace(string(raw), "k1", "k2", 1)
	refused("another key of the ring", c.AccessKeyID, tokenText.EncodeToString([]byte(swapped)))
	refused("a key of no ring", c.AccessKeyID, tokenText.EncodeToString([]byte(strings.Replace(string(raw), "k1", "k3", 1))))
	other := seal(t, r, roleSession())
	refused("the id of another token", other.AccessKeyID, c.SessionToken)
	refused("an id in lower case", strings.ToLower(c.AccessKeyID), c.SessionToken)
	refused("a long-term id", "AKIA"+c.AccessKeyID[4:], c.SessionToken)
	refused("no id", "", c.SessionToken)
	for what, token := range map[string]string{
		"empty": "", "a line break": c.SessionToken + "\n", "a line break inside": c.SessionToken[:9] + "\r\n" + c.SessionToken[9:],
		"padding": c.SessionToken + "=", "an extension": c.SessionToken + "AAAA", "a space": " " + c.SessionToken,
		"other alphabet": base64.RawStdEncoding.EncodeToString([]byte{0xff, 0xef, 0xff}), "not base64": strings.Repeat("!", 300),
		"too long": c.SessionToken + strings.Repeat("A", maxToken), "twice": c.SessionToken + "," + c.SessionToken,
		"zeros": tokenText.EncodeToString(make([]byte, 300)), "the unsealed session": unsealed(t),
	} {
		refused(what, c.AccessKeyID, token)
	}
	for i := range 64 { // the last character has bits that are not part of the token
		token := c.SessionToken[:len(c.SessionToken)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[i])
		if _, _, ok := r.Open(c.AccessKeyID, token); ok != (token == c.SessionToken) {
			t.Errorf("the last character %q: opened %v", token[len(token)-1], ok)
		}
	}
}

func unsealed(t *testing.T) string {
	packed, err := pack(roleSession())
	if err != nil {
		t.Fatal(err)
	}
	return tokenText.EncodeToString(append([]byte{version, 2, 'k', '1'}, append(make([]byte, saltBytes), packed...)...))
}

func TestRingsWithoutKeys(t *testing.T) {
	c := seal(t, oneRing(t), roleSession())
	for _, r := range []*Ring{nil, {}} {
		if _, err := r.Seal(roleSession()); err == nil {
			t.Error("it seals")
		}
		if _, _, ok := r.Open(c.AccessKeyID, c.SessionToken); ok {
			t.Error("it opens")
		}
	}
}

// Every token has a salt, an id and a secret of its own, also for equal sessions.
func TestTokensDiffer(t *testing.T) {
	r, seen := oneRing(t), map[string]bool{}
	for range 200 {
		c := seal(t, r, roleSession())
		for _, text := range []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken} {
			if seen[text] {
				t.Fatal("something is used twice")
			}
			seen[text] = true
		}
	}
}

func TestSessionsThatAreNotSealed(t *testing.T) {
	for what, change := range map[string]func(*Session){
		"of nobody": func(s *Session) { *s = Session{Issued: s.Issued, Expires: s.Expires} }, "no role id": func(s *Session) { s.RoleID = "" },
		"no name": func(s *Session) { s.Name = "" }, "role and user": func(s *Session) { s.User = "u" }, "a user id": func(s *Session) { s.UserID = "u" },
		"no time of issue": func(s *Session) { s.Issued = time.Time{} }, "no end": func(s *Session) { s.Expires = time.Time{} },
		"before 1970": func(s *Session) { s.Issued = time.Unix(-1, 0) }, "too late": func(s *Session) { s.Expires = time.Unix(maxSeconds, 0) },
		"a user with a policy":    func(s *Session) { *s = *userSession(); s.Policy = "{}" },
		"a user with tags":        func(s *Session) { *s = *userSession(); s.Tags = []Tag{{"a", "b"}} },
		"a user with managed one": func(s *Session) { *s = *userSession(); s.PolicyARNs = []string{"a"} },
		"a user with transitives": func(s *Session) { *s = *userSession(); s.TransitiveTagKeys = []string{"a"} },
		"a user with a source":    func(s *Session) { *s = *userSession(); s.SourceIdentity = "a" },
		"a user of a provider":    func(s *Session) { *s = *userSession(); s.FederatedProvider = "a" },
		"a user with a role":      func(s *Session) { *s = *userSession(); s.Role = "a" },
		"a user with a role's id": func(s *Session) { *s = *userSession(); s.RoleID = "a" },
		"a user with a name":      func(s *Session) { *s = *userSession(); s.Name = "a" },
		"no role":                 func(s *Session) { s.Role = "" },
		"no user":                 func(s *Session) { *s = *userSession(); s.User = "" },
		"no user id":              func(s *Session) { *s = *userSession(); s.UserID = "" },
	} {
		s := roleSession()
		change(s)
		if _, err := oneRing(t).Seal(s); err == nil {
			t.Errorf("%s: it is sealed", what)
		}
	}
}

func TestTooLarge(t *testing.T) {
	r, random := oneRing(t), rand.New(rand.NewPCG(1, 2))
	longest := 0
	for n := 0; n < 2500; n += 50 {
		s := roleSession()
		for range n {
			s.Policy += string(rune('!' + random.IntN(90)))
		}
		c, err := r.Seal(s)
		if errors.Is(err, ErrTooLarge) {
			break
		}
		longest = n
		if err != nil || len(c.SessionToken) > 2048 {
			t.Fatalf("%d characters: a token of %d, %v", n, len(c.SessionToken), err)
		}
	}
	if longest < 1000 || longest > 2400 {
		t.Errorf("a policy of %d characters fits", longest)
	}
	s := roleSession()
	s.Policy = strings.Repeat(" ", maxPacked)
	if _, err := r.Seal(s); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a session that deflates well and is too long: %v", err)
	}
}

// The longest session policy that AWS takes fits, if it is written as policies are.
func TestLongPolicyFits(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"Version":"2012-10-17","Statement":[`)
	for i := 0; b.Len() < 1950; i++ {
		fmt.Fprintf(&b, `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/r%d"},`, i)
	}
	s := roleSession()
	s.Policy = strings.TrimSuffix(b.String(), ",") + "]}"
	c := seal(t, oneRing(t), s)
	if len(c.SessionToken) > 700 {
		t.Errorf("a policy of %d characters makes a token of %d", len(s.Policy), len(c.SessionToken))
	}
}

// What unpack reads has one form only, however it came about.
func TestPackedFormIsStrict(t *testing.T) {
	e := encoder{data: []byte{stored}}
	walk(userSession(), &e)
	if unpack(e.data) == nil {
		t.Fatal("the stored form is not read")
	}
	short := deflate(e.data[1:])
	if unpack(short) == nil {
		t.Fatal("the deflated form is not read")
	}
	padded := append([]byte{stored, 0x80, 0x00}, e.data[2:]...) // 0 in two bytes
	for what, packed := range map[string][]byte{
		"nothing": nil, "no fields": {stored}, "a third form": append([]byte{2}, e.data[1:]...), "more after the end": append(e.data[:len(e.data):len(e.data)], 0),
		"more after the deflated end": append(short[:len(short):len(short)], 0), "a number in two bytes": padded, "cut": e.data[:len(e.data)-1],
		"cut deflated": short[:len(short)-1], "a bomb": deflate(make([]byte, 64<<20)), "a huge length": {stored, 0xff, 0xff, 0xff, 0xff, 0x0f},
	} {
		if unpack(packed) != nil {
			t.Errorf("%s is read", what)
		}
	}
}

func TestRingFaults(t *testing.T) {
	hexKey := strings.Repeat("0123456789abcdef", 4)
	for _, row := range []struct {
		name string
		keys []RingKey
		want []string
	}{
		{"no key", nil, []string{"keys: no key of the ring issues"}},
		{"no key issues", []RingKey{{ID: "a", Secret: keyOne}}, []string{"keys: no key of the ring issues"}},
		{"two issue", []RingKey{{ID: "a", Secret: keyOne, Issues: true}, {ID: "b", Secret: keyTwo, Issues: true}}, []string{"keys[1].use: two keys"}},
		{"one id", []RingKey{{ID: "a", Secret: keyOne, Issues: true}, {ID: "a", Secret: keyTwo}}, []string{"keys[1].id: the key is given twice"}},
		{"one secret", []RingKey{{ID: "a", Secret: keyOne, Issues: true}, {ID: "b", Secret: keyOne}}, []string{"keys[1].secret: another key"}},
		{"ids", []RingKey{{Secret: keyOne, Issues: true}, {ID: "a b", Secret: keyTwo}, {ID: strings.Repeat("a", 33), Secret: keyThree}},
			[]string{"keys[0].id: must have", "keys[1].id: must have", "keys[2].id: must have"}},
		{"secrets", []RingKey{
			{ID: "a", Issues: true}, {ID: "b", Secret: keyOne[:40]}, {ID: "c", Secret: hexKey}, {ID: "d", Secret: keyOne + "\n"},
			{ID: "e", Secret: strings.Repeat("A", 43) + "="}, {ID: "f", Secret: strings.TrimSuffix(keyOne, "=")},
			{ID: "g", Secret: base64.StdEncoding.EncodeToString([]byte(hexKey))},
		}, []string{"keys[0].secret: must be 32", "keys[1].secret: must be 32", "keys[2].secret: must be 32", "keys[3].secret: must be 32",
			"keys[4].secret: the key is not random", "keys[5].secret: must be 32", "keys[6].secret: must be 32"}},
	} {
		for i := range row.keys {
			row.keys[i].At = fault.Root(nil).Field("keys").Item(i)
		}
		r, faults := NewRing(row.keys, fault.Root(nil).Field("keys"))
		if r != nil || len(faults) != len(row.want) {
			t.Errorf("%s: %v, %v", row.name, r, faults)
			continue
		}
		for i, f := range faults {
			if text := f.At.String() + ": " + f.Message; !strings.HasPrefix(text, row.want[i]) || strings.Contains(text, keyOne[:20]) {
				t.Errorf("%s: %s, want %s", row.name, text, row.want[i])
			}
		}
	}
}

// No verb and no log shows a secret.
func TestSecretsAreNotPrinted(t *testing.T) {
	r := oneRing(t)
	c, k := seal(t, r, roleSession()), RingKey{ID: "k1", Secret: keyOne}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "credentials", c, "pointer", &c, "ring", r, "key", k)
	all := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		all += fmt.Sprintf(verb+verb+verb+verb, c, r, *r, k)
	}
	for _, secret := range []string{c.SecretAccessKey, c.SessionToken, keyOne, "abcdefgh", fmt.Sprintf("%x", c.SecretAccessKey)} {
		if strings.Contains(all, secret) {
			t.Errorf("a secret is printed: %s", all)
		}
	}
}

// FuzzOpen looks for texts that open or fail. Nothing but the token itself opens.
func FuzzOpen(f *testing.F) {
	r := oneRing(f)
	f.Add(firstID, firstToken)
	f.Add("ASIA", "AQJrMQ")
	f.Fuzz(func(t *testing.T, id, token string) {
		if _, _, ok := r.Open(id, token); ok && (id != firstID || token != firstToken) {
			t.Errorf("%q opens %q", token, id)
		}
	})
}

// FuzzUnpack looks for packed sessions that cannot be packed again.
func FuzzUnpack(f *testing.F) {
	for _, s := range []*Session{roleSession(), userSession()} {
		e := encoder{data: []byte{stored}}
		walk(s, &e)
		f.Add(e.data)
		f.Add(deflate(e.data[1:]))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		s := unpack(packed)
		if s == nil {
			return
		}
		again, err := pack(s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, unpack(again), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	r, s := oneRing(b), roleSession()
	b.ReportAllocs()
	for b.Loop() {
		seal(b, r, s)
	}
}

func BenchmarkOpen(b *testing.B) {
	r := oneRing(b)
	c := seal(b, r, roleSession())
	b.ReportAllocs()
	for b.Loop() {
		r.Open(c.AccessKeyID, c.SessionToken)
	}
}

// sealText seals any text as a token of a version, under a key that has an id in the token.
func sealText(k *key, version byte, id, accessKeyID string, plain []byte) string {
	sealed := append([]byte{version, byte(len(id))}, id...)
	sealed = append(sealed, make([]byte, saltBytes)...)
	associated := append(append([]byte(nil), sealed...), accessKeyID...)
	return tokenText.EncodeToString(k.aead(string(make([]byte, saltBytes))).Seal(sealed, nonce, plain, associated))
}

// What is sealed under the right key counts only if it is a session of this version.
func TestSealedTextsThatAreNotSessions(t *testing.T) {
	const id = "ASIAABCDEFGHIJKLMNOP"
	r := oneRing(t)
	good, err := pack(roleSession())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := r.Open(id, sealText(r.issue, version, "k1", id, good)); !ok {
		t.Fatal("a session does not open")
	}
	e := encoder{}
	unchecked := roleSession()
	unchecked.User = "both"
	walk(unchecked, &e)
	for what, token := range map[string]string{
		"an older version": sealText(r.issue, 1, "k1", id, good), "a newer version": sealText(r.issue, version+1, "k1", id, good),
		"nothing": sealText(r.issue, version, "k1", id, nil), "a text": sealText(r.issue, version, "k1", id, []byte("hello")),
		"of role and user":              sealText(r.issue, version, "k1", id, append([]byte{stored}, e.data...)),
		"under the key of unknown ones": sealText(r.nobody, version, "k9", id, good),
	} {
		if s, secret, ok := r.Open(id, token); ok || s != nil || secret != "" {
			t.Errorf("%s opens", what)
		}
	}
	if string(oneRing(t).nobody.sealing) == string(r.nobody.sealing) {
		t.Error("the key of unknown ids is not random")
	}
}

// Damaged fields are no session, and nothing of them is read beyond their end.
func TestDamagedFields(t *testing.T) {
	e := encoder{}
	walk(roleSession(), &e)
	if unpack(append([]byte{stored}, e.data...)) == nil {
		t.Fatal("the fields are not read")
	}
	for i := range e.data {
		if unpack(append([]byte{stored}, e.data[:i]...)) != nil {
			t.Errorf("cut at %d", i)
		}
		for _, b := range []byte{0, 0x7f, 0x80, 0xff} {
			damaged := append([]byte{stored}, e.data...)
			if damaged[i+1] = b; e.data[i] != b {
				if s := unpack(damaged); s != nil && cmp.Equal(s, roleSession()) {
					t.Errorf("byte %d is %x, and the session is the same", i, b)
				}
			}
		}
	}
	for what, data := range map[string][]byte{
		"more after the end":      append(append([]byte{stored}, e.data...), 0),
		"another form":            append([]byte{deflated + 1}, e.data...),
		"many items":              {stored, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"a number without end":    {stored, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
		"a length beyond the end": {stored, 200, 'a'},
	} {
		if s := unpack(data); s != nil {
			t.Errorf("%s: %+v", what, s)
		}
	}
	if inflate(deflate(make([]byte, maxPacked))[1:]) == nil || inflate(deflate(make([]byte, maxPacked+1))[1:]) != nil {
		t.Errorf("inflating does not stop at %d bytes", maxPacked)
	}
}

// Transitive tags are those that the keys name, in any case.
func TestTransitiveTags(t *testing.T) {
	s := &Session{Tags: []Tag{{"Team", "a"}, {"level", "1"}, {"Ops", "b"}}, TransitiveTagKeys: []string{"TEAM", "ops", "none"}}
	if got := s.TransitiveTags(); len(got) != 2 || got[0] != (Tag{"Team", "a"}) || got[1] != (Tag{"Ops", "b"}) {
		t.Errorf("%v", got)
	}
}
