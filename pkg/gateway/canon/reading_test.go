package canon

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestReadings(t *testing.T) {
	for target, want := range map[string][]string{
		"/caf%C3%A9":           nil,
		"/a%20b":               nil,
		"/100%25":              nil,
		"/.well-known/x":       nil,
		"/a%2Fb":               {"/a/b"},
		"/a%2f":                {"/a/"},
		"/%2Fa":                {"/a"},
		"/a%252Fb":             {"/a%2Fb", "/a/b"},
		"/%2561":               {"/a"},
		"/%252561":             {"/%2561", "/a"},
		"/100%2525":            {"/100%25"},
		"/a;b/c":               {"/a/c"},
		"/a%3Bb":               {"/a"},
		"/a;b/c%3Bd":           {"/a/c;d", "/a/c"},
		"/;a/b":                {"/b"},
		"/a;%2Fb":              {"/a;/b", "/a", "/a/b"},
		"/a%3Fb/c":             {"/a"},
		"/a%23b%3Fc":           {"/a", "/a#b"},
		"/a%253Fb":             {"/a?b", "/a"},
		"/a%20/b":              {"/a/b"},
		"/%20a%20/b":           {"/ a/b", "/a /b", "/a/b"},
		"/a%C2%A0":             {"/a ", "/a"},
		"/a%E3%80%80/b":        {"/a /b", "/a/b"},
		"/a%EF%BB%BF":          {"/a"},
		"/%E1%A0%8Ea%E2%80%8B": {"/a\u200b", "/\u180ea", "/a"},
		"/%EF%BD%81":           {"/a"},
		"/a%EF%BC%8Fb":         {"/a/b"},
		"/a%E2%88%95b":         {"/a/b"},
		"/a%CD%BEb":            {"/a;b", "/a"},
		"/%EF%BC%8561":         {"/%2561", "/a"},
		"/%E2%84%AA":           {"/K"},
		"/caf%65%CC%81":        {"/caf\u00e9"},
		"/a%20/b%20":           {"/a/b", "/a /b"},
		"/a./b":                {"/a/b"},
		"/a.%20.":              {"/a"},
		"/a//b":                {"/a/b"},
		"/a%2F/b":              {"/a//b", "/a%2F/b", "/a/b"},
		"/a;x%20":              {"/a", "/a;x"},
		"/a%2F%20;x//b%252f":   nil,
	} {
		raw := target
		p, err := ParsePath(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Readings(raw)
		if err != nil || got[0] != p.Text {
			t.Errorf("%s: %q, %v", target, got, err)
			continue
		}
		if strings.Contains(target, "//b%252f") { // all of it at once
			if len(got) < 12 || !slices.Contains(got, "/a/b/") || !slices.Contains(got, "/a//b%2F") {
				t.Errorf("%s: %q", target, got)
			}
			continue
		}
		want = append([]string{p.Text}, want...)
		slices.Sort(want)
		slices.Sort(got)
		if want = slices.Compact(want); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func TestReadingsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		target string
		want   error
	}{
		{"/a/..%20/b", errDotSegment},
		{"/a/%20../b", errDotSegment},
		{"/a/..%3Fb", errDotSegment},
		{"/a/..%23b", errDotSegment},
		{"/a/.%C2%A0", errDotSegment},
		{"/a/%EF%BC%8E%EF%BC%8E/b", errDotSegment},
		{"/a/%E2%80%A5/b", errDotSegment},
		{"/a/%EF%BC%8E%EF%BC%8E%EF%BC%8Fb", errDotSegment},
		{"/a%EF%BC%BCb", errBackslash},
		{"/a/%25252e%25252e/b", errDotSegment},
		{"/" + strings.Repeat("%25", 40) + "25", nil},
		{"/%" + strings.Repeat("25", 70) + "41", errReadings},
		{"/" + strings.Repeat("a", 70_000) + ";", errReadings},
		{"/" + strings.Repeat("a%20;%2F", 10_000), errReadings},
		{"/%20a%20;b%3Fc%23d%2Fe//%252fx./%20a%20;b%3Fc%23d%2Fe//%252f.x", errReadings},
	} {
		p, err := ParsePath(tt.target)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := p.Readings(tt.target); !errors.Is(err, tt.want) {
			t.Errorf("%.60s: %d readings, %v; want %v", tt.target, len(all), err, tt.want)
		}
	}
}
