package sigv4

import (
	"testing"
	"time"
)

// benchmarkRequest is a GET with five signed headers among those that Envoy and a browser add.
func benchmarkRequest(b *testing.B) (*Request, Config) {
	b.Helper()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	signer := signer{keyID: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "eu-west-1", at: now}
	headers := [][2]string{
		{"accept", "application/json"}, {"content-type", "application/json"}, {"x-amz-meta-trace", "0af7651916cd43dd8448eb211c80319c"},
		{"x-tenant", "pets"},
	}
	headers = signer.sign("GET", "/prod/pets/42?limit=10&after=abc", "pets.example.com", headers, nil)
	headers = append(headers, [][2]string{
		{"user-agent", "Boto3/1.44"}, {"accept-encoding", "gzip"}, {"x-forwarded-for", "192.0.2.7"}, {"x-forwarded-proto", "https"},
		{"x-request-id", "6f1c0a52-0c3e-4b4e-9a6f-0d9f4f0f8f3c"}, {"x-envoy-auth-partial-body", "false"},
	}...)
	return newRequest("GET", "/prod/pets/42?limit=10&after=abc", headers, nil), Config{
		Regions: []string{"eu-west-1"}, Now: func() time.Time { return now },
		Key: func(id, _ string) (Key, bool) { return Key{Secret: signer.secret}, id == signer.keyID },
	}
}

func BenchmarkVerify(b *testing.B) {
	r, c := benchmarkRequest(b)
	b.Run("NewKey", func(b *testing.B) { benchmarkVerify(b, r, c) })
	cached := DeriveSigningKey(SigningKeyID{Date: "20261123", Region: "eu-west-1", Service: "execute-api"},
		"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
	c.SigningKey = func(SigningKeyID, string) [32]byte { return cached }
	b.Run("CachedKey", func(b *testing.B) { benchmarkVerify(b, r, c) })
}

func benchmarkVerify(b *testing.B, r *Request, c Config) {
	v := newVerifier(b, c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r); err != nil {
			b.Fatal(err)
		}
	}
}
