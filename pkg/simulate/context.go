package simulate

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// requestContext holds the condition keys by their lower-case names.
type requestContext map[string]policy.Value

// Lookup implements policy.Context.
func (c requestContext) Lookup(key *policy.Key) (policy.Value, bool) {
	v, ok := c[key.Name()]
	return v, ok
}

func newContext(entries []ContextEntry) (requestContext, error) {
	c := make(requestContext, len(entries))
	for i, e := range entries {
		v, problem := e.value()
		prefix, rest, _ := strings.Cut(e.ContextKeyName, ":")
		name := policy.NewKey(e.ContextKeyName).Name()
		_, twice := c[name]
		switch {
		case prefix == "" || rest == "":
			problem = "ContextKeyName is " + quote(e.ContextKeyName) + "; write it with its prefix, such as aws:SourceIp"
		case twice:
			problem = "the key " + quote(e.ContextKeyName) + " stands twice (case does not matter); keep one of them"
		}
		if problem != "" {
			return nil, invalid("ContextEntries[%d]: %s", i, problem)
		}
		c[name] = v
	}
	return c, nil
}

// value is the key's value for the policies, which read each text as their operators want it. A type says only whether the key
// is multivalued and what its texts have to be.
func (e *ContextEntry) value() (v policy.Value, problem string) {
	base, multivalued := strings.CutSuffix(e.ContextKeyType, "List")
	t, known := contextTypes[base]
	switch {
	case !known:
		return v, "ContextKeyType is " + quote(e.ContextKeyType) + "; there are string, numeric, boolean, ip, binary and date, and each with List behind it"
	case !multivalued && len(e.ContextKeyValues) != 1:
		return v, "the type " + e.ContextKeyType + " holds one value; write " + base + "List for a key with several, and no entry for a key without"
	}
	texts := make([]string, len(e.ContextKeyValues))
	for i, text := range e.ContextKeyValues {
		var ok bool
		if texts[i], ok = t.read(text); !ok {
			return v, "the value " + quote(text) + " is " + t.mismatch
		}
	}
	if multivalued {
		return policy.ListValue(texts), ""
	}
	return policy.StringValue(texts[0]), ""
}

// contextType reads the values of a ContextKeyType and says what is wrong with others.
type contextType struct {
	read     func(text string) (string, bool)
	mismatch string
}

var contextTypes = map[string]contextType{
	"string":  {asIs, ""},
	"numeric": {checked(isNumber), "not a number; write digits, with a point at most"},
	"boolean": {asBoolean, "neither true nor false"},
	"ip":      {checked(isAddress), "not an IP address"},
	"binary":  {checked(isBase64), "not base64 with the standard alphabet and padding"},
	"date":    {checked(isDate), "not a date; write 2027-01-31T12:00:00Z, 2027-01-31 or seconds since 1970"},
}

func asIs(text string) (string, bool) { return text, true }

func checked(is func(text string) bool) func(string) (string, bool) {
	return func(text string) (string, bool) { return text, is(text) }
}

// asBoolean takes the spelling of any programming language.
func asBoolean(text string) (string, bool) {
	text = strings.ToLower(text)
	return text, text == "true" || text == "false"
}

func isNumber(text string) bool {
	whole, fraction, point := strings.Cut(strings.TrimLeft(text[:min(1, len(text))], "+-")+text[min(1, len(text)):], ".")
	return isDigits(whole) && (!point || isDigits(fraction))
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

func isAddress(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Zone() == ""
}

func isBase64(text string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && !strings.ContainsAny(text, "\r\n")
}

// isDate takes the W3C's profile of ISO 8601 and seconds since 1970. What it takes and the policies cannot read, such as a year
// far away, equals nothing there.
func isDate(text string) bool {
	if isDigits(strings.TrimPrefix(text, "-")) {
		return true
	}
	for _, layout := range []string{
		"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
		"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07", "2006-01-02", "2006-01",
	} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}
