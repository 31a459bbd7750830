package extauthz

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// within wraps bytes into fields of the given numbers, the outermost first.
func within(inner []byte, numbers ...protowire.Number) []byte {
	return nest(0, inner, len(numbers), numbers...)
}

// filled repeats the pieces that part makes until they have so many bytes.
func filled(size int, part func(i int) []byte) []byte {
	b := make([]byte, 0, size+64)
	for i := 0; len(b) < size; i++ {
		b = append(b, part(i)...)
	}
	return b
}

// key is a short name that no other number has.
func key(i int) []byte {
	return strconv.AppendInt(nil, int64(i), 36)
}

// nest puts fields of the numbers around what is inside, the first one outermost, all of them again until size is reached, and at least so
// many.
func nest(size int, inner []byte, least int, numbers ...protowire.Number) []byte {
	tags, length := [][]byte{}, len(inner)
	for i := 0; length < size || i < least || i%max(1, len(numbers)) != 0; i++ {
		tag := protowire.AppendTag(nil, numbers[len(numbers)-1-i%len(numbers)], protowire.BytesType)
		tag = protowire.AppendVarint(tag, uint64(length))
		tags, length = append(tags, tag), length+len(tag)
	}
	slices.Reverse(tags)
	return append(bytes.Join(tags, nil), inner...)
}

// The paths of fields in a CheckRequest.
var (
	attributesPath = []protowire.Number{1}
	httpPath       = []protowire.Number{1, 4, 2}
	headerMapPath  = []protowire.Number{1, 4, 2, 13}
	sourcePath     = []protowire.Number{1, 1}
	addressPath    = []protowire.Number{1, 1, 1}
	metadataPath   = []protowire.Number{1, 11}
	structPath     = []protowire.Number{1, 11, 1, 2}       // Metadata.filter_metadata, an entry's value
	valuePath      = []protowire.Number{1, 11, 1, 2, 1, 2} // Struct.fields, an entry's value
	listPath       = []protowire.Number{1, 11, 1, 2, 1, 2, 6}
	anyPath        = []protowire.Number{1, 11, 2, 2}
	routePath      = []protowire.Number{1, 13, 1, 2}
)

