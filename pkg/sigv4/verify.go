package sigv4

import (
	"cmp"
	"crypto/subtle"
	"time"
)

// The algorithms.
const (
	AlgorithmV4  = "AWS4-HMAC-SHA256"
	AlgorithmV4A = "AWS4-ECDSA-P256-SHA256"
)

// dummySecret replaces the secret of a key that does not exist. A request is never accepted because of it.
const dummySecret = "no key has this secret: it only takes time"

// Verify returns who signed the request. Every error is an *Error and means that the request is refused.
func (v *Verifier) Verify(r *Request) (Result, error) {
	if v.config.Key == nil {
		return Result{}, &Error{Kind: Internal, Message: "Internal server error", Detail: "the verifier is not set up"}
	}
	s := v.take(r)
	defer v.giveBack(s)
	if err := s.verify(); err != nil {
		return Result{}, err
	}
	return Result{
		KeyID: s.keyID, Form: s.form, Algorithm: s.algorithm, Host: s.host, SignedHeaders: s.signedHeaders, SignedAt: s.signedAt,
		UnsignedPayload: s.unsigned, Owner: s.owner, hasToken: s.token != "",
	}, nil
}

// verify runs the steps, cheap ones first and those that use a secret last.
func (s *state) verify() error {
	for _, step := range [...]func(*state) *Error{
		(*state).readHeaders,
		(*state).readQuery,
		(*state).readSignature,
		(*state).checkRequestLine,
		(*state).checkAlgorithm,
		(*state).checkSignedHeaders,
		(*state).checkHost,
		(*state).checkHeadersAreSigned,
		(*state).checkDate,
		(*state).splitCredential,
		(*state).checkScope,
		(*state).hashPayload,
		(*state).checkSignatureForm,
		(*state).checkSignature,
	} {
		if err := step(s); err != nil {
			if s.config.Debug && err.Debug == nil && (err.Kind == InvalidSignature || err.Kind == IncompleteSignature) {
				err.Debug = &Debug{Rule: err.Detail}
			}
			return err
		}
	}
	return nil
}

// checkSignature compares the signatures. Its work does not depend on whether the key exists and the token is right.
func (s *state) checkSignature() *Error {
	key, known := s.config.Key(s.keyID, s.token)
	known = known && key.Secret != ""
	s.owner = key.Owner
	err := s.compare(key, known)
	if err != nil && known {
		err.KeyID = s.keyID
	}
	return err
}

// compare compares the token and the signature with those of a key.
func (s *state) compare(key Key, known bool) *Error {
	id, unknown := s.keyID, key.Unknown
	if !known {
		key, id = Key{Secret: dummySecret}, ""
	}
	tokenMatches := s.tokenMatches(key.Token)
	signatureMatches := s.signatureMatches(id, key)
	switch {
	case !known || !tokenMatches:
		return &Error{Kind: UnrecognizedClient, Message: "The security token included in the request is invalid.", Detail: s.unrecognized(&key, known, unknown)}
	case !key.Expires.IsZero() && !s.now.Before(key.Expires):
		return &Error{
			Kind: ExpiredToken, Message: "The security token included in the request is expired",
			Detail: "the temporary access key has expired at " + key.Expires.UTC().Format(time.RFC3339),
		}
	case !signatureMatches:
		err := mismatch("")
		err.Debug = s.debug()
		return err
	case !s.payloadMatches:
		return mismatch("x-amz-content-sha256 is not the SHA-256 of the body")
	default:
		return nil
	}
}

// unrecognized says for the operator what the client must not learn: whether the key exists.
func (s *state) unrecognized(key *Key, known bool, unknown string) string {
	switch {
	case !known:
		return cmp.Or(unknown, "no access key of the configuration has the id that the request is signed with")
	case s.token == "":
		return "the access key is a temporary one, and the request has no session token"
	case key.Token == "":
		return "the access key is a long-term one, and the request has a session token"
	default:
		return "the request has another session token than the access key, or has it twice"
	}
}

// tokenMatches compares session tokens in constant time. A key without a token matches only a missing token.
func (s *state) tokenMatches(token string) bool {
	s.buffer = append(append(s.buffer[:0], s.token...), token...)
	own := subtle.ConstantTimeCompare(s.buffer[:len(s.token)], s.buffer[len(s.token):])
	return own == 1 && !s.strayToken
}

// signatureMatches tries the request as received, then the other readings that apply, then the host aliases.
func (s *state) signatureMatches(id string, key Key) bool {
	check := s.checker(id, key)
	for host := -1; host < len(s.config.HostAliases); host++ {
		name := s.request.Host
		if host >= 0 {
			name = s.config.HostAliases[host]
		}
		for r := reading(0); r <= allReadings; r++ {
			if r&^s.readings == 0 && check.matches(s.createStringToSign(s.createCanonicalRequest(name, r))) {
				s.host = name
				return true
			}
		}
	}
	return false
}

// reading is a set of the ways in which clients deviate from the documentation.
type reading uint8

const (
	keepTabs reading = 1 << iota
	pathAsSent
	withoutToken

	allReadings = keepTabs | pathAsSent | withoutToken
)

// state is one verification. It is reused for the next one.
type state struct {
	config  *Config
	request *Request
	now     time.Time

	// Values from the request.
	lines       []line
	headers     [otherHeader]found
	headerBytes int
	overflow    bool
	pairs       []pair
	query       []byte

	// The parts of the signature, from the header or the query.
	form          Form
	algorithm     string
	credential    string
	signedHeaders string
	signature     string
	date          string
	expires       string
	regionSet     string
	token         string
	strayToken    bool

	// Derived values.
	names          []string
	present        [maxSignedNames]bool
	signedAt       time.Time
	keyID          string
	scope          string
	region         string
	host           string
	payload        [64]byte
	unsigned       bool
	payloadMatches bool
	readings       reading
	owner          any
	buffer         []byte

	addLine func(name, value string) bool
}

type line struct {
	name, value string
	// signed is the header's index among the signed ones, from 1; 0 if it is not signed.
	signed int
}

func (v *Verifier) take(r *Request) *state {
	s, _ := v.states.Get().(*state)
	if s == nil {
		s = &state{}
		s.addLine = s.add
	}
	s.config, s.request, s.now = &v.config, r, v.config.Now()
	return s
}

// giveBack clears the state and drops buffers that have become large.
func (v *Verifier) giveBack(s *state) {
	const keep = 16 << 10
	if cap(s.buffer)+cap(s.query) > keep || len(s.lines)+len(s.pairs) > 200 {
		return
	}
	clear(s.lines)
	clear(s.pairs)
	clear(s.names)
	*s = state{lines: s.lines[:0], pairs: s.pairs[:0], query: s.query[:0], names: s.names[:0], buffer: s.buffer[:0], addLine: s.addLine}
	v.states.Put(s)
}
