package condition

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestKeys(t *testing.T) {
	for written, want := range map[string]struct {
		id     KeyID
		suffix string
	}{
		"aws:SourceIp":               {KeySourceIP, ""},
		"AWS:SOURCEIP":               {KeySourceIP, ""},
		"aws:PrincipalTag/Team":      {KeyPrincipalTag, "team"},
		"aws:RequestTag/a/b":         {KeyRequestTag, "a/b"},
		"aws:SourceIp/x":             {KeyOther, ""},
		"s3:ExistingObjectTag/Team":  {KeyOther, ""},
		"execute-api:viaDomainArn":   {KeyViaDomainArn, ""},
		"portcullis:SourcePrincipal": {KeySourcePrincipal, ""},
		"aws:somethingOfTheFuture":   {KeyOther, ""},
		"aws:MultiFactorAuthPresent": {KeyMultiFactorAuthPresent, ""},
	} {
		k := NewKey(written)
		if k.ID() != want.id || k.Suffix() != want.suffix || k.Name() != strings.ToLower(written) || k.String() != written {
			t.Errorf("%s: id %d, suffix %q, name %q", written, k.ID(), k.Suffix(), k.Name())
		}
	}
}

// TestEveryKeyHasItsOwnNumber reads the table backwards.
func TestEveryKeyHasItsOwnNumber(t *testing.T) {
	names := map[KeyID]string{}
	for name, id := range wellKnown {
		if other, ok := names[id]; ok || id == KeyOther || name != strings.ToLower(name) {
			t.Errorf("%s has the number %d (of %q)", name, id, other)
		}
		names[id] = name
	}
	if len(names) != int(KeySourcePrincipal) {
		t.Errorf("%d names for %d numbers", len(names), KeySourcePrincipal)
	}
}

func TestValuesAsText(t *testing.T) {
	for want, v := range map[string]Value{
		"":                     {},
		"a":                    StringValue("a"),
		"10.0.0.1":             AddrValue(netip.MustParseAddr("::ffff:10.0.0.1")),
		"fe80::1":              AddrValue(netip.MustParseAddr("fe80::1%eth0")),
		"2025-06-15T12:30:00Z": TimeValue(time.Date(2025, 6, 15, 8, 30, 0, 9, time.FixedZone("", -4*3600))),
		"true":                 BoolValue(true),
		"false":                BoolValue(false),
		"-7":                   NumberValue(-7),
		"AAEC":                 BytesValue([]byte{0, 1, 2}),
	} {
		if got := v.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
