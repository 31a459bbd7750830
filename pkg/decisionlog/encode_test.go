package decisionlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

type claims map[string]string

func (c claims) Claim(name string) (string, bool) { v, ok := c[name]; return v, ok }

// full returns an Entry with a value in every field.
func full() (*Entry, *Fields) {
	r := &authz.Request{Target: "/pets?page=2&access_token=secret1"}
	r.SetHeaders([]authz.Field{{Name: "user-agent", Value: "curl/8"}, {Name: "authorization", Value: "secret2"}})
	e := &Entry{
		Time: time.Date(2026, 11, 28, 9, 30, 0, 1500, time.UTC), Took: 42 * time.Microsecond,
		Code: authz.CodeExplicitDeny, Step: authz.StepDecision, Status: 403,
		RequestID: "r-1", Host: "pets.example.com", Method: "GET", Path: "/pets/1", ClientAddress: netip.MustParseAddr("192.0.2.7"),
		API: "a1b2c3d4e5", Stage: "prod", Route: "GET /pets/{id}", Principal: "arn:aws:iam::111122223333:user/alice", AccessKey: "AKIAEXAMPLE",
		Issuer: "https://id.example.com", Audience: []string{"pets"}, ClientID: "c-1", KeyID: "k-1",
		Scopes: []string{"pets/read"}, NeededScopes: []string{"pets/write"}, Authorizer: "staff", Cache: "hit",
		Policy: "resource policy", Statement: "Statement[2]", Condition: "IpAddress", ConditionKey: "aws:SourceIp", Detail: "x",
		Action: "AssumeRole", Role: "arn:aws:iam::111122223333:role/ops", SessionName: "ci", IssuedKey: "ASIAEXAMPLE", Request: r, Claims: claims{"tenant": "blue", "email": "secret3"},
	}
	return e, &Fields{Headers: []string{"user-agent"}, Query: []string{"page"}, Claims: []string{"tenant"}}
}

const golden = `{"time":"2026-11-28T09:30:00.000001Z","level":"INFO","msg":"decision","v":1,"decision":"deny","reason":"explicit_deny","step":"decision","status":403,` +
	`"api":"a1b2c3d4e5","stage":"prod","route":"GET /pets/{id}","host":"pets.example.com","method":"GET","path":"/pets/1","client":"192.0.2.7",` +
	`"principal":"arn:aws:iam::111122223333:user/alice","access_key":"AKIAEXAMPLE","issuer":"https://id.example.com","audience":["pets"],"client_id":"c-1","key_id":"k-1",` +
	`"scopes":["pets/read"],"needed_scopes":["pets/write"],"authorizer":"staff","cache":"hit","policy":"resource policy","statement":"Statement[2]",` +
	`"condition":"IpAddress","condition_key":"aws:SourceIp","action":"AssumeRole","role":"arn:aws:iam::111122223333:role/ops","session_name":"ci","issued_key":"ASIAEXAMPLE","detail":"x","request_id":"r-1","headers":{"user-agent":"curl/8"},"query":{"page":"2"},` +
	`"claims":{"tenant":"blue"},"duration_us":42}` + "\n"

func TestLine(t *testing.T) {
	e, chose := full()
	if got := string(appendLine(nil, e, chose)); got != golden {
		t.Errorf("got  %swant %s", got, golden)
	}
	if strings.Contains(golden, "secret") {
		t.Error("the line has what was not chosen")
	}
	smallest := string(appendLine(nil, &Entry{}, &Fields{}))
	want := `{"time":"0001-01-01T00:00:00.000000Z","level":"ERROR","msg":"decision","v":1,"decision":"deny","reason":"internal","duration_us":1}` + "\n"
	if smallest != want {
		t.Errorf("got %s want %s", smallest, want)
	}
}

// TestEveryFieldIsWritten fails if the full Entry lacks a field of the schema, so that the golden line shows them all.
func TestEveryFieldIsWritten(t *testing.T) {
	if len(fields) >= maxFields {
		t.Fatalf("%d fields; raise maxFields", len(fields))
	}
	for _, f := range fields {
		if n := strings.Count(golden, `"`+f.name+`":`); n != 1 {
			t.Errorf("%s is in the golden line %d times", f.name, n)
		}
	}
	e, _ := full()
	v := reflect.ValueOf(*e)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Allow" {
			t.Errorf("Entry.%s is empty", name)
		}
	}
}

func TestReadmeHasTheSchema(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), Table()) {
		t.Errorf("README.md lacks the table of the schema:\n%s", Table())
	}
}

// hostile texts are dangerous for terminals, for HTML, or for readers of lines.
var hostile = []string{
	"\x1b[2J\x1b]0;owned\x07", "<script>alert(1)</script>", "a\nb\r\n{\"v\":1}", "\xff\xfe\xc0\xaf", "\u2028\u2029\u0085", "\u202eevil\u202c\u2066", "\u200b\ufeff\U000e0041",
	`\","decision":"allow"`, "'onload='", "&amp;", "\x00\x7f\x9b31m", strings.Repeat("\xf0\x9f\x92\xa9", 5000), strings.Repeat("\x1b", 100000), "\xed\xa0\x80", "\u009b31m",
}

