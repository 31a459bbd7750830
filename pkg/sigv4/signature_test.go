package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
)

func FuzzHMAC(f *testing.F) {
	f.Add([]byte("key"), []byte("message"))
	f.Add([]byte(strings.Repeat("k", 64)), []byte(strings.Repeat("m", 320)))
	f.Add([]byte(strings.Repeat("k", 65)), []byte(strings.Repeat("m", 321)))
	f.Fuzz(func(t *testing.T, key, message []byte) {
		h := hmac.New(sha256.New, key)
		h.Write(message)
		if got := hmacSHA256(key, message); !bytes.Equal(got[:], h.Sum(nil)) {
			t.Errorf("key %x, message %x: %x", key, message, got)
		}
	})
}

// TestDerivePublicKey compares with the signer's key, and with the one that AWS publishes for its own example key.
func TestDerivePublicKey(t *testing.T) {
	if got := DerivePublicKey(PublicKeyID{KeyID: alice.keyID}, alice.secret); !got.Equal(&alice.privateKey().PublicKey) {
		t.Error("not the signer's key")
	}
	got := DerivePublicKey(PublicKeyID{KeyID: "AKIDEXAMPLE"}, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
	point, err := got.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	const want = "\x04" +
		"\xb6\x61\x8f\x6a\x65\x74\x0a\x99\xe6\x50\xb3\x3b\x6b\x4b\x5b\xd0\xd4\x3b\x17\x6d\x72\x1a\x3e\xdf\xea\x7e\x7d\x2d\x56\xd9\x36\xb1" +
		"\x86\x5e\xd2\x2a\x7e\xad\xc9\xc5\xcb\x9d\x2c\xba\xca\x1b\x36\x99\x13\x9f\xed\xc5\x04\x3d\xc6\x66\x18\x64\x21\x83\x30\xc8\xe5\x18"
	if string(point) != want {
		t.Errorf("%x", point)
	}
}
