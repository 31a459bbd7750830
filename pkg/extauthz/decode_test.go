package extauthz

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// marshal is a message on the wire; the same each time.
func marshal(t testing.TB, in proto.Message) []byte {
	t.Helper()
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// comparable is a with its maps in an order, and with nothing in place of what is empty.
func comparable(a attributes) attributes {
	byNameOnly := func(a, b authz.Field) int { return cmp.Compare(a.Name, b.Name) }
	a.headers, a.extensions = slices.Clone(a.headers), slices.Clone(a.extensions)
	slices.SortFunc(a.headers, byNameOnly)
	slices.SortFunc(a.extensions, byNameOnly)
	if len(a.body) == 0 {
		a.body = nil
	}
	if len(a.rawBody) == 0 {
		a.rawBody = nil
	}
	return a
}

var asTheyAre = gocmp.AllowUnexported(attributes{}, timestamp{}, metadataText{})

var sameRequest = gocmp.Options{
	gocmp.AllowUnexported(authz.Request{}),
	gocmp.Comparer(bytes.Equal), // nil or empty, a body is none
	gocmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

// fataler has the methods that tests and rapid's checks have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// agree fails unless the two decoders read one message alike, and what is made of it is alike too. It reports whether decode
// understood the message.
func agree(t fataler, wire []byte) (understood bool) {
	t.Helper()
	weighs(t, wire)
	var byHand attributes
	private := bytes.Clone(wire)
	if !decode(private, &byHand) {
		return false
	}
	for i := range private { // a piece of the buffer that was kept has now changed
		private[i] = 0xa5
	}
	var in authv3.CheckRequest
	if err := proto.Unmarshal(wire, &in); err != nil {
		t.Fatalf("%x: understood, but refused by the generated decoder: %v", wire, err)
	}
	generated := attributesOf(in.GetAttributes())
	if diff := gocmp.Diff(comparable(generated), comparable(byHand), asTheyAre); diff != "" {
		t.Fatalf("%x: the generated decoder and decode differ: %s", wire, diff)
	}
	want, refused := request(&generated, &authz.Request{})
	got, alsoRefused := request(&byHand, &authz.Request{})
	if (refused == nil) != (alsoRefused == nil) || refused != nil && refused.status != alsoRefused.status {
		t.Fatalf("%x: refused %v and %v", wire, refused, alsoRefused)
	}
	if refused != nil {
		return true
	}
	if !generated.time.present {
		want.Time = got.Time
	}
	if diff := gocmp.Diff(want, got, sameRequest); diff != "" {
		t.Fatalf("%x: different requests: %s", wire, diff)
	}
	return true
}

// weighs fails if a message that the generated decoder reads is refused before it is read, a limit aside, or if weigh lets more than a
// thousand headers pass.
func weighs(t fataler, wire []byte) {
	t.Helper()
	var in authv3.CheckRequest
	err := proto.Unmarshal(wire, &in)
	refused := weigh(wire)
	if err == nil && refused == notDecodable {
		t.Fatalf("%x: the generated decoder reads what is refused before", wire)
	}
	h := in.GetAttributes().GetRequest().GetHttp()
	if many := len(h.GetHeaders()) > maxHeaders || len(h.GetHeaderMap().GetHeaders()) > maxHeaders; many && refused == nil {
		t.Fatalf("%d bytes: too many headers are let pass", len(wire))
	}
}

// envoySends has the messages that Envoy sends in its configurations. Each has to be understood, or the way that was measured is not
// the way that is taken.
func envoySends() map[string]*authv3.CheckRequest {
	peers := func(a *authv3.AttributeContext) {
		a.Source.Principal, a.Source.Certificate, a.Source.Service = "spiffe://example.com/a", "-----BEGIN", "front"
		a.Destination = &authv3.AttributeContext_Peer{Address: socket("2001:db8::2")}
	}
	empty := func(a *authv3.AttributeContext) {
		a.MetadataContext, a.RouteMetadataContext = &corev3.Metadata{}, &corev3.Metadata{}
	}
	body := func(raw, text string) func(*authv3.AttributeContext) {
		return http(func(h *authv3.AttributeContext_HttpRequest) { h.RawBody, h.Body, h.Size = []byte(raw), text, 3 })
	}
	return map[string]*authv3.CheckRequest{
		"the map":                  envoyRequest(),
		"header_map":               envoyRequest(lines("x-b", "2", "x-a", "\xff\x80", "x-b", "1", ":path", "/pets?limit=2")),
		"both peers":               envoyRequest(peers),
		"empty metadata":           envoyRequest(empty),
		"context extensions":       envoyRequest(extension("portcullis.api", "a1b2c3d4e5"), extension("portcullis.stage", "prod")),
		"a body":                   envoyRequest(body("", "abc")),
		"a raw body":               envoyRequest(body("\xff\x00", "")),
		"a VPC endpoint":           envoyRequest(awsValue("\x01vpce-1a2b3c4d")),
		"no size":                  envoyRequest(http(func(h *authv3.AttributeContext_HttpRequest) { h.Size = -1 })),
		"a long header":            envoyRequest(header("authorization", strings.Repeat("a", 2*chunkBytes)), header("zz", "1")),
		"a time":                   envoyRequest(func(a *authv3.AttributeContext) { a.Request.Time = timestamppb.New(time.Unix(-5, 999)) }),
		"no TLS":                   envoyRequest(func(a *authv3.AttributeContext) { a.TlsSession = nil }),
		"TLS without a name":       envoyRequest(func(a *authv3.AttributeContext) { a.TlsSession = &authv3.AttributeContext_TLSSession{} }),
		"query and fragment apart": envoyRequest(http(func(h *authv3.AttributeContext_HttpRequest) { h.Query, h.Fragment = "a=1", "b" })),
	}
}

func TestDecodeUnderstandsEnvoy(t *testing.T) {
	for name, in := range envoySends() {
		if !agree(t, marshal(t, in)) {
			t.Errorf("%s: not understood", name)
		}
	}
}

// TestDecodeUnderstandsRecordedMessages reads what a real Envoy sent.
func TestDecodeUnderstandsRecordedMessages(t *testing.T) {
	recorded := recordings(t)
	if len(recorded) != 5 {
		t.Errorf("%d messages", len(recorded))
	}
	for name, wire := range recorded {
		if !agree(t, wire) {
			t.Errorf("%s: not understood", name)
		}
	}
}

func recordings(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/envoy-1.40.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		name, digits, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		if all[name], err = hex.DecodeString(digits); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// bytesField and varintField write fields in ways that no encoder would.
func bytesField(n protowire.Number, value ...byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), value)
}

func varintField(n protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), value)
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// inHTTP wraps fields into CheckRequest.attributes.request.http.
func inHTTP(parts ...[]byte) []byte {
	return bytesField(1, bytesField(4, bytesField(2, concat(parts...)...)...)...)
}

