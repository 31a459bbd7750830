package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
)

// createStringToSign is steps 2 and 3, "Create a hash of the canonical request" and "Create a string to sign".
func (s *state) createStringToSign(canonicalRequest []byte) []byte {
	sum := sha256.Sum256(canonicalRequest)
	start := len(canonicalRequest)
	b := append(append(canonicalRequest, s.algorithm...), '\n')
	b = append(append(b, s.date...), '\n')
	b = append(append(b, s.scope...), '\n')
	b = hex.AppendEncode(b, sum[:])
	s.buffer = b
	return b[start:]
}

// maxDER is the length of the longest ECDSA signature with P-256.
const maxDER = 72

// checkSignatureForm requires lower-case hexadecimal of the right length, before the key look-up.
func (s *state) checkSignatureForm() *Error {
	right := len(s.signature) == 2*sha256.Size
	if s.algorithm == AlgorithmV4A {
		right = len(s.signature) <= 2*maxDER
	}
	switch {
	case right && isLowerHex(s.signature):
		return nil
	case isLowerHex(strings.ToLower(s.signature)) && !isLowerHex(s.signature):
		return mismatch("the signature has capital letters; write it in lower-case hexadecimal")
	default:
		return mismatch("the signature is not lower-case hexadecimal of the algorithm's length")
	}
}

// checker compares the received signature with the one computed for a string to sign.
type checker struct {
	signingKey [32]byte
	signature  [32]byte

	publicKey *ecdsa.PublicKey
	der       []byte
	v4a       bool
}

// checker is step 4, "Derive a signing key", or for 4A the public key.
func (s *state) checker(id string, key Key) checker {
	if s.algorithm == AlgorithmV4A {
		c := checker{publicKey: s.config.PublicKey(PublicKeyID{KeyID: id, Version: key.Version}, key.Secret), v4a: true}
		c.der = appendUnhex(nil, s.signature)
		return c
	}
	c := checker{signingKey: s.config.SigningKey(SigningKeyID{
		KeyID: id, Version: key.Version, Date: s.date[:8], Region: s.region, Service: s.config.Service,
	}, key.Secret)}
	appendUnhex(c.signature[:0], s.signature) // checkSignatureForm guarantees 64 digits
	return c
}

// matches is step 5, "Calculate the signature", and the comparison.
func (c *checker) matches(stringToSign []byte) bool {
	if c.v4a {
		digest := sha256.Sum256(stringToSign)
		return c.publicKey != nil && ecdsa.VerifyASN1(c.publicKey, digest[:], c.der)
	}
	calculated := hmacSHA256(c.signingKey[:], stringToSign)
	return subtle.ConstantTimeCompare(calculated[:], c.signature[:]) == 1
}

// isLowerHex reports whether a text is whole bytes in lower-case hexadecimal.
func isLowerHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(text)%2 == 0
}

// appendUnhex decodes text that isLowerHex accepts.
func appendUnhex(b []byte, text string) []byte {
	for ; text != ""; text = text[2:] {
		high, _ := hexDigit(text[0])
		low, _ := hexDigit(text[1])
		b = append(b, high<<4|low)
	}
	return b
}

// DeriveSigningKey derives the signing key of one day, region and service from a secret.
func DeriveSigningKey(id SigningKeyID, secret string) [32]byte {
	key := hmacSHA256(append([]byte("AWS4"), secret...), []byte(id.Date))
	key = hmacSHA256(key[:], []byte(id.Region))
	key = hmacSHA256(key[:], []byte(id.Service))
	return hmacSHA256(key[:], []byte(terminator))
}

// DerivePublicKey derives the public key of Signature Version 4A from a secret: the key derivation function in counter
// mode of NIST SP 800-108, with one block, repeated until the result is a scalar of P-256. It returns nil if no attempt
// succeeds, which does not happen in practice.
func DerivePublicKey(id PublicKeyID, secret string) *ecdsa.PublicKey {
	curve := elliptic.P256()
	limit := new(big.Int).Sub(curve.Params().N, big.NewInt(2))
	input := binary.BigEndian.AppendUint32(nil, 1)
	input = append(append(input, AlgorithmV4A...), 0)
	input = append(input, id.KeyID...)
	for counter := byte(1); counter < 255; counter++ {
		block := hmacSHA256(append([]byte("AWS4A"), secret...), binary.BigEndian.AppendUint32(append(input, counter), 256))
		scalar := new(big.Int).SetBytes(block[:])
		if scalar.Cmp(limit) > 0 {
			continue
		}
		scalar.Add(scalar, big.NewInt(1))
		if private, err := ecdsa.ParseRawPrivateKey(curve, scalar.FillBytes(block[:])); err == nil {
			return &private.PublicKey
		}
	}
	return nil
}

// hmacSHA256 is HMAC with SHA-256 (RFC 2104).
func hmacSHA256(key, message []byte) [32]byte {
	const block, inner, outer = 64, 0x36, 0x5c
	var scratch [block + 320]byte
	if len(key) > block {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	copy(scratch[:], key)
	for i := range block {
		scratch[i] ^= inner
	}
	sum := sha256.Sum256(append(scratch[:block], message...))
	for i := range block {
		scratch[i] ^= inner ^ outer
	}
	return sha256.Sum256(append(scratch[:block], sum[:]...))
}
