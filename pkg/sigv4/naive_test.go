package sigv4

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// naive is a second verifier, written after the specification and for nothing but to be read: one function for each paragraph, in the order
// in which faults win, and no code of the first one.
type naive struct {
	now    time.Time
	region string
	keys   map[string]Key
}

const (
	missingType      = "MissingAuthenticationTokenException"
	incompleteType   = "IncompleteSignatureException"
	invalidType      = "InvalidSignatureException"
	unrecognizedType = "UnrecognizedClientException"
	expiredType      = "ExpiredTokenException"
)

// claim has the parts of a signature that a request states.
type claim struct {
	presigned                                                  bool
	algorithm, credential, date, expires, regionSet, signature string
	tokens, strayTokens                                        []string
	names                                                      []string
	lines                                                      map[string][]string
}

// verify returns the type of the error, or nothing for a signature that counts.
func (n naive) verify(r *Request) string {
	c := claim{lines: map[string][]string{}}
	for name, value := range r.Headers {
		c.lines[name] = append(c.lines[name], value)
	}
	for _, step := range []func(*Request, *claim) string{naiveForm, naiveNames, naiveSigned, n.naiveDate, n.naiveScope, n.naiveSignature} {
		if errorType := step(r, &c); errorType != "" {
			return errorType
		}
	}
	return ""
}

// naiveForm: a request is signed in one place, or it is not signed.
func naiveForm(r *Request, c *claim) string {
	_, query, _ := strings.Cut(r.Target, "?")
	given := map[string][]string{}
	odd := false
	for _, piece := range strings.Split(query, "&") {
		raw, value, _ := strings.Cut(piece, "=")
		name := naiveDecode(raw)
		given[name] = append(given[name], naiveDecode(value))
		known := slices.ContainsFunc(presignedNames, func(k string) bool { return strings.EqualFold(k, name) })
		odd = odd || known && !slices.Contains(presignedNames, raw)
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"} {
		c.presigned = c.presigned || given[name] != nil
	}
	authorizations := c.lines["authorization"]
	switch {
	case c.presigned && authorizations != nil || len(authorizations) > 1:
		return incompleteType
	case c.presigned && odd:
		return incompleteType
	case c.presigned:
		return naivePresigned(c, given)
	case authorizations == nil || authorizations[0] == "":
		return missingType
	}
	c.strayTokens = given["X-Amz-Security-Token"]
	return naiveAuthorization(c, authorizations[0])
}

var presignedNames = []string{
	"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Region-Set",
}

func naivePresigned(c *claim, given map[string][]string) string {
	for _, name := range presignedNames {
		needed := name != "X-Amz-Security-Token" && (name != "X-Amz-Region-Set" || given["X-Amz-Algorithm"] != nil && given["X-Amz-Algorithm"][0] == AlgorithmV4A)
		if values := given[name]; len(values) > 1 || needed && len(values) == 0 || len(values) == 1 && values[0] == "" {
			return incompleteType
		}
	}
	first := func(name string) string { return append(given[name], "")[0] }
	c.algorithm, c.credential, c.date, c.expires = first("X-Amz-Algorithm"), first("X-Amz-Credential"), first("X-Amz-Date"), first("X-Amz-Expires")
	c.signature, c.regionSet, c.tokens = first("X-Amz-Signature"), first("X-Amz-Region-Set"), given["X-Amz-Security-Token"]
	c.names, c.strayTokens = strings.Split(first("X-Amz-SignedHeaders"), ";"), c.lines["x-amz-security-token"]
	return ""
}

var authorizationShape = regexp.MustCompile(`^([^ ]+) ((?: *[A-Za-z]+=[^,]*,){2} *[A-Za-z]+=[^,]*)$`)

func naiveAuthorization(c *claim, value string) string {
	found := authorizationShape.FindStringSubmatch(value)
	if len(value) > 8192 || found == nil {
		return incompleteType
	}
	parts := map[string]string{}
	for _, part := range strings.Split(found[2], ",") {
		name, text, _ := strings.Cut(strings.Trim(part, " "), "=")
		parts[name] = text
	}
	for _, name := range []string{"x-amz-date", "x-amz-security-token", "x-amz-region-set", "date"} {
		if len(c.lines[name]) > 1 {
			return incompleteType
		}
	}
	c.algorithm, c.credential, c.signature = found[1], parts["Credential"], parts["Signature"]
	c.date, c.regionSet = append(append(c.lines["x-amz-date"], c.lines["date"]...), "")[0], append(c.lines["x-amz-region-set"], "")[0]
	c.tokens, c.names = c.lines["x-amz-security-token"], strings.Split(parts["SignedHeaders"], ";")
	if c.credential == "" || c.signature == "" || parts["SignedHeaders"] == "" || c.date == "" || c.algorithm == AlgorithmV4A && c.regionSet == "" {
		return incompleteType
	}
	return ""
}