func inAttributes(parts ...[]byte) []byte { return bytesField(1, concat(parts...)...) }

// TestDecodeLeavesTheUnusual lists what has to go to the generated decoder, or at least to be read as that reads it. What it
// refuses must be refused.
func TestDecodeLeavesTheUnusual(t *testing.T) {
	text := func(n protowire.Number, s string) []byte { return bytesField(n, []byte(s)...) }
	entry := func(name, value string) []byte { return concat(text(1, name), text(2, value)) }
	tlv := func(value []byte) []byte {
		return bytesField(1, concat(text(1, proxyProtocolMetadata), bytesField(2, bytesField(1, concat(text(1, awsTLV), bytesField(2, value...))...)...))...)
	}
	fieldOf := func(value string) []byte {
		return bytesField(1, concat(text(1, awsTLV), bytesField(2, text(3, value)...))...)
	}
	good := marshal(t, envoyRequest())
	group := concat(protowire.AppendTag(nil, 14, protowire.StartGroupType), protowire.AppendTag(nil, 14, protowire.EndGroupType))
	for name, wire := range map[string][]byte{
		"empty attributes twice":          concat(inAttributes(), inAttributes()),
		"messages that are to be merged":  concat(good, inHTTP(text(4, "/admin"))),
		"request twice":                   inAttributes(bytesField(4, bytesField(2, text(4, "/a")...)...), bytesField(4, bytesField(2, text(5, "h")...)...)),
		"a scalar twice":                  inHTTP(text(4, "/a"), text(4, "/b")),
		"a name twice in the map":         inHTTP(bytesField(3, entry("a", "1")...), bytesField(3, entry("a", "2")...)),
		"a key twice in an entry":         inHTTP(bytesField(3, concat(text(1, "a"), text(1, "b"), text(2, "1"))...)),
		"header_map twice":                inHTTP(bytesField(13, bytesField(1, text(1, "a")...)...), bytesField(13, bytesField(1, text(1, "b")...)...)),
		"an extension twice":              inAttributes(bytesField(10, entry("portcullis.api", "a")...), bytesField(10, entry("portcullis.api", "b")...)),
		"an unknown field":                concat(good, text(9, "x")),
		"an unknown field inside":         inHTTP(text(4, "/a"), text(15, "x")),
		"an unknown field, two bytes":     inHTTP(text(4, "/a"), text(16, "x")),
		"another wire type":               inHTTP(varintField(4, 7)),
		"text for a number":               inHTTP(text(9, "x")),
		"fixed32":                         inHTTP(protowire.AppendFixed32(protowire.AppendTag(nil, 4, protowire.Fixed32Type), 1)),
		"fixed64":                         inHTTP(protowire.AppendFixed64(protowire.AppendTag(nil, 4, protowire.Fixed64Type), 1)),
		"a group":                         concat(good, group),
		"a group inside":                  inHTTP(text(4, "/a"), group),
		"an open group":                   inHTTP(text(4, "/a"), group[:1]),
		"field zero":                      {2, 0},
		"a pipe":                          inAttributes(bytesField(1, bytesField(1, bytesField(2, text(1, "/run/x")...)...)...)),
		"socket, then pipe":               inAttributes(bytesField(1, bytesField(1, concat(bytesField(1, text(2, "192.0.2.7")...), bytesField(2))...)...)),
		"an overlong tag":                 {0x8a, 0, 0},
		"labels":                          inAttributes(bytesField(2, bytesField(3, entry("a", "1")...)...)),
		"route metadata":                  inAttributes(bytesField(13, tlv(text(3, "x"))...)),
		"a number in metadata":            inAttributes(bytesField(11, tlv(protowire.AppendFixed64(protowire.AppendTag(nil, 2, protowire.Fixed64Type), math.Float64bits(1)))...)),
		"text, then a number":             inAttributes(bytesField(11, tlv(concat(text(3, "\x01vpce-1a2b"), varintField(4, 1)))...)),
		"the namespace twice":             inAttributes(bytesField(11, concat(tlv(text(3, "\x01vpce-1a2b")), tlv(text(3, "\x01vpce-3c4d")))...)),
		"the namespace twice, then bare":  inAttributes(bytesField(11, concat(tlv(text(3, "\x01vpce-1a2b")), bytesField(1, text(1, proxyProtocolMetadata)...))...)),
		"the TLV twice":                   inAttributes(bytesField(11, bytesField(1, concat(text(1, proxyProtocolMetadata), bytesField(2, concat(fieldOf("\x01vpce-1a2b"), fieldOf(""))...))...)...)),
		"typed metadata":                  inAttributes(bytesField(11, bytesField(2, text(1, "a")...)...)),
		"not UTF-8: path":                 inHTTP(text(4, "/\xff")),
		"not UTF-8: id":                   inHTTP(text(1, "\xff")),
		"not UTF-8: body":                 inHTTP(text(11, "\xff")),
		"not UTF-8: header name":          inHTTP(bytesField(3, entry("\xff", "1")...)),
		"not UTF-8: header value":         inHTTP(bytesField(3, entry("a", "\xed\xa0\x80")...)),
		"not UTF-8: header_map":           inHTTP(bytesField(13, bytesField(1, text(2, "\xc0\xaf")...)...)),
		"not UTF-8: destination":          inAttributes(bytesField(2, bytesField(1, bytesField(1, text(2, "\xff")...)...)...)),
		"not UTF-8: named port":           inAttributes(bytesField(2, bytesField(1, bytesField(1, text(4, "\xff")...)...)...)),
		"not UTF-8: principal":            inAttributes(bytesField(1, text(4, "\xff")...)),
		"not UTF-8: SNI":                  inAttributes(bytesField(12, text(1, "\xff")...)),
		"not UTF-8: extension":            inAttributes(bytesField(10, entry("a", "\xff")...)),
		"not UTF-8: metadata namespace":   inAttributes(bytesField(11, bytesField(1, text(1, "\xff")...)...)),
		"not UTF-8: metadata":             inAttributes(bytesField(11, tlv(text(3, "\xff"))...)),
		"too long a length":               {1<<3 | 2, 5, 1},
		"too long a varint":               inHTTP([]byte{9 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}),
		"a varint of eleven bytes":        inHTTP([]byte{9 << 3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}),
		"a length that is not an int":     {1<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"many headers":                    inHTTP(manyHeaders(maxPlainHeaders + 1)),
		"more extensions than are looked": inAttributes(manyExtensions(maxPlainExtensions + 1)),
	} {
		if agree(t, wire) {
			t.Errorf("%s: understood", name)
		}
	}
	// These are odd and still what they look like.
	for name, wire := range map[string][]byte{
		"nothing in the attributes":      inAttributes(),
		"no fields in http":              inHTTP(),
		"an entry without a value":       inHTTP(bytesField(3, text(1, "a")...)),
		"an entry without a name":        inHTTP(bytesField(3, text(2, "1")...)),
		"value before name":              inHTTP(bytesField(3, concat(text(2, "1"), text(1, "a"))...)),
		"an overlong length":             {1<<3 | 2, 0x80, 0},
		"an overlong number":             inHTTP([]byte{9 << 3, 0x81, 0}),
		"nanos beyond 32 bits":           inAttributes(bytesField(4, bytesField(1, varintField(2, 1<<32|7)...)...)),
		"seconds below zero":             inAttributes(bytesField(4, bytesField(1, varintField(1, math.MaxUint64)...)...)),
		"an empty raw body":              inHTTP(bytesField(12)),
		"a TLV without a value":          inAttributes(bytesField(11, tlv(nil)...)),
		"another namespace twice":        inAttributes(bytesField(11, concat(bytesField(1, text(1, "a")...), bytesField(1, text(1, "a")...))...)),
		"all headers that are looked at": inHTTP(manyHeaders(maxPlainHeaders)),
	} {
		if !agree(t, wire) {
			t.Errorf("%s: not understood", name)
		}
	}
	if agree(t, nil) != true || agree(t, good[:len(good)-1]) {
		t.Error("an empty message is one without attributes; a cut one is none")
	}
}

func manyHeaders(n int) []byte {
	var b []byte
	for i := range n {
		b = append(b, bytesField(3, bytesField(1, 'x', byte('a'+i%26), byte('a'+i/26))...)...)
	}
	return b
}

func manyExtensions(n int) []byte {
	var b []byte
	for i := range n {
		b = append(b, bytesField(10, bytesField(1, 'x', byte('a'+i%26), byte('a'+i/26))...)...)
	}
	return b
}

// TestDecodeTruncated cuts messages everywhere and flips each byte of them.
func TestDecodeTruncated(t *testing.T) {
	for _, in := range envoySends() {
		wire := marshal(t, in)
		if len(wire) > chunkBytes {
			continue
		}
		for i := range wire {
			agree(t, wire[:i])
			for _, flip := range []byte{1, 8, 0x82} {
				changed := bytes.Clone(wire)
				changed[i] ^= flip
				agree(t, changed)
			}
		}
	}
}

// mergers are messages of several parts that protobuf merges, the last word of each field counting: a reader of the first one
// decides another request.
func mergers(t testing.TB) [][]byte {
	t.Helper()
	good := marshal(t, envoyRequest())
	path := func(p string) []byte { return bytesField(4, []byte(p)...) }
	part := func(b ...[]byte) []byte { return bytesField(2, concat(b...)...) }
	extension := func(name, value string) []byte {
		return bytesField(10, concat(bytesField(1, []byte(name)...), bytesField(2, []byte(value)...))...)
	}
	return [][]byte{
		concat(good, good),
		concat(good, inHTTP(path("/admin"))),
		inAttributes(bytesField(4, concat(part(path("/open")), part(path("/admin")))...), bytesField(4, part(bytesField(3, bytesField(1, 'a')...))...)),
		bytesField(1, bytesField(4, concat(part(path("/open")), part(path("/admin")))...)...),
		concat(good, inAttributes(extension("portcullis.api", "a"), extension("portcullis.api", "b"))),
		concat(good, inAttributes(extension("portcullis.body", "buffered"), extension("Portcullis.api", "b"))),
		concat(good, inHTTP(protowire.AppendTag(nil, 4, protowire.StartGroupType), protowire.AppendTag(nil, 4, protowire.EndGroupType))),
		concat(good, inHTTP(protowire.AppendVarint(protowire.AppendTag(nil, 1<<20, protowire.VarintType), 1))),
		concat(good, inHTTP([]byte{0xa2, 0x80, 0}, []byte{3, '/', 'x', 'y'})), // field 4 by a tag of three bytes
		inHTTP(bytesField(11, bytesField(1, concat(bytesField(1, 'a'), bytesField(2, 'b'), bytesField(3, 'c'))...)...), bytesField(12, 'a'), bytesField(10, 'b')),
	}
}

// What is merged is read as protobuf merges it.
func TestDecodeMerges(t *testing.T) {
	for i, wire := range mergers(t) {
		understood := agree(t, wire)
		if twice := i < 5; twice && understood {
			t.Errorf("%x: understood though a field is there twice", wire)
		}
	}
}

// FuzzDecode holds decode to the generated decoder.
func FuzzDecode(f *testing.F) {
	for _, in := range envoySends() {
		f.Add(marshal(f, in))
	}
	for _, wire := range recordings(f) {
		f.Add(wire)
	}
	f.Add(inHTTP(bytesField(3, concat(bytesField(1, 'a'), bytesField(2, 'b'))...)))
	for _, wire := range mergers(f) {
		f.Add(wire)
	}
	for _, build := range hostile(256) {
		f.Add(build())
	}
	for _, number := range []protowire.Number{3, 13} {
		lines := filled(2*maxHeaders+3, func(int) []byte { return bytesField(number, bytesField(1)...) })
		f.Add(inHTTP(lines))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		agree(t, wire)
		// What was not understood is decided all the same, and as by a server that has no decoder of its own.
		s := New(Config{Authorizer: always(allow)})
		var m message
		s.read(buffer(wire), &m)
		var in authv3.CheckRequest
		err := s.Codec().Unmarshal(buffer(wire), &in)
		if err != nil {
			t.Fatal(err)
		}
		one, two := s.check(t.Context(), &m), s.check(t.Context(), s.messageOf(&in))
		if one.GetStatus().GetCode() != two.GetStatus().GetCode() || one.GetDeniedResponse().GetStatus().GetCode() != two.GetDeniedResponse().GetStatus().GetCode() {
			t.Fatalf("%x: answered %v and %v", wire, one, two)
		}
	})
}
