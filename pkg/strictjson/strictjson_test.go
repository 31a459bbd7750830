package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// build reads any value as encoding/json does, with numbers as they are written.
func build[T string | []byte](r *Reader[T]) (v any, err error) {
	switch r.Kind() {
	case Object:
		m := map[string]any{}
		err = r.Object(func(name string, _ int) error {
			m[name], err = build(r)
			return err
		})
		return m, err
	case Array:
		list := []any{}
		err = r.Array(func() error {
			e, err := build(r)
			list = append(list, e)
			return err
		})
		return list, err
	case Text:
		return r.Text()
	case None, Null, Boolean, Number:
	}
	kind := r.Kind()
	literal, err := r.Literal()
	switch {
	case err != nil || kind == Null:
		return nil, err
	case kind == Boolean:
		return literal == "true", nil
	}
	return json.Number(literal), nil
}

func read[T string | []byte](text T, limits Limits) (any, error) {
	r := New(text, limits)
	v, err := build(r)
	if err == nil {
		err = r.End()
	}
	return v, err
}

// FuzzReader holds the reader to encoding/json, which takes more: duplicate names, text that is not UTF-8 and half of a pair.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-2.5e+3,true,false,null,"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"],"b":{}}`, ` {"a" : 1 , "b" : [ ] } `, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`,
		`01`, `1.`, `.5`, `1e`, `+1`, `-`, `-0`, `1.2.3`, `tru`, `nulll`, `"\ud800"`, `"\udc00\ud800"`, `"\u12"`, `"\x"`, `"`, `{"a":1,}`, `[1,]`, `{,}`, `{"a"}`, `{a:1}`,
		"\"\xff\"", "\"\x01\"", "\"\x7f\"", "\ufeff{}", `{} x`, ``, ` `, strings.Repeat("[", 40) + strings.Repeat("]", 40), `{"":{"":{}}}`, "[1\u00a0]", `"\ufffd\uFFFD"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := read(s, Limits{})
		same, errOfBytes := read([]byte(s), Limits{})
		if !reflect.DeepEqual(err, errOfBytes) || !reflect.DeepEqual(got, same) {
			t.Fatalf("%q: %v, %v as a string, %v, %v as bytes", s, got, err, same, errOfBytes)
		}
		r := New(s, Limits{})
		if from, to, errOfSpan := r.Span(); err == nil && (errOfSpan != nil || strings.TrimSpace(s) != s[from:to]) {
			t.Fatalf("%q stands at %d to %d, %v", s, from, to, errOfSpan)
		}
		var want any
		d := json.NewDecoder(bytes.NewReader([]byte(s)))
		d.UseNumber()
		second := d.Decode(&want)
		if second == nil && !json.Valid([]byte(s)) {
			second = errors.New("more than one value")
		}
		if e, ok := errors.AsType[*Error](err); ok {
			if e.Offset < 0 || e.Offset > len(s) || e.Message == "" {
				t.Fatalf("%q: %+v", s, e)
			}
			stricter := e.Problem == Duplicate || e.Problem == NotUTF8 || e.Problem == NotUnicode || e.Problem == TooDeep
			if second == nil && !stricter {
				t.Fatalf("%q is refused: %v", s, err)
			}
			return
		}
		if second != nil || !utf8.ValidString(s) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %v, and by encoding/json as %v, %v", s, got, want, second)
		}
	})
}

func TestProblems(t *testing.T) {
	many := make([]string, 0, 2*fewNames)
	for i := range 2 * fewNames {
		many = append(many, `"`+strings.Repeat("n", i)+`":0`)
	}
	for text, want := range map[string]Error{
		`{"a":1, "a":2}`:                           {Duplicate, 8, `the key "a" occurs twice in one object`},
		`{"a":1, "\u0061":2}`:                      {Duplicate, 8, `the key "a" occurs twice in one object`},
		`[{"b":{"a":1,"a":2}}]`:                    {Duplicate, 13, `the key "a" occurs twice in one object`},
		"{" + strings.Join(many, ",") + `,"nn":1}`: {Duplicate, len(strings.Join(many, ",")) + 2, `the key "nn" occurs twice in one object`},
		`{"a":1} x`:                                {Trailing, 8, "text after the end of the document"},
		`[[[[]]]]`:                                 {TooDeep, 3, "objects and lists nest deeper than 3 levels"},
		`[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0]`: {TooMany, 57, "the document has more than 29 values"},
		"\"\xff\"":       {NotUTF8, 1, "the text is not UTF-8"},
		`"\ud83d\u0041"`: {NotUnicode, 1, "half of a surrogate pair is missing"},
		`{"a":`:          {Truncated, 5, "found the end of the document instead of a value"},
		`{"a"`:           {Truncated, 4, `found the end of the document instead of a colon after the key "a"`},
		`"a`:             {Truncated, 2, "the text has no closing quote"},
		`"a\`:            {Truncated, 3, "the text has no closing quote"},
		`{1:2}`:          {Syntax, 1, "found '1' instead of a key in double quotes"},
		`[01]`:           {Syntax, 1, `"01" is not a JSON number; put it in double quotes if it is text`},
		`[1 2]`:          {Syntax, 3, "found '2' instead of a comma or a closing bracket"},
		`{"a":1 "b":2}`:  {Syntax, 7, `found '"' instead of a comma or a closing brace`},
		`[%]`:            {Syntax, 1, "found '%' instead of a value"},
		"\xff":           {Syntax, 0, "found a byte that is not UTF-8 instead of a value"},
	} {
		_, err := read(text, Limits{Depth: 3, Values: 29})
		if e, ok := errors.AsType[*Error](err); !ok || *e != want {
			t.Errorf("%s: %+v, want %+v", text, err, want)
		}
	}
}

// TestAnotherKind asks for another kind of value than the one that stands there.
func TestAnotherKind(t *testing.T) {
	for text, ask := range map[string]func(*Reader[string]) error{
		"1": func(r *Reader[string]) error { return r.Object(nil) }, `{}`: func(r *Reader[string]) error { return r.Array(nil) },
		"null": func(r *Reader[string]) error { _, err := r.Text(); return err }, `""`: func(r *Reader[string]) error { _, err := r.Literal(); return err },
	} {
		if e, ok := errors.AsType[*Error](ask(New(text, Limits{}))); !ok || e.Problem != Syntax || e.Offset != 0 {
			t.Errorf("%s: %v", text, e)
		}
	}
}

func TestNamesThatStandTwice(t *testing.T) {
	r := New(`{"a":1,"b":2,"a":3}`, Limits{})
	var told []int
	r.Twice = func(_ string, at int) error {
		told = append(told, at)
		return nil
	}
	if _, _, err := r.Span(); err != nil || !reflect.DeepEqual(told, []int{13}) {
		t.Errorf("%v, %v", told, err)
	}
}

func TestPlaces(t *testing.T) {
	const text = "é{\n \"ä\": 1\r\n}"
	p := NewPlaces(text)
	for _, offset := range []int{0, 2, 4, 5, 6, 8, len(text), 0, 3} {
		before := text[:offset]
		line, start := 1+strings.Count(before, "\n"), 1+strings.LastIndex(before, "\n")
		if gotLine, gotColumn := p.At(offset); gotLine != line || gotColumn != 1+utf8.RuneCountInString(before[start:]) {
			t.Errorf("%d: %d:%d", offset, gotLine, gotColumn)
		}
	}
}

func TestWithoutAllocation(t *testing.T) {
	const text = `{"iss":"https://id.example.com","aud":["a","b"],"exp":1764090000,"address":{"city":"x"},"verified":true}`
	r := New(text, Limits{})
	if n := testing.AllocsPerRun(100, func() {
		r.at = 0
		if _, _, err := r.Span(); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
