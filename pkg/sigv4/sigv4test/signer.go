// Package sigv4test signs requests for tests of other packages with Signature Version 4, in the Authorization header or
// in the query.
//
// # Decisions
//
// 2026-11-23: the signer follows the AWS documentation and shares no code with the verifier. It supports only plain
// paths and queries, without dot segments, empty segments and repeated names. The vectors of package sigv4 cover what
// real clients sign.
package sigv4test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Signer is a client with an access key.
type Signer struct {
	KeyID, Secret string
	// Token is the session token of a temporary key.
	Token  string
	Region string
	// Service is the service of the scope; empty means execute-api.
	Service string
	At      time.Time
	// Expires is the X-Amz-Expires of a presigned request, in seconds; zero means 900.
	Expires int
}

// Sign adds a signature to the headers of a request. It signs all headers.
func (s Signer) Sign(r *authz.Request) {
	var lines []authz.Field
	for name, value := range r.Headers() {
		lines = append(lines, authz.Field{Name: name, Value: value})
	}
	lines = append(lines, authz.Field{Name: "x-amz-date", Value: s.date()})
	if s.Token != "" {
		lines = append(lines, authz.Field{Name: "x-amz-security-token", Value: s.Token})
	}
	text, names := canonicalRequest(r, r.RawQuery(), lines)
	lines = append(lines, authz.Field{Name: "authorization", Value: "AWS4-HMAC-SHA256 Credential=" + s.KeyID + "/" + s.scope() +
		", SignedHeaders=" + names + ", Signature=" + s.signature(text)})
	r.SetHeaders(lines)
}

// Presign adds a signature to the query of a request. It signs no header except the host.
func (s Signer) Presign(r *authz.Request) {
	query := r.RawQuery()
	add := func(name, value string) {
		if query != "" {
			query += "&"
		}
		query += name + "=" + escape(value)
	}
	add("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	add("X-Amz-Credential", s.KeyID+"/"+s.scope())
	add("X-Amz-Date", s.date())
	add("X-Amz-Expires", strconv.Itoa(cmp.Or(s.Expires, 900)))
	add("X-Amz-SignedHeaders", "host")
	if s.Token != "" {
		add("X-Amz-Security-Token", s.Token)
	}
	text, _ := canonicalRequest(r, query, nil)
	add("X-Amz-Signature", s.signature(text))
	r.Target = r.Path() + "?" + query
}

func (s Signer) date() string { return s.At.UTC().Format("20060102T150405Z") }

func (s Signer) scope() string {
	service := s.Service
	if service == "" {
		service = "execute-api"
	}
	return s.date()[:8] + "/" + s.Region + "/" + service + "/aws4_request"
}

func (s Signer) signature(canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + s.Secret)
	for _, part := range strings.Split(s.scope(), "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+s.date()+"\n"+s.scope()+"\n"+hex.EncodeToString(sum[:])))
}

func canonicalRequest(r *authz.Request, query string, lines []authz.Field) (text, names string) {
	lines = append(slices.Clone(lines), authz.Field{Name: "host", Value: r.Host})
	slices.SortFunc(lines, func(a, b authz.Field) int { return strings.Compare(a.Name, b.Name) })
	headers := ""
	for _, line := range lines {
		headers += line.Name + ":" + line.Value + "\n"
		names += ";" + line.Name
	}
	names = names[1:]
	body, _ := r.Body()
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	if claimed, lines := r.Header("x-amz-content-sha256"); lines > 0 {
		payload = claimed
	}
	path := strings.ReplaceAll(escape(r.Path()), "%2F", "/")
	return strings.Join([]string{r.Method, path, canonicalQuery(query), headers, names, payload}, "\n"), names
}

func canonicalQuery(raw string) string {
	var pairs []string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name)
		value, _ = url.QueryUnescape(value)
		if name != "" {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func escape(text string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
