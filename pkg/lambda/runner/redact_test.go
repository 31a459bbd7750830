package runner

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// encodings are the ways in which a function may write what it got.
var encodings = map[string]func(string) string{
	"as it came":         func(s string) string { return s },
	"JSON":               func(s string) string { return asJSON(s, true) },
	"JSON, not for HTML": func(s string) string { return asJSON(s, false) },
	"JSON in ASCII": func(s string) string {
		var b strings.Builder
		for _, c := range s {
			switch {
			case c == '"' || c == '\\' || c == '/':
				b.WriteString(`\` + string(c))
			case c < ' ' || c > '~':
				for _, unit := range utf16.AppendRune(nil, c) {
					fmt.Fprintf(&b, `\u%04X`, unit)
				}
			default:
				b.WriteRune(c)
			}
		}
		return b.String()
	},
	"all as \\u": func(s string) string {
		var b strings.Builder
		for _, unit := range utf16.Encode([]rune(s)) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
		return b.String()
	},
	"JSON in JSON":         func(s string) string { return asJSON(asJSON(asJSON(s, true), true), true) },
	"Go's %q":              func(s string) string { return fmt.Sprintf("%q", s) },
	"Go's %+q":             func(s string) string { return fmt.Sprintf("%+q", s) },
	"Python's bytes":       func(s string) string { return fmt.Sprintf(`b'%s'`, escapedBytes(s, `\x%02x`)) },
	"octal":                func(s string) string { return escapedBytes(s, `\%03o`) },
	"JavaScript's \\u{}":   func(s string) string { return escapedRunes(s, `\u{%x}`) },
	"Python's \\U":         func(s string) string { return escapedRunes(s, `\U%08x`) },
	"a query":              url.QueryEscape,
	"a path":               url.PathEscape,
	"a query in a query":   func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	"a query, all encoded": func(s string) string { return escapedAll(s, "%%%02x") },
	"HTML":                 html.EscapeString,
	"HTML in numbers":      func(s string) string { return escapedRunes(s, "&#%d;") },
	"HTML in hexadecimal":  func(s string) string { return escapedRunes(s, "&#x%x;") },
	"base64":               func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 after 1":       func(s string) string { return base64.StdEncoding.EncodeToString([]byte("a" + s)) },
	"base64 after 2":       func(s string) string { return base64.StdEncoding.EncodeToString([]byte("ab" + s + "cd")) },
	"base64 for URLs":      func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64 in JSON": func(s string) string {
		return strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte(s)), "/", `\/`)
	},
	"hexadecimal": func(s string) string { return hex.EncodeToString([]byte(s)) },
	"HEXADECIMAL": func(s string) string { return fmt.Sprintf("%X", s) },
}

func asJSON(s string, forHTML bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(forHTML)
	_ = e.Encode(s)
	return strings.Trim(strings.TrimSuffix(b.String(), "\n"), "")[1 : len(b.String())-2]
}

func escapedBytes(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			fmt.Fprintf(&b, format, s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func escapedAll(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func escapedRunes(s, format string) string {
	var b strings.Builder
	for _, c := range s {
		if c < ' ' || c > '~' || strings.ContainsRune(`"'\<>&`, c) {
			fmt.Fprintf(&b, format, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func TestRedactsEveryWriting(t *testing.T) {
	for _, secret := range []string{
		"S3cret-t0ken_x/y+z", "pässwörd-größe", `q"uo'te<d>&amp`, `back\slash\new`, "пароль-пароль", "emoji😀secret😀", "per%cent%41%zz", "plain8ch", "tilde~~~~~~~",
	} {
		event, err := json.Marshal(map[string]any{"headers": map[string]string{"Authorization": "Bearer " + secret}})
		if err != nil {
			t.Fatal(err)
		}
		for name, encode := range encodings {
			r := newRedactor(nil)
			r.remember(event)
			written := encode(secret)
			for _, line := range []string{written, "event: {\"a\": \"" + written + "\"}, \\" + " ", "x=" + written + "&y=\\"} {
				got := r.redact(line, false)
				if strings.Contains(got, written) || !strings.Contains(got, redacted) {
					t.Errorf("%s of %s: %s", name, secret, got)
				}
				for n := shortestSecret; !strings.Contains(name, "base64") && n <= len(written); n++ {
					if strings.Contains(got, written[len(written)-n:]) {
						t.Errorf("%s of %s: the end is in %s", name, secret, got)
						break
					}
				}
			}
		}
	}
}

func TestRedactsWhatAWordSays(t *testing.T) {
	const password = "correct horse"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+password))
	r := newRedactor(map[string]string{"DB_PASSWORD": "hunter22hunter", "PrivateKey": "-----BEGIN-----\nMIIEvQIBADANBg\n-----END-----", "LOG_LEVEL": "informational"})
	r.remember([]byte(`{"headers":{"authorization":"` + basic + `"},"multiValueHeaders":{"x":["abcdefgh","efghSECRETSECRET"]}}`))
	for line, want := range map[string]string{
		"user alice:" + password + "!": "user [redacted]!", "it is " + password: "it is [redacted]", "informational": "informational",
		"env hunter22hunter;": "env [redacted];", "MIIEvQIBADANBg": "[redacted]", "abcdefghSECRETSECRET.": "[redacted].", `\nabcdefgh.`: `\n[redacted].`,
		`\abcdefgh.`: `\[redacted].`, "GET /pets 200 é \\u00e9 %41 &amp;": "GET /pets 200 é \\u00e9 %41 &amp;",
	} {
		if got := r.redact(line, false); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	if got := r.redact("x "+strings.Repeat("y", 200)+`\u0061bcdefg`, true); strings.Contains(got, "bcdefg") || !strings.HasPrefix(got, "x y") {
		t.Errorf("a line that was cut: %s", got)
	}
}

// TestRedactsInTime has a client send what takes longest to look for.
func TestRedactsInTime(t *testing.T) {
	var words []string
	for i := range 5000 {
		words = append(words, fmt.Sprintf("aaaaaaaa%d", i))
	}
	event, err := json.Marshal(map[string]any{"headers": map[string]string{"cookie": strings.Join(words, ";")}})
	if err != nil {
		t.Fatal(err)
	}
	r := newRedactor(nil)
	r.remember(event)
	begun := time.Now()
	for _, line := range []string{strings.Repeat("a", maxRead), strings.Repeat(`\\`, maxRead), strings.Repeat(`\\u0061`, maxRead/6), strings.Repeat("%25", maxRead/3)} {
		if got := r.redact(line, true); strings.Contains(got, "aaaaaaaa") {
			t.Errorf("%.40s… is shown", got)
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("four lines took %v", took)
	}
}