// hostileEntry returns an Entry that has the text in every field.
func hostileEntry(s string) (*Entry, *Fields) {
	r := &authz.Request{Target: "/?page=" + s}
	r.SetHeaders([]authz.Field{{Name: "x-a", Value: s}, {Name: "x-a", Value: s}})
	list := make([]string, 100)
	for i := range list {
		list[i] = s
	}
	return &Entry{
		Code: authz.Code(s), Step: authz.Step(s), RequestID: s, Host: s, Method: s, Path: s, API: s, Stage: s, Route: s, Principal: s, AccessKey: s, Issuer: s,
		ClientID: s, KeyID: s, Audience: list, Scopes: list, NeededScopes: list, Authorizer: s, Cache: s, Policy: s, Statement: s, Condition: s, ConditionKey: s, Detail: s,
		Action: s, Role: s, SessionName: s, IssuedKey: s, Request: r, Claims: claims{"c": s},
	}, &Fields{Headers: []string{"x-a"}, Query: []string{"page"}, Claims: []string{"c"}}
}

// isLine fails unless a line is one JSON object without anything that a terminal or HTML interprets.
func isLine(t *testing.T, l []byte) map[string]any {
	t.Helper()
	if !bytes.HasSuffix(l, []byte("}\n")) || bytes.Count(l, []byte("\n")) != 1 {
		t.Fatalf("not one line: %.200q", l)
	}
	if !utf8.Valid(l) {
		t.Fatalf("not UTF-8: %.200q", l)
	}
	for _, r := range string(l[:len(l)-1]) {
		if !unicode.IsPrint(r) || strings.ContainsRune("<>&", r) {
			t.Fatalf("%q is not escaped: %.200q", r, l)
		}
	}
	d := json.NewDecoder(bytes.NewReader(l))
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		t.Fatalf("%v: %.200q", err, l)
	}
	if object["v"] != float64(Version) || object["decision"] != "deny" {
		t.Fatalf("a field was replaced: %.200q", l)
	}
	if d.More() {
		t.Fatalf("more than one object: %.200q", l)
	}
	return object
}

func TestHostileTexts(t *testing.T) {
	for _, s := range hostile {
		e, chose := hostileEntry(s)
		l := appendLine(nil, e, chose)
		isLine(t, l)
		if len(l) > 256<<10 {
			t.Errorf("%.20q: a line of %d bytes", s, len(l))
		}
	}
}

func TestLongTextsAreCut(t *testing.T) {
	e, chose := hostileEntry(strings.Repeat("\u00e9", 3000))
	object := isLine(t, appendLine(nil, e, chose))
	cut := fmt.Sprint(object["cut"])
	for _, f := range fields {
		if f.text == nil && f.list == nil && f.name != "headers" && f.name != "query" && f.name != "claims" {
			continue
		}
		if f.name == "level" || f.name == "msg" || f.name == "decision" {
			continue
		}
		if !strings.Contains(cut, f.name) {
			t.Errorf("%s is not listed in cut: %s", f.name, cut)
		}
		if s, ok := object[f.name].(string); ok && (len(s) > f.max || strings.ContainsRune(s, utf8.RuneError)) {
			t.Errorf("%s has %d bytes, want at most %d of whole characters", f.name, len(s), f.max)
		}
	}
	if n := len(object["scopes"].([]any)); n != maxItems {
		t.Errorf("%d scopes", n)
	}
}

func TestCredentialsInChosenFieldsAreRedacted(t *testing.T) {
	for _, value := range []string{"Bearer abc", "basic abc", " bearer abc", "eyJhbGciOi.eyJz.sig", "x; t=eyJhbGciOi.eyJz.sig", "AWS4-HMAC-SHA256 Credential=x"} {
		r := &authz.Request{Target: "/"}
		r.SetHeaders([]authz.Field{{Name: "x-a", Value: value}})
		l := string(appendLine(nil, &Entry{Request: r}, &Fields{Headers: []string{"x-a"}}))
		if !strings.Contains(l, `"headers":{"x-a":"[redacted]"}`) {
			t.Errorf("%q: %s", value, l)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, chose := hostileEntry(s)
		l := appendLine(nil, e, chose)
		object := isLine(t, l)
		if len(s) < 200 && utf8.ValidString(s) && s != "" && object["detail"] != s {
			t.Errorf("detail %q, want %q", object["detail"], s)
		}
		if len(Attributes(l)) != len(object) {
			t.Errorf("%d attributes, want %d", len(Attributes(l)), len(object))
		}
	})
}

// The budget of a line is 3 microseconds and 2 allocations.
func TestLineAllocates(t *testing.T) {
	e, chose := full()
	l := &Log{config: Config{Fields: *chose}}
	l.buffers.New = func() any { return new([]byte) }
	if n := testing.AllocsPerRun(1000, func() { l.encode(e) }); n > 2 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}
