package sigv4

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A service of all regions takes any, also none: Go's SDK signs the scope date//sts. The region stays part of the signature.
func TestAnyRegion(t *testing.T) {
	c := with(func(c *Config) { c.Regions, c.AnyRegion, c.Service = nil, true, "sts" })
	for _, region := range []string{"", "eu-west-1", "us-gov-east-1", "moon-1"} {
		s := alice
		s.region, s.service = region, "sts"
		for _, r := range []*Request{s.request("POST", "/", nil, "Action=A"), s.presigned("GET", "/?Action=A", nil, "")} {
			if _, err := newVerifier(t, c).Verify(r); err != nil {
				t.Errorf("%q: %v", region, err)
			}
		}
		moved := edit(s.request("POST", "/", nil, "Action=A"), "authorization", "/"+region+"/sts", "/other/sts")
		if kind := kindOf(t, c, moved); kind != InvalidSignature {
			t.Errorf("%q, moved to another region: kind %d", region, kind)
		}
	}
	other := alice
	other.service = "execute-api"
	if kind := kindOf(t, c, other.request("POST", "/", nil, "")); kind != InvalidSignature {
		t.Errorf("another service: kind %d", kind)
	}
}

func TestClockSkew(t *testing.T) {
	c := with(func(c *Config) { c.ClockSkew, c.MaxExpires = 15*time.Minute, 15*time.Minute })
	for offset, want := range map[time.Duration]string{
		-15 * time.Minute: "", 15 * time.Minute: "", -15*time.Minute - time.Second: "- 15 min.)", 15*time.Minute + time.Second: "+ 15 min.)",
	} {
		s := alice
		s.at = now.Add(offset)
		_, err := newVerifier(t, c).Verify(s.request("GET", "/", nil, ""))
		failed, _ := errors.AsType[*Error](err)
		if (want == "") != (failed == nil) || failed != nil && !strings.HasSuffix(failed.Message, want) {
			t.Errorf("%v: %v, want %q", offset, err, want)
		}
	}
	for _, bad := range []time.Duration{-time.Minute, time.Second, 16 * time.Minute} {
		if _, err := New(with(func(c *Config) { c.ClockSkew = bad })); err == nil {
			t.Errorf("a skew of %v is accepted", bad)
		}
	}
	if _, err := New(with(func(c *Config) { c.AnyRegion = true })); err == nil {
		t.Error("AnyRegion is accepted beside Regions")
	}
}
