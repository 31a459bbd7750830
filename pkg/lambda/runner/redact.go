package runner

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
)

const (
	// shortestSecret is the shortest text of an event that is hidden: shorter ones are words like "GET".
	shortestSecret = 8
	mostSecrets    = 4096
	// recentEvents is how many events are remembered, for what is printed arrives a little later.
	recentEvents = 4
	redacted     = "[redacted]"
)

// fromClient are the keys of an authorizer's event below which lies what a client has sent.
var fromClient = []string{
	"authorizationToken", "identitySource", "headers", "multiValueHeaders", "cookies", "queryStringParameters",
	"multiValueQueryStringParameters", "rawQueryString",
}

// secretName matches the names of environment variables that hold secrets.
var secretName = regexp.MustCompile(`(?i)secret|passw|pwd|token|key|credential|private|auth|dsn|connection`)

// redactor takes out of what a function prints what the clients of its last events sent, and the secrets of its environment: many a
// function prints its event. It finds them as they came and as JSON, URLs, HTML, base64, hexadecimal digits and the usual languages
// write them; it does not stop a function that wants to tell.
type redactor struct {
	mu     sync.Mutex
	events [recentEvents]*secrets
	next   int
	// environment does not change.
	environment *secrets
}

// secrets are an event's, or the environment's, looked for when the first line is printed.
type secrets struct {
	list  func() []string
	once  sync.Once
	index map[[shortestSecret]byte]*alike
	// longest is the length of the longest one.
	longest int
}

func newRedactor(environment map[string]string) *redactor {
	return &redactor{environment: &secrets{list: func() []string { return secretsOfEnvironment(environment) }}}
}

// remember adds an event, in place of the oldest.
func (r *redactor) remember(event []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[r.next] = &secrets{list: func() []string { return secretsOf(event) }}
	r.next = (r.next + 1) % recentEvents
}

// redact hides the secrets in a line. One that was cut may end within a secret, so that much less of it is shown.
func (r *redactor) redact(line string, cut bool) string {
	r.mu.Lock()
	known := append(slices.Clone(r.events[:]), r.environment)
	r.mu.Unlock()
	known = slices.DeleteFunc(known, func(s *secrets) bool { return s == nil })
	longest := 0
	for _, s := range known {
		s.once.Do(s.fill)
		longest = max(longest, s.longest)
	}
	c := canonical(line)
	spans := append(c.find(known), asWritten(line).find(known)...)
	shown := len(line)
	if cut {
		shown = c.at[max(0, len(c.text)-longest)]
	}
	return hide(line[:shown], spans)
}

// span is a part of a line, from one byte up to another.
type span struct{ from, to int }

// find finds the secrets in a text, and returns where they stand in the line that it was made of.
func (c canonicalText) find(known []*secrets) []span {
	var spans []span
	for i := range c.text {
		length := 0
		for _, s := range known {
			length = max(length, s.match(c.text[i:]))
		}
		if length > 0 {
			spans = append(spans, span{c.at[i], c.at[i+length]})
		}
	}
	return spans
}

// hide replaces parts of a line. Those that overlap are hidden as one.
func hide(line string, spans []span) string {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	shown := 0 // up to where the line is shown or hidden
	for _, s := range spans {
		if s.from >= len(line) {
			break
		}
		if s.from >= shown {
			b.WriteString(line[shown:s.from])
			b.WriteString(redacted)
		}
		shown = max(shown, s.to)
	}
	b.WriteString(line[min(shown, len(line)):])
	return b.String()
}

// alike are secrets that begin alike.
type alike struct {
	texts   []string
	longest int
}

// mostAlike is how many secrets are told apart that begin alike. Of more, which no honest client sends, each hides as much as the
// longest.
const mostAlike = 32

// match is the length of the longest secret that a text begins with.
func (s *secrets) match(text []byte) int {
	if len(text) < shortestSecret {
		return 0
	}
	a := s.index[[shortestSecret]byte(text)]
	if a == nil {
		return 0
	}
	if len(a.texts) > mostAlike {
		return min(len(text), a.longest)
	}
	longest := 0
	for _, secret := range a.texts {
		if len(secret) > longest && len(secret) <= len(text) && string(text[:len(secret)]) == secret {
			longest = len(secret)
		}
	}
	return longest
}

// fill lists the secrets in all their forms, as written and without escapes.
func (s *secrets) fill() {
	s.index = map[[shortestSecret]byte]*alike{}
	for _, secret := range s.list() {
		for _, form := range formsOf(secret) {
			s.add(form)
			s.add(string(canonical(form).text))
		}
	}
}

func (s *secrets) add(text string) {
	if len(text) < shortestSecret {
		return
	}
	start := [shortestSecret]byte([]byte(text))
	a := s.index[start]
	if a == nil {
		a = &alike{}
		s.index[start] = a
	}
	if len(a.texts) <= mostAlike && !slices.Contains(a.texts, text) {
		a.texts = append(a.texts, text)
	}
	a.longest = max(a.longest, len(text))
	s.longest = max(s.longest, len(text))
}

// formsOf are a secret and its encodings that are not read as escapes. Base64 depends on how many bytes stand before: what they
// have a part in is left out.
func formsOf(secret string) []string {
	forms := []string{secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	for before := range 3 {
		b := append(make([]byte, before), secret...)
		encoded := base64.RawStdEncoding.EncodeToString(b)
		forms = append(forms, encoded[(before*8+5)/6:len(b)*8/6])
	}
	return forms
}

// secretsOf lists what is to be hidden of an event: each value, each word of it, and what a word in base64 says.
func secretsOf(event []byte) []string {
	var top map[string]any
	if json.Unmarshal(event, &top) != nil {
		return nil
	}
	var found []string
	for _, key := range fromClient {
		found = collect(found, top[key])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// secretsOfEnvironment lists the values of the variables whose names tell of a secret, and each of their lines.
func secretsOfEnvironment(environment map[string]string) []string {
	var found []string
	for name, value := range environment {
		if !secretName.MatchString(name) {
			continue
		}
		for _, s := range append(strings.Fields(value), value) {
			found = add(found, s)
		}
	}
	return found
}

func collect(found []string, value any) []string {
	switch v := value.(type) {
	case string:
		for _, s := range slices.Concat([]string{v}, strings.Fields(v), wordsOf(v)) {
			found = add(found, s)
			if decoded, ok := fromBase64(s); ok { // as of Basic authentication
				for _, s := range append([]string{decoded}, strings.Split(decoded, ":")...) {
					found = add(found, s)
				}
			}
		}
	case []any:
		for _, item := range v {
			found = collect(found, item)
		}
	case map[string]any:
		for _, item := range v {
			found = collect(found, item)
		}
	}
	return found
}

func wordsOf(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,;=&\"", r) })
}

func add(found []string, s string) []string {
	if len(s) >= shortestSecret && len(found) < mostSecrets {
		found = append(found, s)
	}
	return found
}

// fromBase64 decodes a text in base64, of either alphabet.
func fromBase64(s string) (string, bool) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	decoded, err := base64.RawStdEncoding.DecodeString(s)
	return string(decoded), err == nil
}
