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

// Config configures a verifier. Key is required, and Regions unless AnyRegion is set.
type Config struct {
	// Regions are the regions of the API. A credential's scope must name one of them, or a region set must match one.
	Regions []string
	// AnyRegion accepts every region of a scope, also an empty one, and every region set. Regions must be empty then.
	AnyRegion bool
	// Service is the service of the scope; empty means "execute-api".
	Service string
	// Key returns the key of an id and of the session token that came with the signature, which is empty if none came. A key without a
	// secret counts as unknown. The strings may share memory with the request.
	Key func(id, token string) (Key, bool)
	// SigningKey caches DeriveSigningKey; nil derives the key each time.
	SigningKey func(id SigningKeyID, secret string) [32]byte
	// PublicKey caches DerivePublicKey; nil derives the key each time.
	PublicKey func(id PublicKeyID, secret string) *ecdsa.PublicKey
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// MaxExpires is the longest lifetime of a presigned request, whatever its X-Amz-Expires; zero means 300 seconds.
	// The limit of AWS is 604,800.
	MaxExpires time.Duration
	// ClockSkew is by how much the date of a signed request may differ from the clock; zero means five minutes. It is also the
	// lifetime of a presigned request without X-Amz-Expires.
	ClockSkew time.Duration
	// HostAliases are tried instead of the request's host, for a load balancer that rewrites it. At most eight.
	HostAliases []string
	// AllowUnsignedPayload accepts "UNSIGNED-PAYLOAD" as x-amz-content-sha256. The body is then not protected.
	AllowUnsignedPayload bool
	// PlusLiteral reads "+" in a query as a plus sign instead of a space.
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
	// Token is the session token of a temporary key; empty for a long-term one. The verifier compares it with the request's.
	Token string
	// Expires is when the key stops working; the zero time means never.
	Expires time.Time
	// Owner is for the caller of Verify, which finds it in the Result.
	Owner any
	// Unknown says, for the operator, why an id has no key; empty if there is nothing to say. It is ignored if the id has a key.
	Unknown string
}

// Format never prints the key, for any verb.
func (Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "sigv4.Key") }

// LogValue never logs the key.
func (Key) LogValue() slog.Value { return slog.StringValue("sigv4.Key") }

// SigningKeyID identifies a derived signing key. Its strings may share memory with the request, so a cache must clone
// them. An empty KeyID represents every key that does not exist.
type SigningKeyID struct {
	KeyID                 string
	Version               uint64
	Date, Region, Service string
}

// PublicKeyID identifies a public key of Signature Version 4A. Its strings may share memory with the request too.
type PublicKeyID struct {
	KeyID   string
	Version uint64
}

// Request is a view of the request to verify. The verifier does not change or keep it.
type Request struct {
	Method string
	// Target is the path and query as received, still escaped.
	Target string
	// Host is the Host or :authority as the client sent it, with case and port.
	Host string
	// Headers yields the header lines in the order of the wire, with lower-case names and without pseudo headers.
	Headers iter.Seq2[string, string]
	// Body is the body. It is used only if BodyComplete reports that it is complete and unchanged.
	Body         []byte
	BodyComplete bool
}

// Form is where a request carries its signature.
type Form uint8

// The forms. The zero value is not a form.
const (
	FormNone Form = iota
	FormHeader
	FormQuery
)

// Result has the facts that a signature proves. Its strings may share memory with the request.
type Result struct {
	// KeyID is the id of the access key that signed.
	KeyID string
	Form  Form
	// Algorithm is AlgorithmV4 or AlgorithmV4A.
	Algorithm string
	// Host is the signed host: the request's, or the matching one of HostAliases.
	Host string
	// SignedHeaders are the names of the signed headers, sorted and joined by semicolons.
	SignedHeaders string
	// SignedAt is the time of signing according to the client.
	SignedAt time.Time
	// UnsignedPayload reports whether the signature does not cover the body (AllowUnsignedPayload).
	UnsignedPayload bool
	// Owner is that of the key that signed.
	Owner any

	hasToken bool
}

// SpentHeaders returns the headers that hold the signature and must not be forwarded.
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

// SpentQuery returns the query parameters that hold the signature and must not be forwarded.
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

// New returns a verifier, or all faults of its configuration.
func New(c Config) (*Verifier, error) {
	var faults []error
	if c.Key == nil {
		faults = append(faults, errors.New("sigv4: Key is missing"))
	}
	switch {
	case c.AnyRegion && len(c.Regions) > 0:
		faults = append(faults, errors.New("sigv4: AnyRegion and Regions exclude each other"))
	case !c.AnyRegion && (len(c.Regions) == 0 || slices.Contains(c.Regions, "")):
		faults = append(faults, errors.New("sigv4: Regions is empty, or holds an empty region"))
	}
	if c.ClockSkew < 0 || c.ClockSkew > maxClockSkew || c.ClockSkew%time.Minute != 0 {
		faults = append(faults, errors.New("sigv4: ClockSkew must be a number of minutes from 1 to 15"))
	}
	if c.MaxExpires < 0 || c.MaxExpires > maxExpires || c.MaxExpires%time.Second != 0 {
		faults = append(faults, errors.New("sigv4: MaxExpires must be a number of seconds from 1 to 604800"))
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
	if c.ClockSkew == 0 {
		c.ClockSkew = defaultClockSkew
	}
	if c.MaxExpires == 0 {
		c.MaxExpires = defaultExpires
	}
	return c
}
