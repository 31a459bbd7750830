package sigv4

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	maxExpires     = 604800 * time.Second
	defaultExpires = 300 * time.Second
	maxHostAliases = 8
)

// Config says what a verifier accepts. Regions and Key are needed.
type Config struct {
	// Regions are the regions of the API: a credential's scope names one of them, or a region set matches one.
	Regions []string
	// Service is the service of the scope; empty stands for "execute-api".
	Service string
	// Key finds a key by its id. A key without a secret is as good as none.
	Key func(id string) (Key, bool)
	// SigningKey is a cache in front of DeriveSigningKey; nil derives each time.
	SigningKey func(id SigningKeyID, secret string) [32]byte
	// PublicKey is a cache in front of DerivePublicKey; nil derives each time.
	PublicKey func(id PublicKeyID, secret string) *ecdsa.PublicKey
	// Now is the clock; nil stands for time.Now.
	Now func() time.Time
	// MaxExpires is how long a presigned request is good for at most, whatever its X-Amz-Expires; zero stands for 300 seconds, and
	// AWS's own limit is 604,800.
	MaxExpires time.Duration
	// HostAliases are tried in place of the request's host, for a load balancer in front that rewrites it. At most eight.
	HostAliases []string
	// AllowUnsignedPayload accepts "UNSIGNED-PAYLOAD" as x-amz-content-sha256: the body is then not protected.
	AllowUnsignedPayload bool
	// PlusLiteral reads a "+" in a query as itself and no longer as a space.
	PlusLiteral bool
	// AcceptPathAsSent also accepts a path that was signed with its dot segments and empty segments, as Go's SDK does.
	AcceptPathAsSent bool
	// AcceptUnsignedQueryToken also accepts an X-Amz-Security-Token that was added to the query after signing.
	AcceptUnsignedQueryToken bool
	// DisableSigV4A refuses AWS4-ECDSA-P256-SHA256.
	DisableSigV4A bool
	// Debug fills Error.Debug.
	Debug bool
}

// Key is an access key.
type Key struct {
	Secret string
	// Version changes with the secret.
	Version uint64
	// Token is the session token of a temporary key; empty for a long-term one.
	Token string
	// Expires is when the key stops working; the zero time for never.
	Expires time.Time
}

// Format prints nothing of a key, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "sigv4.Key") }

// LogValue logs nothing of a key.
func (Key) LogValue() slog.Value { return slog.StringValue("sigv4.Key") }

// SigningKeyID names a derived signing key. Its strings may be parts of the request's: a cache that keeps one clones them.
// An empty KeyID stands for every key that does not exist.
type SigningKeyID struct {
	KeyID                 string
	Version               uint64
	Date, Region, Service string
}

// PublicKeyID names a public key of Signature Version 4A; what SigningKeyID says of strings holds for it too.
type PublicKeyID struct {
	KeyID   string
	Version uint64
}

// Request is a view of the request to verify. The verifier changes and keeps nothing of it.
type Request struct {
	Method string
	// Target is path and query as they came, still escaped.
	Target string
	// Host is the Host or :authority as the client sent it, with case and port.
	Host string
	// Headers yields the header lines in the order of the wire, with lower-case names and without pseudo headers.
	Headers iter.Seq2[string, string]
	// Body is the body; it counts only where BodyComplete says that it is all of it, byte for byte.
	Body         []byte
	BodyComplete bool
}

// Form is where a request carries its signature.
type Form uint8

// The forms. The zero value is none.
const (
	FormNone Form = iota
	FormHeader
	FormQuery
)

// Result is what a signature proves. Its strings may be parts of the request's.
type Result struct {
	// KeyID is the access key id whose secret has signed.
	KeyID string
	Form  Form
	// Algorithm is AlgorithmV4 or AlgorithmV4A.
	Algorithm string
	// Host is the host that was signed: the request's, or the one of HostAliases that the signature matches.
	Host string
	// SignedHeaders are the names of the signed headers, sorted, with semicolons between.
	SignedHeaders string
	// SignedAt is when the client says it signed.
	SignedAt time.Time
	// UnsignedPayload says that the signature leaves the body out (AllowUnsignedPayload).
	UnsignedPayload bool

	hasToken bool
}

// SpentHeaders are the headers that hold the signature and must not travel on.
func (r Result) SpentHeaders() []string {
	switch {
	case r.Form != FormHeader:
		return nil
	case r.hasToken:
		return []string{"authorization", "x-amz-security-token"}
	default:
		return []string{"authorization"}
	}
}

// SpentQuery are the query parameters that hold the signature and must not travel on.
func (r Result) SpentQuery() []string {
	if r.Form != FormQuery {
		return nil
	}
	names := []string{queryAlgorithm, queryCredential, queryDate, queryExpires, querySignedHeaders, querySignature}
	if r.hasToken {
		names = append(names, queryToken)
	}
	if r.Algorithm == AlgorithmV4A {
		names = append(names, queryRegionSet)
	}
	return names
}

// Verifier verifies signatures for one API. The zero value refuses everything.
type Verifier struct {
	config Config
	states sync.Pool
}

// New makes a verifier, or says everything that is wrong with its configuration.
func New(c Config) (*Verifier, error) {
	var faults []error
	if c.Key == nil {
		faults = append(faults, errors.New("sigv4: Key is missing: without it there is nothing to verify against"))
	}
	if len(c.Regions) == 0 || slices.Contains(c.Regions, "") {
		faults = append(faults, errors.New("sigv4: Regions is empty, or holds an empty region"))
	}
	if c.MaxExpires < 0 || c.MaxExpires > maxExpires || c.MaxExpires%time.Second != 0 {
		faults = append(faults, errors.New("sigv4: MaxExpires is not a number of seconds from 1 to 604800"))
	}
	if len(c.HostAliases) > maxHostAliases || slices.Contains(c.HostAliases, "") {
		faults = append(faults, fmt.Errorf("sigv4: HostAliases holds more than %d hosts, or an empty one", maxHostAliases))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &Verifier{config: c.withDefaults()}, nil
}

func (c Config) withDefaults() Config {
	c.Regions, c.HostAliases = slices.Clone(c.Regions), slices.Clone(c.HostAliases)
	if c.Service == "" {
		c.Service = "execute-api"
	}
	if c.SigningKey == nil {
		c.SigningKey = DeriveSigningKey
	}
	if c.PublicKey == nil {
		c.PublicKey = DerivePublicKey
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxExpires == 0 {
		c.MaxExpires = defaultExpires
	}
	return c
}
