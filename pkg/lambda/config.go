package lambda

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Type is how much of a request an authorizer's function is told.
type Type string

const (
	// Token tells it one header. Only REST APIs have it.
	Token Type = "TOKEN"
	// Request tells it the request without its body.
	Request Type = "REQUEST"
)

// Payload format versions of HTTP APIs.
const (
	version1 = "1.0"
	version2 = "2.0"
)

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = time.Minute
	defaultTTL     = 300 * time.Second
	maxTTL         = 3600 * time.Second
)

// Config says what an Authorizer is. Name, Type, Function and Invoker are needed.
type Config struct {
	// Name is the authorizer's name, for operators.
	Name string
	Type Type
	// HTTP says that the authorizer belongs to an HTTP API, and not to a REST API.
	HTTP bool
	// PayloadFormatVersion is "1.0" or "2.0". HTTP APIs need it, REST APIs have none.
	PayloadFormatVersion string
	// EnableSimpleResponses has the function answer isAuthorized and no policy. It needs version 2.0.
	EnableSimpleResponses bool
	// IdentitySource are the identity sources as they are configured, such as method.request.header.Auth or
	// $request.header.Auth. A Call has a value for each.
	IdentitySource []string
	// TTL is authorizerResultTtlInSeconds, up to an hour; zero keeps nothing. Nil stands for API Gateway's default: 300
	// seconds for a REST API, none for an HTTP API.
	TTL *time.Duration
	// Timeout is how long a function may take; zero stands for 10 seconds.
	Timeout time.Duration
	// Function is the function's ARN, with its qualifier if there is one.
	Function string
	// Invoker invokes the function.
	Invoker Invoker
	// Digest is whatever else may change an answer: the function's address, authorizerCredentials, stage variables. An
	// authorizer that differs in it finds no answers of the other.
	Digest []string
	// Cache keeps answers; nil keeps none.
	Cache *cache.Cache[*Answer]
	// Waits bounds the requests that wait for answers; nil stands for bounds of this authorizer's own.
	Waits  *Waits
	Limits Limits
	// Now is the clock; nil stands for time.Now.
	Now func() time.Time
}

// Limits bounds answers; each zero takes its default.
type Limits struct {
	// Bytes is the length of an answer: 256 KiB.
	Bytes int
	// Statements is how many its policy may have: 1,000.
	Statements int
}

// MaxAnswer is the longest answer that any authorizer reads.
const MaxAnswer = 1 << 20

func (l Limits) withDefaults() Limits {
	or := func(n *int, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
	}
	or(&l.Bytes, 256<<10)
	or(&l.Statements, 1000)
	return l
}

// New makes an Authorizer, or says everything that is wrong with its configuration.
func New(c Config) (*Authorizer, error) {
	a := &Authorizer{
		name: c.Name, token: c.Type == Token, http: c.HTTP, version: c.PayloadFormatVersion, simple: c.EnableSimpleResponses,
		sources: len(c.IdentitySource), spelling: spellings(c.IdentitySource), ttl: ttl(c), timeout: c.Timeout,
		function: c.Function, invoker: c.Invoker, cache: c.Cache, waits: c.Waits, limits: c.Limits.withDefaults(), now: c.Now,
	}
	if a.waits == nil {
		a.waits = NewWaits(defaultWaits)
	}
	if a.timeout == 0 {
		a.timeout = defaultTimeout
	}
	if a.now == nil {
		a.now = time.Now
	}
	if err := errors.Join(append(c.faults(a.ttl), a.limits.faults()...)...); err != nil {
		return nil, err
	}
	a.digest = c.digest(a.ttl)
	return a, nil
}

func ttl(c Config) time.Duration {
	switch {
	case c.TTL != nil:
		return *c.TTL
	case c.HTTP:
		return 0
	default:
		return defaultTTL
	}
}

// faults says what is wrong, and what to write instead.
func (c *Config) faults(ttl time.Duration) (faults []error) {
	refuse := func(is bool, format string, args ...any) {
		if is {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(c.Name == "", "the authorizer has no name")
	refuse(c.Function == "" || c.Invoker == nil, "function is missing; write the Lambda function's ARN")
	refuse(c.Type != Token && c.Type != Request, "type %q does not exist; write TOKEN or REQUEST", c.Type)
	refuse(c.Type == Token && c.HTTP, "an HTTP API has no TOKEN authorizer; write REQUEST")
	refuse(c.Type == Token && len(c.IdentitySource) != 1, "a TOKEN authorizer has one identitySource, a header; there are %d", len(c.IdentitySource))
	c.versionFaults(refuse)
	refuse(ttl < 0 || ttl > maxTTL, "resultTtl is %v; write 0s up to 3600s", ttl)
	refuse(ttl > 0 && c.Type == Request && len(c.IdentitySource) == 0,
		"Identity source must be set if authorizer caching is enabled (TTL is greater than 0); name what tells callers apart in identitySource, or write resultTtl: 0s")
	refuse(c.Timeout < 0 || c.Timeout > maxTimeout, "timeout is %v; write up to %v, or nothing for %v", c.Timeout, maxTimeout, defaultTimeout)
	return faults
}

func (c *Config) versionFaults(refuse func(bool, string, ...any)) {
	version := c.PayloadFormatVersion
	known := version == version1 || version == version2
	refuse(c.HTTP && version == "", `payloadFormatVersion is missing; an HTTP API needs "1.0" or "2.0"`)
	refuse(c.HTTP && version != "" && !known, `payloadFormatVersion %q does not exist; write "1.0" or "2.0"`, version)
	refuse(!c.HTTP && version != "", "payloadFormatVersion belongs to HTTP APIs; take it away")
	refuse(c.EnableSimpleResponses && !c.HTTP, "enableSimpleResponses belongs to HTTP APIs; take it away")
	refuse(c.EnableSimpleResponses && c.HTTP && known && version != version2, `enableSimpleResponses needs payloadFormatVersion "2.0"`)
}

func (l Limits) faults() (faults []error) {
	most := policy.DefaultLimits()
	for _, limit := range []struct {
		name    string
		n, most int
	}{
		{"bytes of an answer", l.Bytes, MaxAnswer},
		{"statements of an answer", l.Statements, most.Statements},
	} {
		if limit.n < 1 || limit.n > limit.most {
			faults = append(faults, fmt.Errorf("the limit on %s is %d; write 1 up to %d", limit.name, limit.n, limit.most))
		}
	}
	return faults
}

// digest is over everything that an answer depends on. The TTL belongs to it: who shortens it does not mean to wait.
func (c *Config) digest(ttl time.Duration) [32]byte {
	var b []byte
	add := func(list ...string) {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = appendText(b, s)
		}
	}
	add(c.Name, string(c.Type), fmt.Sprint(c.HTTP), c.PayloadFormatVersion, fmt.Sprint(c.EnableSimpleResponses), ttl.String(), c.Function)
	add(c.IdentitySource...)
	add(c.Digest...)
	return sha256.Sum256(b)
}

// appendText appends a text so that no two lists of texts come to the same bytes.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// spellings are the header names of identity sources as they are configured, by their lower case.
func spellings(sources []string) map[string]string {
	names := map[string]string{}
	for _, source := range sources {
		for _, prefix := range []string{"method.request.header.", "$request.header."} {
			if name, ok := strings.CutPrefix(source, prefix); ok {
				names[strings.ToLower(name)] = name
			}
		}
	}
	return names
}
