package runner

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

const (
	// shortestSecret is the shortest text of an event that is hidden: shorter ones are words like "GET".
	shortestSecret = 8
	mostSecrets    = 512
	// recentEvents is how many events are remembered, for what is printed arrives a little later.
	recentEvents = 4
	redacted     = "[redacted]"
)

// fromClient are the keys of an authorizer's event below which lies what a client has sent.
var fromClient = []string{
	"authorizationToken", "identitySource", "headers", "multiValueHeaders", "cookies", "queryStringParameters",
	"multiValueQueryStringParameters", "rawQueryString",
}

// redactor takes out of what a function prints what the clients of its last events sent: many a function prints its event. It
// finds what is printed as it came; it is no proof against a function that wants to tell.
type redactor struct {
	mu     sync.Mutex
	events [recentEvents]*secrets
	next   int
}

// secrets are an event's, looked for when the first line is printed.
type secrets struct {
	event []byte
	once  sync.Once
	found []string
}

// remember adds an event, in place of the oldest.
func (r *redactor) remember(event []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[r.next] = &secrets{event: event}
	r.next = (r.next + 1) % recentEvents
}

// redact hides the secrets in a line. One that was cut may end within a secret, so that much less of it is shown.
func (r *redactor) redact(line string, cut bool) string {
	r.mu.Lock()
	events := r.events
	r.mu.Unlock()
	longest := 0
	for _, e := range events {
		if e == nil {
			continue
		}
		e.once.Do(func() { e.found = secretsOf(e.event) })
		for _, s := range e.found {
			longest = max(longest, len(s))
			line = strings.ReplaceAll(line, s, redacted)
		}
	}
	if cut {
		line = line[:max(0, len(line)-longest)]
	}
	return line
}

// secretsOf lists what is to be hidden, the longest first: each value, and each word of it.
func secretsOf(event []byte) []string {
	var top map[string]any
	if json.Unmarshal(event, &top) != nil {
		return nil
	}
	var found []string
	for _, key := range fromClient {
		found = collect(found, top[key])
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	return slices.Compact(found)
}

func collect(found []string, value any) []string {
	switch v := value.(type) {
	case string:
		for _, s := range append([]string{v}, strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(" ,;=&\"", r) })...) {
			if len(s) >= shortestSecret && len(found) < mostSecrets {
				found = append(found, s)
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