// hostile are messages of about so many bytes that are made to cost much.
func hostile(size int) map[string]func() []byte {
	entry := func(value []byte) func(i int) []byte {
		return func(i int) []byte { return bytesField(1, concat(bytesField(1, key(i)...), value)...) }
	}
	same := func(b []byte) func(int) []byte { // many at once, which is faster
		b = bytes.Repeat(b, 1+min(size, 4<<10)/len(b))
		return func(int) []byte { return b }
	}
	pair := func(n protowire.Number) func(i int) []byte {
		return func(i int) []byte { return bytesField(n, bytesField(1, key(i)...)...) }
	}
	double := protowire.AppendFixed64(protowire.AppendTag(nil, 2, protowire.Fixed64Type), 1)
	group := concat(protowire.AppendTag(nil, 14, protowire.StartGroupType), protowire.AppendTag(nil, 14, protowire.EndGroupType))
	all := map[string]func() []byte{}
	add := func(name string, path []protowire.Number, part func(int) []byte) {
		all[name] = func() []byte { return within(filled(size, part), path...) }
	}
	add("empty lines of header_map", headerMapPath, same(bytesField(1)))
	add("lines of header_map", headerMapPath, same(bytesField(1, bytesField(1, 'a')...)))
	add("empty header_maps", httpPath, same(bytesField(13)))
	add("header_maps of one line", httpPath, same(bytesField(13, bytesField(1)...)))
	add("empty headers", httpPath, same(bytesField(3)))
	add("headers", httpPath, pair(3))
	add("extensions", attributesPath, pair(10))
	add("one extension", attributesPath, same(bytesField(10, bytesField(1, 'a')...)))
	add("labels", sourcePath, pair(3))
	add("empty labels", sourcePath, same(bytesField(3)))
	add("one scalar", httpPath, same(bytesField(4, '/')))
	add("long scalars", httpPath, same(bytesField(4, bytes.Repeat([]byte{'/'}, 4000)...)))
	add("bodies", httpPath, same(bytesField(12, bytes.Repeat([]byte{'/'}, 9000)...)))
	add("sizes", httpPath, same(varintField(9, 1)))
	add("attributes", nil, same(bytesField(1)))
	add("requests", attributesPath, same(bytesField(4)))
	add("sources", attributesPath, same(bytesField(1)))
	add("sockets and pipes", addressPath, same(concat(bytesField(1), bytesField(2))))
	add("pipes", addressPath, same(bytesField(2)))
	add("namespaces", metadataPath, pair(1))
	add("one namespace", metadataPath, same(bytesField(1, bytesField(2)...)))
	add("empty namespaces", metadataPath, same(bytesField(1)))
	add("typed namespaces", metadataPath, pair(2))
	add("fields of a Struct", structPath, entry(nil))
	add("fields without a name", structPath, same(bytesField(1)))
	add("numbers of a Struct", structPath, entry(bytesField(2, double...)))
	add("texts of a Struct", structPath, entry(bytesField(2, bytesField(3)...)))
	add("Structs of a Struct", structPath, entry(bytesField(2, bytesField(5)...)))
	add("Structs of one field", structPath, entry(bytesField(2, bytesField(5, bytesField(1)...)...)))
	add("lists of a Struct", structPath, entry(bytesField(2, bytesField(6)...)))
	add("fields of a route's Struct", routePath, entry(nil))
	add("empty elements", listPath, same(bytesField(1)))
	add("Structs of a list", listPath, same(bytesField(1, bytesField(5)...)))
	add("lists of a list", listPath, same(bytesField(1, bytesField(6)...)))
	add("Booleans of a list", listPath, same(bytesField(1, varintField(4, 1)...)))
	add("one value of two types", valuePath, same(concat(bytesField(5), bytesField(6))))
	add("one value of texts", valuePath, same(bytesField(3, 'a')))
	add("one value of Booleans", valuePath, same(varintField(4, 1)))
	add("one value of numbers", valuePath, same(double))
	add("URLs of one Any", anyPath, same(bytesField(1, 'a')))
	add("unknown numbers", nil, same(varintField(15, 1)))
	add("unknown numbers in HTTP", httpPath, same(varintField(15, 1)))
	add("unknown texts in a Struct", structPath, same(bytesField(9, 'a')))
	add("unknown fields in a Value", valuePath, same(varintField(15, 1)))
	add("an element of an unknown field each", listPath, same(bytesField(1, varintField(15, 1)...)))
	add("another wire type", httpPath, same(varintField(4, 1)))
	add("another wire type for a map", httpPath, same(varintField(3, 1)))
	add("another wire type for a list", listPath, same(varintField(1, 1)))
	add("groups", nil, same(group))
	add("groups in a Struct", structPath, same(group))
	all["groups inside each other"] = func() []byte { return concat(bytes.Repeat(group[:1], size/2), bytes.Repeat(group[1:], size/2)) }
	all["Structs inside each other"] = func() []byte { return within(nest(size, nil, 0, 1, 2, 5), structPath...) }
	all["lists inside each other"] = func() []byte { return within(nest(size, nil, 0, 1, 6), listPath...) }
	return all
}

// costOf is how much is allocated for reading a message, and how much larger the stacks are then.
func costOf(read func()) (heap, stack uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done := make(chan struct{})
	go func() { // with a small stack
		defer close(done)
		read()
		runtime.ReadMemStats(&after)
	}()
	<-done
	return after.TotalAlloc - before.TotalAlloc, max(after.StackInuse, before.StackInuse) - before.StackInuse
}

// No message takes up more than eight times its size and a megabytewith either decoder, and as few bytes of stack.
func TestNoMessageCostsManyTimesItsSize(t *testing.T) {
	sizes := []int{64 << 10, 15 << 20}
	if testing.Short() || raceEnabled {
		sizes = []int{64 << 10, 1 << 20}
	}
	s := New(Config{Authorizer: always(allow)})
	for _, size := range sizes {
		for name, build := range hostile(size) {
			wire := build()
			data := mem.BufferSlice{mem.SliceBuffer(wire)}
			bound := uint64(8*len(wire) + 5<<18)
			var m message
			if heap, stack := costOf(func() { s.read(data, &m) }); heap > bound || stack > 1<<20 {
				t.Errorf("%s: %d bytes take up %d, and %d of stack: read by hand, refused: %+v", name, len(wire), heap, stack, m.refused)
			}
			if size > 1<<20 {
				continue // the generated message is read in the same way, after the same look
			}
			var in authv3.CheckRequest
			if heap, stack := costOf(func() { _ = s.Codec().Unmarshal(data, &in) }); heap > bound || stack > 1<<20 {
				t.Errorf("%s: %d bytes take up %d, and %d of stack for the generated message", name, len(wire), heap, stack)
			}
		}
	}
}

