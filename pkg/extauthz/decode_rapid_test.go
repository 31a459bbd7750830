package extauthz

import (
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// shape is a message type of the schema that decode reads: what lies behind a field number. A nil shape is text or bytes.
type shape map[protowire.Number]shape

var (
	textEntry    = shape{1: nil, 2: nil}
	socketShape  = shape{1: numberShape, 2: nil, 3: numberShape, 4: nil, 5: nil, 6: numberShape}
	numberShape  = shape{}
	peerShape    = shape{1: {1: socketShape, 2: {1: nil}, 3: {1: nil}}, 2: nil, 3: textEntry, 4: nil, 5: nil}
	metaShape    = shape{1: {1: nil, 2: {1: {1: nil, 2: {2: numberShape, 3: nil, 5: {}, 6: {}}}}}, 2: {1: nil}}
	requestShape = shape{1: {1: numberShape, 2: numberShape}, 2: {
		1: nil, 2: nil, 3: textEntry, 4: nil, 5: nil, 6: nil, 7: nil, 8: nil, 9: numberShape, 10: nil, 11: nil, 12: nil,
		13: {1: {1: nil, 2: nil, 3: nil}},
	}}
	checkShape = shape{1: {1: peerShape, 2: peerShape, 4: requestShape, 10: textEntry, 11: metaShape, 12: {1: nil}, 13: metaShape}}
)

// oddness is how often, in a hundred, a field is not as the schema says.
type oddness int

func (o oddness) odd(t *rapid.T) bool { return rapid.IntRange(0, 99).Draw(t, "odd") < int(o) }

// wire draws a message of a shape: fields in any order and number, some of them of another type, cut, or unknown.
func (o oddness) wire(t *rapid.T, s shape) []byte {
	numbers := make([]protowire.Number, 0, len(s))
	for n := protowire.Number(1); n < 16; n++ {
		if _, ok := s[n]; ok {
			numbers = append(numbers, n)
		}
	}
	var b []byte
	for range rapid.IntRange(0, 4).Draw(t, "fields") {
		if len(numbers) == 0 || o.odd(t) {
			b = append(b, o.stray(t)...)
			continue
		}
		n := rapid.SampledFrom(numbers).Draw(t, "number")
		switch inner := s[n]; {
		case inner == nil:
			b = append(b, bytesField(n, []byte(o.word(t))...)...)
		case len(inner) == 0:
			b = append(b, varintField(n, rapid.Uint64().Draw(t, "value"))...)
		default:
			b = append(b, bytesField(n, o.wire(t, inner)...)...)
		}
	}
	if len(b) > 0 && o.odd(t) {
		b = b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]
	}
	return b
}

// stray draws a field that belongs nowhere, or bytes that are not a field.
func (o oddness) stray(t *rapid.T) []byte {
	n := protowire.Number(rapid.IntRange(1, 40).Draw(t, "stray"))
	switch rapid.IntRange(0, 5).Draw(t, "type") {
	case 0:
		return varintField(n, rapid.Uint64().Draw(t, "value"))
	case 1:
		return protowire.AppendFixed32(protowire.AppendTag(nil, n, protowire.Fixed32Type), 1)
	case 2:
		return protowire.AppendFixed64(protowire.AppendTag(nil, n, protowire.Fixed64Type), 1)
	case 3:
		inner := varintField(1, 1)
		return concat(protowire.AppendTag(nil, n, protowire.StartGroupType), inner, protowire.AppendTag(nil, n, protowire.EndGroupType))
	case 4:
		return bytesField(n, []byte(o.word(t))...)
	default:
		return rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "bytes")
	}
}

func (o oddness) word(t *rapid.T) string {
	if o.odd(t) {
		return string(rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "bytes"))
	}
	return rapid.SampledFrom([]string{
		"", "a", "b", "GET", "/pets", "/a?b=1", "pets.example.com", "https", "x-a", "X-A", ":path", "host", "content-length", "1", "192.0.2.7", "!",
		"portcullis.api", "portcullis.body", "buffered", proxyProtocolMetadata, awsTLV, "\x01vpce-1a2b3c4d", "é",
	}).Draw(t, "word")
}

// TestDecodeAgreesOnAnyShape draws messages along the schema, from tidy ones to soup, and counts that decode has understood
// enough of them for the test to mean something.
func TestDecodeAgreesOnAnyShape(t *testing.T) {
	understood, drawn := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		o := rapid.SampledFrom([]oddness{0, 0, 2, 20}).Draw(t, "oddness")
		for range 20 {
			drawn++
			if agree(t, o.wire(t, checkShape)) {
				understood++
			}
		}
	})
	if understood*20 < drawn || understood == drawn {
		t.Errorf("decode understood %d of %d messages", understood, drawn)
	}
}

// TestHeaderSet holds headerSet to a map that is sorted, with names that share their beginnings.
func TestHeaderSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s headerSet
		want := map[string]string{}
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`(x-header-)?[a\x00é]{0,3}`), 0, 70, rapid.ID[string]).Draw(t, "names")
		for _, name := range names {
			if got := s.add(authz.Field{Name: name, Value: name + "!"}); got != (len(want) < maxPlainHeaders) {
				t.Fatalf("%q: %v", name, got)
			} else if got {
				want[name] = name + "!"
			}
		}
		got := s.sorted()
		if !slices.IsSortedFunc(got, byNameAndValue) || !maps.Equal(asMap(got), want) || len(got) != len(want) {
			t.Fatalf("got %q", got)
		}
		if len(names) > 0 && s.add(authz.Field{Name: rapid.SampledFrom(names).Draw(t, "twice")}) {
			t.Fatal("a name is taken twice")
		}
	})
}