// naiveNames: the algorithm is one of two; the names of signed headers are in lower case, in order, different, and not too many.
func naiveNames(_ *Request, c *claim) string {
	if c.algorithm != AlgorithmV4 && c.algorithm != AlgorithmV4A || len(c.names) > 100 {
		return incompleteType
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(c.names)))
	if !slices.Equal(sorted, c.names) || strings.ToLower(strings.Join(c.names, "")) != strings.Join(c.names, "") || slices.Contains(c.names, "") {
		return incompleteType
	}
	if slices.ContainsFunc(c.names, func(name string) bool { return strings.ContainsAny(name, " \t,/=") }) {
		return incompleteType
	}
	return ""
}

// naiveSigned: the host is signed, the date is, every x-amz- header is, and what is signed is there.
func naiveSigned(r *Request, c *claim) string {
	signed := func(name string) bool { return slices.Contains(c.names, name) }
	if !signed("host") && !signed(":authority") || len(c.lines["host"]) > 1 || len(c.lines["host"]) == 1 && c.lines["host"][0] != r.Host {
		return invalidType
	}
	for name := range c.lines {
		free := name == "x-amz-content-sha256" || name == "x-amz-security-token" || name == "x-amz-cf-id"
		if strings.HasPrefix(strings.NewReplacer("_", "-", ".", "-").Replace(name), "x-amz-") && !free && !signed(name) {
			return invalidType
		}
	}
	for _, name := range c.names {
		if name != "host" && name != ":authority" && c.lines[name] == nil {
			return invalidType
		}
	}
	if !c.presigned && c.lines["x-amz-date"] == nil && !signed("date") {
		return invalidType
	}
	return ""
}

// naiveDate: five minutes to either side, or for a presigned request from five minutes before to its end.
func (n naive) naiveDate(_ *Request, c *claim) string {
	at, err := time.Parse("20060102T150405Z", c.date)
	if err != nil || len(c.date) != 16 {
		return incompleteType
	}
	end := at.Add(5 * time.Minute)
	if c.presigned {
		if c.expires == "" {
			c.expires = "300"
		}
		seconds, err := strconv.Atoi(c.expires)
		if err != nil || seconds < 1 || seconds > 604800 || strings.Trim(c.expires, "0123456789") != "" {
			return incompleteType
		}
		end = at.Add(time.Duration(min(seconds, 300)) * time.Second)
	}
	if n.now.After(end) || n.now.Before(at.Add(-5*time.Minute)) {
		return invalidType
	}
	return ""
}

// naiveScope: five parts, or four where a region set stands for the region.
func (n naive) naiveScope(_ *Request, c *claim) string {
	parts := strings.Split(c.credential, "/")
	if c.algorithm == AlgorithmV4A {
		if len(parts) != 4 {
			return incompleteType
		}
		region := "-"
		for _, pattern := range strings.Split(c.regionSet, ",") {
			glob := "^" + strings.ReplaceAll(regexp.QuoteMeta(latin(strings.Trim(pattern, " "))), `\*`, ".*") + "$"
			if regexp.MustCompile(glob).MatchString(n.region) {
				region = n.region
			}
		}
		parts = slices.Insert(parts, 2, region)
	}
	if len(parts) != 5 || parts[0] == "" {
		return incompleteType
	}
	if !slices.Equal(parts[1:], []string{c.date[:8], n.region, "execute-api", "aws4_request"}) {
		return invalidType
	}
	return ""
}

var v4Shape = regexp.MustCompile(`^[0-9a-f]{64}$`)