// A message weighs no less than what the generated decoder allocates for it, or its weight bounds nothing.
func TestWeightIsNoLessThanTheCost(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	const plenty = 1 << 40
	for name, build := range hostile(32 << 10) {
		wire := build()
		w := weigher{left: plenty}
		if w.message(checkRequest, wire, len(wire)) != nil {
			continue // has too many headers
		}
		var in authv3.CheckRequest
		heap, _ := costOf(func() {
			if proto.Unmarshal(wire, &in) == nil {
				attributesOf(in.GetAttributes())
			}
		})
		if weight := plenty - w.left; int(heap) > weight+4<<10 {
			t.Errorf("%s: %d bytes weigh %d and cost %d", name, len(wire), weight, heap)
		}
	}
}

// What Envoy may send and decode does not understand is read all the same: much metadata of other filters, fields that are not known
// yet, groups, up to 1000 headers.
func TestWeightOfWhatEnvoySends(t *testing.T) {
	value, err := structpb.NewValue(claims(6))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*authv3.AttributeContext){
		"claims of a token": func(a *authv3.AttributeContext) {
			a.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"envoy.filters.http.jwt_authn": value.GetStructValue()}}
		},
		"a certificate": func(a *authv3.AttributeContext) {
			a.Source.Certificate, a.Source.Labels = strings.Repeat("-", 32<<10), map[string]string{"app": "front"}
		},
		"a large body beside what is unknown": http(func(h *authv3.AttributeContext_HttpRequest) {
			h.RawBody = make([]byte, maxPayload)
			h.ProtoReflect().SetUnknown(varintField(99, 1))
		}),
		"1000 headers": http(func(h *authv3.AttributeContext_HttpRequest) {
			for i := len(h.Headers); i < maxHeaders; i++ {
				h.Headers[fmt.Sprintf("x-%d", i)] = "1"
			}
		}),
	} {
		wire := marshal(t, envoyRequest(change))
		if refused := weigh(wire); refused != nil {
			t.Errorf("%s: %d bytes: %v", name, len(wire), refused)
		}
		var m message
		New(Config{}).read(buffer(wire), &m)
		if _, refused := m.request(); refused != nil {
			t.Errorf("%s: %d bytes are not read: %v", name, len(wire), refused)
		}
	}
}

// claims are objects inside each other, with a value of each type.
func claims(depth int) map[string]any {
	c := map[string]any{"exp": 1764324000, "admin": true, "nothing": nil, "sub": "alice", "groups": []any{"a", "b", 3.5}}
	if depth > 0 {
		c["one"], c["other"], c["list"] = claims(depth-1), claims(depth-1), []any{claims(0)}
	}
	return c
}

// Messages that are read at once share a budget. Small ones pass beside it, and what was read is given back, whatever came of it.
func TestMessagesReadAtOnceAreBounded(t *testing.T) {
	const size = 100 << 10
	s := New(Config{MaxMessageBytes: 3 * size, MaxReadBytes: 1})
	var all []func()
	for range 3 {
		done, refused := s.admit(size)
		if refused != nil {
			t.Fatal(refused)
		}
		all = append(all, done)
	}
	large, small := marshal(t, envoyRequest(http(func(h *authv3.AttributeContext_HttpRequest) { h.RawBody = make([]byte, size) }))), marshal(t, envoyRequest())
	var m message
	if s.read(buffer(large), &m); m.refused != tooManyBytes {
		t.Errorf("beyond the budget: %v", m.refused)
	}
	var in authv3.CheckRequest
	if s.readGenerated(buffer(large), &in); s.messageOf(&in).refused != tooManyBytes {
		t.Errorf("beyond the budget: %v", &in)
	}
	m = message{}
	if s.read(buffer(small), &m); m.refused != nil {
		t.Errorf("a small message: %v", m.refused)
	}
	for _, done := range all {
		done()
	}
	for _, wire := range [][]byte{large, large[:len(large)-1], within(filled(2*size, func(int) []byte { return bytesField(1) }), headerMapPath...)} {
		m = message{}
		if s.read(buffer(wire), &m); m.refused == tooManyBytes || s.reading.Load() != 0 {
			t.Errorf("%v, and %d bytes are still counted", m.refused, s.reading.Load())
		}
	}
}

// Messages of other services are small.
func TestOtherMessagesAreBounded(t *testing.T) {
	c := New(Config{}).Codec()
	wire := buffer(marshal(t, &authv3.CheckResponse{Status: &status.Status{Message: strings.Repeat("a", maxOther)}}))
	if c.Unmarshal(wire, &authv3.CheckResponse{}) == nil {
		t.Error("a large one is read")
	}
}
