package jwt

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func FuzzParseObject(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, ` {"a":[1,2,{"b":null}],"c":"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"} `, `{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`, `{"\u0061":1,"a":2}`,
		`{"a":-0.5e+10,"b":true,"c":false}`, `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":+1}`, `{"a":tru}`,
		`[]`, `"a"`, `null`, `{"a" : 1 , "b" : [ ] }`, `{"a":1,}`, `{,}`, `{"a"}`, `{a:1}`, `{"a":"` + "\x01" + `"}`, "{\"a\":\"\x7f\"}", `{"a":[1,]}`, `{"":{"":{}}}`,
		`{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"10":1,"9":1}`, `{"a":"\u12"}`, `{"a":"\x"}`, `{"a":"`, `{"a":1`, "{\"a\":\"\xc3\x28\"}",
		`{"a":"` + strings.Repeat("x", 100) + `"}`, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		members, err := parseObject(s)
		var want map[string]json.RawMessage
		second := json.Unmarshal([]byte(s), &want)
		if err != nil {
			if members != nil {
				t.Error("members beside an error")
			}
			return
		}
		if second != nil || len(want) != len(members) {
			t.Fatalf("%q is read as %v, and by encoding/json as %v, %v", s, members, want, second)
		}
		for _, m := range members {
			same(t, m.value, want[m.name])
		}
	})
}

// same holds a value to what encoding/json says of the text.
func same(t *testing.T, v value, written []byte) {
	t.Helper()
	var want any
	d := json.NewDecoder(bytes.NewReader(written))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		t.Fatalf("%q: %v", written, err)
	}
	switch w := want.(type) {
	case nil:
		if v.kind != null || v.text != "null" {
			t.Errorf("%+v for null", v)
		}
	case bool:
		if v.kind != boolean || (v.text == "true") != w {
			t.Errorf("%+v for %v", v, w)
		}
	case json.Number:
		if v.kind != number || v.text != string(w) {
			t.Errorf("%+v for %v", v, w)
		}
	case string:
		if v.kind != text || v.text != w {
			t.Errorf("%+v for %q", v, w)
		}
	case []any:
		if v.kind != array || len(v.elements) != len(w) {
			t.Fatalf("%+v for %v", v, w)
		}
		for i, e := range v.elements {
			same(t, e, []byte(marshal(t, w[i])))
		}
	default:
		var again any
		d := json.NewDecoder(strings.NewReader(compact(v.text)))
		d.UseNumber()
		if v.kind != object || d.Decode(&again) != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%+v for %v", v, w)
		}
	}
}

func TestParseObjectTakesWhatIsGood(t *testing.T) {
	for s, names := range map[string]string{
		`{}`: "", ` {"a":1,"b":2} `: "a b", `{"\u0061":{}}`: "a", `{"a":"\ud83d\ude00"}`: "a",
		strings.Repeat(`{"a":`, 32) + "{}" + strings.Repeat("}", 32): "a",
	} {
		members, err := parseObject(s)
		var got []string
		for _, m := range members {
			got = append(got, m.name)
		}
		if err != nil || strings.Join(got, " ") != names {
			t.Errorf("%s: %q, %v", s, got, err)
		}
	}
}

// FuzzToken holds the reading of tokens to what every parser agrees on.
func FuzzToken(f *testing.F) {
	header, payload := b64(`{"alg":"RS256","kid":"k"}`), b64(`{"iss":"i","exp":1764090000,"aud":["a"],"nbf":1.5,"scope":"x y"}`)
	for _, s := range []string{header + "." + payload + ".c2ln", header + "." + payload + ".", "..", "a.b.c", header + "..c2ln", "." + payload + ".c2ln", header + "." + header + ".c2ln",
		header + "." + b64(`{"iss":"i","exp":1e300}`) + ".c2ln", b64(`{"alg":"none"}`) + "." + payload + ".", header + "." + payload + ".c2ln.a.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, failure := parse(bearer(s), RenderREST)
		if failure != nil {
			if r := failure.Refusal(); r.ResponseType != "UNAUTHORIZED" {
				t.Fatalf("%+v for a token that cannot be read", r)
			}
			return
		}
		if p.alg == "" || p.kid == "" || p.token.issuer == "" || len(p.signature) == 0 || !strings.HasSuffix(s, p.signed+"."+b64(string(p.signature))) {
			t.Fatalf("%+v of %q", p, s)
		}
		segments := strings.Split(p.signed, ".")
		if len(segments) != 2 {
			t.Fatalf("%q was signed", p.signed)
		}
		for i, name := range []string{"kid", "exp"} {
			var others map[string]any
			b, ok := decode(segments[i])
			if !ok || json.Unmarshal(b, &others) != nil || others[name] == nil {
				t.Fatalf("%q is something else to others", b)
			}
		}
	})
}