// naiveSignature: the shape of the signature, the key, its token, its end, and then the signature itself and the body.
func (n naive) naiveSignature(r *Request, c *claim) string {
	id, _, _ := strings.Cut(c.credential, "/")
	if c.algorithm == AlgorithmV4 && !v4Shape.MatchString(c.signature) {
		return invalidType
	}
	der, err := hex.DecodeString(c.signature)
	if err != nil || len(der) > 72 || c.signature != strings.ToLower(c.signature) {
		return invalidType
	}
	key, known := n.keys[id]
	token := strings.Join(c.tokens, ",") // an empty one counts as absent
	if !known || key.Secret == "" || token != key.Token || c.strayTokens != nil {
		return unrecognizedType
	}
	if !key.Expires.IsZero() && !n.now.Before(key.Expires) {
		return expiredType
	}
	at, _ := time.Parse("20060102T150405Z", c.date)
	s := signer{keyID: id, secret: key.Secret, region: n.region, at: at, regionSet: c.regionSet}
	if c.algorithm == AlgorithmV4 {
		s.regionSet = ""
	}
	for _, spaces := range []string{" \t", " "} {
		text := naiveCanonical(r, c, spaces)
		if c.algorithm == AlgorithmV4A {
			digest := sha256.Sum256([]byte(s.stringToSign(text)))
			if ecdsa.VerifyASN1(&s.privateKey().PublicKey, digest[:], der) {
				return naiveBody(r, c)
			}
		} else if s.signature(text) == c.signature {
			return naiveBody(r, c)
		}
	}
	return invalidType
}

func naiveBody(r *Request, c *claim) string {
	sum := sha256.Sum256(r.Body)
	if hash := c.lines["x-amz-content-sha256"]; hash != nil && strings.Join(hash, ",") != hex.EncodeToString(sum[:]) {
		return invalidType
	}
	return ""
}

// naiveCanonical is the canonical request. Of spaces, each run in a header's value is one.
func naiveCanonical(r *Request, c *claim, spaces string) string {
	path, query, _ := strings.Cut(r.Target, "?")
	text := r.Method + "\n" + naivePath(path) + "\n"
	var pairs []string
	for _, piece := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(piece, "=")
		if piece != "" && name != "X-Amz-Signature" {
			// A NUL sorts before every character of a name that is longer.
			pairs = append(pairs, naiveEncode(naiveDecode(name))+"\x00"+naiveEncode(naiveDecode(value)))
		}
	}
	slices.Sort(pairs)
	text += strings.ReplaceAll(strings.Join(pairs, "&"), "\x00", "=") + "\n"
	for _, name := range c.names {
		var values []string
		for _, value := range c.lines[name] {
			values = append(values, strings.Trim(regexp.MustCompile("["+spaces+"]+").ReplaceAllString(value, " "), " "))
		}
		if name == "host" || name == ":authority" {
			values = []string{r.Host}
		}
		text += name + ":" + strings.Join(values, ",") + "\n"
	}
	sum := sha256.Sum256(r.Body)
	return text + "\n" + strings.Join(c.names, ";") + "\n" + hex.EncodeToString(sum[:])
}

// naivePath rewrites a path until nothing is left to be rewritten, and encodes what is there.
func naivePath(path string) string {
	path = "/" + path
	for _, rule := range []struct{ from, to string }{
		{`//+`, "/"}, {`/(\./)+`, "/"}, {`/\.$`, "/"},
	} {
		path = regexp.MustCompile(rule.from).ReplaceAllString(path, rule.to)
	}
	up := regexp.MustCompile(`/\.\.(/|$)`)
	for found := up.FindStringIndex(path); found != nil; found = up.FindStringIndex(path) {
		before := path[:found[0]]
		path = before[:max(strings.LastIndex(before, "/"), 0)] + "/" + path[found[1]:]
	}
	return strings.ReplaceAll(naiveEncode(path), "%2F", "/")
}

func naiveEncode(text string) string {
	return regexp.MustCompile(`(?s)[^A-Za-z0-9._~-]`).ReplaceAllStringFunc(latin(text), func(c string) string {
		return "%" + strings.ToUpper(hex.EncodeToString([]byte(latin1(c))))
	})
}

// latin has one character for each byte; latin1 is the way back.
func latin(text string) string {
	var out []rune
	for i := range len(text) {
		out = append(out, rune(text[i]))
	}
	return string(out)
}

var escapeShape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// naiveDecode decodes once; a plus is a space.
func naiveDecode(text string) string {
	return latin1(escapeShape.ReplaceAllStringFunc(latin(strings.ReplaceAll(text, "+", " ")), func(e string) string {
		b, _ := hex.DecodeString(e[1:])
		return latin(string(b))
	}))
}
