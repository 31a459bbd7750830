package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signer signs requests the plain way, after the page, and shares no code with the verifier. Every header it is given is
// signed.
type signer struct {
	keyID, secret, token, region string
	at                           time.Time
	service                      string // "execute-api" if empty
	regionSet                    string // set: Signature Version 4A
	expires                      int    // of a presigned request
	payload                      string // in place of the body's hash
	spacesOnly                   bool   // tabs in a header's value are left alone
	authority                    bool   // the host is signed as :authority
}

// sign returns the headers with those of the signature.
func (s signer) sign(method, target, host string, headers [][2]string, body []byte) [][2]string {
	headers = append(slices.Clone(headers), [2]string{"host", host}, [2]string{"x-amz-date", s.date()})
	if s.token != "" {
		headers = append(headers, [2]string{"x-amz-security-token", s.token})
	}
	if s.regionSet != "" {
		headers = append(headers, [2]string{"x-amz-region-set", s.regionSet})
	}
	text, names := s.canonical(method, target, headers, body)
	return append(headers, [2]string{"authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		s.algorithm(), s.keyID, s.scope(), names, s.signature(text))})
}

// presign returns the target with the signature in its query.
func (s signer) presign(method, target, host string, headers [][2]string, body []byte) string {
	headers = append(slices.Clone(headers), [2]string{"host", host})
	add := func(name, value string) {
		separator := "&"
		if !strings.Contains(target, "?") {
			separator = "?"
		}
		target += separator + name + "=" + escape(value)
	}
	_, names := s.canonical(method, target, headers, body)
	add("X-Amz-Algorithm", s.algorithm())
	add("X-Amz-Credential", s.keyID+"/"+s.scope())
	add("X-Amz-Date", s.date())
	if s.expires >= 0 { // less for a request without it
		add("X-Amz-Expires", strconv.Itoa(s.expires))
	}
	add("X-Amz-SignedHeaders", names)
	if s.token != "" {
		add("X-Amz-Security-Token", s.token)
	}
	if s.regionSet != "" {
		add("X-Amz-Region-Set", s.regionSet)
	}
	text, _ := s.canonical(method, target, headers, body)
	add("X-Amz-Signature", s.signature(text))
	return target
}

func (s signer) date() string { return s.at.UTC().Format("20060102T150405Z") }

func (s signer) algorithm() string {
	if s.regionSet != "" {
		return "AWS4-ECDSA-P256-SHA256"
	}
	return "AWS4-HMAC-SHA256"
}

func (s signer) scope() string {
	parts := []string{s.date()[:8], s.region, "execute-api", "aws4_request"}
	if s.service != "" {
		parts[2] = s.service
	}
	if s.regionSet != "" {
		parts = slices.Delete(parts, 1, 2)
	}
	return strings.Join(parts, "/")
}

func (s signer) canonical(method, target string, headers [][2]string, body []byte) (text, names string) {
	rawPath, query, _ := strings.Cut(target, "?")
	values := map[string][]string{}
	for _, h := range headers {
		name := strings.ToLower(h[0])
		if name == "host" && s.authority {
			name = ":authority"
		}
		value := strings.Join(strings.FieldsFunc(h[1], func(r rune) bool { return r == ' ' || r == '\t' && !s.spacesOnly }), " ")
		values[name] = append(values[name], value)
	}
	var sorted []string
	for name := range values {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	lines := ""
	for _, name := range sorted {
		lines += name + ":" + strings.Join(values[name], ",") + "\n"
	}
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	if s.payload != "" {
		payload = s.payload
	}
	names = strings.Join(sorted, ";")
	return strings.Join([]string{method, canonicalPath(rawPath), naiveQuery(query), lines, names, payload}, "\n"), names
}

func canonicalPath(raw string) string {
	clean := path.Clean("/" + raw)
	last := raw[strings.LastIndex(raw, "/")+1:]
	if (last == "" || last == "." || last == "..") && clean != "/" {
		clean += "/"
	}
	return strings.ReplaceAll(escape(clean), "%2F", "/")
}

// escapePercent escapes the percent signs that begin no escape, which net/url does not read.
func escapePercent(text string) string {
	pieces := strings.Split(text, "%")
	for i, piece := range pieces[1:] {
		if len(piece) < 2 || strings.Trim(piece[:2], "0123456789abcdefABCDEF") != "" {
			pieces[i+1] = "25" + piece
		}
	}
	return strings.Join(pieces, "%")
}

// naiveQuery is a canonical query string by way of net/url. A plus sign is a space.
func naiveQuery(raw string) string {
	var pairs [][2]string
	for _, piece := range strings.Split(raw, "&") {
		if piece == "" {
			continue
		}
		parts := append(strings.SplitN(piece, "=", 2), "")
		name, _ := url.QueryUnescape(escapePercent(parts[0]))
		value, _ := url.QueryUnescape(escapePercent(parts[1]))
		pairs = append(pairs, [2]string{escape(name), escape(value)})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var out []string
	for _, p := range pairs {
		out = append(out, p[0]+"="+p[1])
	}
	return strings.Join(out, "&")
}

func escape(text string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(text))
}

func (s signer) stringToSign(canonicalRequest string) string {
	hash := sha256.Sum256([]byte(canonicalRequest))
	return s.algorithm() + "\n" + s.date() + "\n" + s.scope() + "\n" + hex.EncodeToString(hash[:])
}

func (s signer) signature(canonicalRequest string) string {
	text := s.stringToSign(canonicalRequest)
	if s.regionSet != "" {
		digest := sha256.Sum256([]byte(text))
		der, err := ecdsa.SignASN1(rand.Reader, s.privateKey(), digest[:])
		if err != nil {
			panic(err)
		}
		return hex.EncodeToString(der)
	}
	key := []byte("AWS4" + s.secret)
	for _, part := range strings.Split(s.scope(), "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func (s signer) privateKey() *ecdsa.PrivateKey {
	n := elliptic.P256().Params().N
	for c := 1; ; c++ {
		input := "\x00\x00\x00\x01AWS4-ECDSA-P256-SHA256\x00" + s.keyID + string([]byte{byte(c)}) + "\x00\x00\x01\x00"
		d := new(big.Int).SetBytes(mac([]byte("AWS4A"+s.secret), input))
		if d.Cmp(new(big.Int).Sub(n, big.NewInt(2))) > 0 {
			continue
		}
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d.Add(d, big.NewInt(1)).FillBytes(make([]byte, 32)))
		if err != nil {
			panic(err)
		}
		return key
	}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
