package awsidentity

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Header is the signed header that binds a presigned URL to one STS. Its value is the Origin of that STS.
const Header = "x-portcullis-sts"

const (
	// maxAge is how old a URL may be, and maxAhead how far the caller's clock may be ahead.
	maxAge   = 5 * time.Minute
	maxAhead = time.Minute
	// maxURL bounds a URL, which is mostly a session token of AWS.
	maxURL  = 16 << 10
	timeFmt = "20060102T150405Z"
)

// shapes are the parameters of a URL, each by its only spelling, with the shape of its value. All but optional ones are required.
var shapes = map[string]*regexp.Regexp{
	"Action":               regexp.MustCompile(`^GetCallerIdentity$`),
	"Version":              regexp.MustCompile(`^2011-06-15$`),
	"X-Amz-Algorithm":      regexp.MustCompile(`^AWS4-HMAC-SHA256$`),
	"X-Amz-Credential":     regexp.MustCompile(`^(?:AKIA|ASIA)[A-Z0-9]{12,60}/[0-9]{8}/[a-z0-9-]{1,32}/sts/aws4_request$`),
	"X-Amz-Date":           regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z$`),
	"X-Amz-Expires":        regexp.MustCompile(`^[1-9][0-9]{0,5}$`),
	"X-Amz-Security-Token": regexp.MustCompile(`^[A-Za-z0-9+/=._-]+$`),
	"X-Amz-Signature":      regexp.MustCompile(`^[0-9a-f]{64}$`),
	"X-Amz-SignedHeaders":  regexp.MustCompile(`^host;` + Header + `$`),
}

func optional(name string) bool { return name == "X-Amz-Expires" || name == "X-Amz-Security-Token" }

// presigned is a URL that was read and can be sent.
type presigned struct {
	endpoint endpoint
	// values are the parameters.
	values url.Values
	// expires is when the URL is too old.
	expires time.Time
	// temporary reports whether the key is a temporary one.
	temporary bool
}

var (
	errTooOld   = errors.New("the URL is too old: it lasts 5 minutes, or as long as X-Amz-Expires says")
	errTooEarly = errors.New("the URL is from the future")
)

// url returns the URL to send, made anew from the parameters.
func (p *presigned) url() string { return p.endpoint.origin + "/?" + p.values.Encode() }

func (p *presigned) signature() string { return p.values.Get("X-Amz-Signature") }

// parse reads a presigned URL. Its errors hold nothing of the URL.
func parse(text string, hosts map[string]endpoint, now time.Time) (*presigned, error) {
	if len(text) > maxURL {
		return nil, errors.New("the URL is too long")
	}
	scheme, rest, _ := strings.Cut(text, "://")
	authority, query, _ := strings.Cut(rest, "?")
	host, known := hosts[strings.TrimSuffix(authority, "/")]
	if !known || host.origin != scheme+"://"+strings.TrimSuffix(authority, "/") {
		return nil, errors.New("the URL does not begin with https:// and a host of AWS STS, without a port or a path")
	}
	values, err := parseQuery(query)
	if err != nil {
		return nil, err
	}
	p := &presigned{endpoint: host, values: values}
	if err := p.scope(); err != nil {
		return nil, err
	}
	return p, p.inTime(now)
}

// parseQuery reads the parameters. Only values may be escaped.
func parseQuery(query string) (url.Values, error) {
	values := url.Values{}
	for piece := range strings.SplitSeq(query, "&") {
		name, escaped, _ := strings.Cut(piece, "=")
		shape := shapes[name]
		value, err := url.PathUnescape(escaped)
		switch {
		case shape == nil:
			return nil, errors.New("the URL has a parameter that is not part of a presigned GetCallerIdentity")
		case values.Has(name):
			return nil, errors.New("the URL has " + name + " twice")
		case err != nil || strings.ContainsAny(escaped, "+=") || !shape.MatchString(value):
			return nil, errors.New("the URL's " + name + " is not that of a presigned GetCallerIdentity for this STS")
		}
		values.Set(name, value)
	}
	for name := range shapes {
		if !optional(name) && !values.Has(name) {
			return nil, errors.New("the URL has no " + name)
		}
	}
	return values, nil
}

// scope compares the credential with the host, the date and the session token.
func (p *presigned) scope() error {
	parts := strings.Split(p.values.Get("X-Amz-Credential"), "/")
	p.temporary = strings.HasPrefix(parts[0], "ASIA")
	switch {
	case parts[2] != p.endpoint.region:
		return errors.New("the region of the URL's X-Amz-Credential is not that of its host")
	case !strings.HasPrefix(p.values.Get("X-Amz-Date"), parts[1]+"T"):
		return errors.New("the day of the URL's X-Amz-Credential is not that of its X-Amz-Date")
	case p.temporary != p.values.Has("X-Amz-Security-Token"):
		return errors.New("a temporary key needs a session token, and another key has none")
	}
	return nil
}

func (p *presigned) inTime(now time.Time) error {
	signed, err := time.Parse(timeFmt, p.values.Get("X-Amz-Date"))
	if err != nil {
		return errors.New("the URL's X-Amz-Date is not a time")
	}
	lasts := maxAge
	if text := p.values.Get("X-Amz-Expires"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("the URL's X-Amz-Expires is not a number")
		}
		lasts = min(lasts, time.Duration(n)*time.Second)
	}
	p.expires = signed.Add(lasts)
	switch {
	case signed.After(now.Add(maxAhead)):
		return errTooEarly
	case !now.Before(p.expires):
		return errTooOld
	}
	return nil
}
