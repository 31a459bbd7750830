package canon

import "testing"

func TestCanonicalHost(t *testing.T) {
	for in, want := range map[string]string{
		"pets.example.com":          "pets.example.com",
		"Pets.Example.COM":          "pets.example.com",
		"pets.example.com:443":      "pets.example.com",
		"pets.example.com:":         "pets.example.com",
		"pets.example.com.":         "pets.example.com",
		"Admin.Example.com.:443":    "admin.example.com",
		"pets.example.com..":        "pets.example.com.",
		"pets.example.com:x":        "",
		"pets.example.com:80:443":   "",
		"127.0.0.1:8080":            "127.0.0.1",
		"[::1]":                     "[::1]",
		"[::1]:8080":                "[::1]",
		"[2001:DB8:0:0::1]:443":     "[2001:db8::1]",
		"[::1":                      "",
		"[::1]x":                    "",
		"[::1]:x":                   "",
		"[x]":                       "",
		"::1":                       "",
		"*":                         "",
		"*.example.com":             "",
		"pe?s.example.com":          "",
		"${aws}.example.com":        "",
		"pets%2Aexample.com":        "",
		"pets_2.example-1.com":      "pets_2.example-1.com",
		"":                          "",
		"\u212aelvin.example.com":   "",
		"user@pets.example.com":     "",
		"pets.example.com/x":        "",
		" pets.example.com":         "",
		"pets.example.com,evil.com": "",
	} {
		if got := Host(in); got != want {
			t.Errorf("canonicalHost(%q) = %q, want %q", in, got, want)
		}
	}
}
