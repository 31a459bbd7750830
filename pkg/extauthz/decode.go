package extauthz

import (
	"bytes"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// The wire types that are understood, as they stand in a tag.
const (
	varint = byte(protowire.VarintType)
	length = byte(protowire.BytesType)
)

// maxPlainExtensions bounds the comparisons that find a name which is there twice.
const maxPlainExtensions = 32

// field is one field of a message: its tag in one byte, because no field that is understood has a number beyond 15; the number or
// the bytes.
type field struct {
	tag    byte
	number uint64
	bytes  []byte
}

// each hands over the fields of a message in their order. It reports false, and the message is not understood, at the first
// that take does not take; at a tag or a length that is broken, or longer than it needs to be by a tag's second byte; at a
// group; and at a second occurrence of a field that is not in repeated, a set of bits.
func each(message []byte, repeated uint16, take func(field) bool) bool {
	var seen uint16
	for len(message) > 0 {
		f := field{tag: message[0]}
		bit := uint16(1) << (f.tag >> 3 & 15)
		if f.tag >= 0x80 || seen&bit&^repeated != 0 {
			return false
		}
		seen |= bit
		n := -1
		switch f.tag & 7 {
		case varint:
			f.number, n = protowire.ConsumeVarint(message[1:])
		case length:
			f.bytes, n = consumeBytes(message[1:])
		}
		if n < 0 || !take(f) {
			return false
		}
		message = message[1+n:]
	}
	return true
}

// consumeBytes is protowire.ConsumeBytes, faster for what is shorter than 16 KiB.
func consumeBytes(b []byte) ([]byte, int) {
	if len(b) == 0 || b[0] >= 0x80 || int(b[0]) >= len(b) {
		return consumeLonger(b)
	}
	end := 1 + int(b[0])
	return b[1:end], end
}

func consumeLonger(b []byte) ([]byte, int) {
	if len(b) < 2 || b[0] < 0x80 || b[1] >= 0x80 {
		return protowire.ConsumeBytes(b)
	}
	size := int(b[0]&0x7f) | int(b[1])<<7
	if len(b)-2 < size {
		return protowire.ConsumeBytes(b)
	}
	return b[2 : 2+size], 2 + size
}

// decoder fills in attributes from the wire form of a CheckRequest. It does not understand what Envoy does
// not usually send; the generated decoder is then asked. Field numbers are those of the .proto files, type by type.
type decoder struct {
	*attributes
	arena arena
	set   headerSet
	// sawTLV says that the metadata have had the namespace of the TLV.
	sawTLV bool
}

// decode reads a CheckRequest and reports whether it has understood all of it. What it understands, the generated decoder
// reads the same; what that refuses, it never understands. Where it reports false, a is to be thrown away.
func decode(message []byte, a *attributes) bool {
	d := &decoder{attributes: a}
	d.arena.read(message)
	return each(message, 0, d.checkRequest)
}

// text takes a copy of a string field. Strings that are not UTF-8 are refused by protobuf.
func (d *decoder) text(s *string, f field) bool {
	if !isUTF8(f.bytes) {
		return false
	}
	*s = d.arena.text(f.bytes)
	return true
}

// checkRequest takes a field of envoy.service.auth.v3.CheckRequest.
func (d *decoder) checkRequest(f field) bool {
	return f.tag == 1<<3|length && each(f.bytes, 1<<10, d.attributeContext)
}

// attributeContext takes a field of envoy.service.auth.v3.AttributeContext.
func (d *decoder) attributeContext(f field) bool {
	switch f.tag {
	case 1<<3 | length: // source
		return each(f.bytes, 0, d.sourcePeer)
	case 2<<3 | length: // destination
		return each(f.bytes, 0, func(f field) bool { return peerField(f, ignoredAddress) })
	case 4<<3 | length: // request
		return each(f.bytes, 0, d.request)
	case 10<<3 | length: // context_extensions
		return d.extension(f)
	case 11<<3 | length: // metadata_context
		return each(f.bytes, 1<<1, d.metadata)
	case 12<<3 | length: // tls_session
		return each(f.bytes, 0, d.tlsSession)
	case 13<<3 | length: // route_metadata_context
		return len(f.bytes) == 0
	default:
		return false
	}
}

// request takes a field of AttributeContext.Request.
func (d *decoder) request(f field) bool {
	switch f.tag {
	case 1<<3 | length: // time
		d.time.present = true
		return each(f.bytes, 0, d.timestamp)
	case 2<<3 | length: // http
		d.http = true
		understood := each(f.bytes, 1<<3, d.httpRequest)
		d.headers = d.set.sorted()
		return understood
	default:
		return false
	}
}

// timestamp takes a field of google.protobuf.Timestamp.
func (d *decoder) timestamp(f field) bool {
	switch f.tag {
	case 1<<3 | varint:
		d.time.seconds = int64(f.number) //nolint:gosec // an int64 on the wire
	case 2<<3 | varint:
		d.time.nanos = int32(f.number) //nolint:gosec // an int32 on the wire, of which protobuf takes the lower bits
	default:
		return false
	}
	return true
}

// httpRequest takes a field of AttributeContext.HttpRequest.
func (d *decoder) httpRequest(f field) bool {
	switch f.tag {
	case 3<<3 | length:
		return d.header(f)
	case 2<<3 | length:
		return d.text(&d.method, f)
	case 4<<3 | length:
		return d.text(&d.path, f)
	case 5<<3 | length:
		return d.text(&d.host, f)
	case 6<<3 | length:
		return d.text(&d.scheme, f)
	case 7<<3 | length:
		return d.text(&d.query, f)
	case 8<<3 | length:
		return d.text(&d.fragment, f)
	case 10<<3 | length:
		return d.text(&d.protocol, f)
	case 1<<3 | length: // id
		return isUTF8(f.bytes)
	case 9<<3 | varint: // size
		return true
	case 11<<3 | length:
		d.body = bytes.Clone(f.bytes)
		return isUTF8(d.body)
	case 12<<3 | length:
		d.rawBody = bytes.Clone(f.bytes)
		return true
	case 13<<3 | length: // header_map
		return each(f.bytes, 1<<1, d.headerMapLine)
	default:
		return false
	}
}

// header takes an entry of the map headers. Of two entries with one name protobuf takes the last; here none may be there
// twice.
func (d *decoder) header(f field) bool {
	name, value, plain := twoTexts(f.bytes, 2<<3|length)
	if !plain {
		var h authz.Field
		return d.entry(f, &h) && d.set.add(h)
	}
	return isUTF8(name) && isUTF8(value) && d.set.add(authz.Field{Name: d.arena.text(name), Value: d.arena.text(value)})
}

// twoTexts takes apart a message that is as everybody writes it: field 1, the field with another tag, and nothing else.
func twoTexts(b []byte, second byte) (name, value []byte, plain bool) {
	if len(b) < 2 || b[0] != 1<<3|length {
		return nil, nil, false
	}
	name, n := consumeBytes(b[1:])
	if n < 0 {
		return nil, nil, false
	}
	if b = b[1+n:]; len(b) < 2 || b[0] != second {
		return nil, nil, false
	}
	value, n = consumeBytes(b[1:])
	return name, value, n == len(b)-1
}

// entry reads an entry of a map of strings. Name or value that are not there are empty.
func (d *decoder) entry(f field, into *authz.Field) bool {
	return each(f.bytes, 0, func(f field) bool {
		switch f.tag {
		case 1<<3 | length:
			return d.text(&into.Name, f)
		case 2<<3 | length:
			return d.text(&into.Value, f)
		default:
			return false
		}
	})
}

// headerMapLine takes a line of envoy.config.core.v3.HeaderMap, which is a HeaderValue.
func (d *decoder) headerMapLine(f field) bool {
	if f.tag != 1<<3|length || len(d.headerMap) >= maxHeaders {
		return false
	}
	if d.headerMap == nil {
		d.headerMap = make([]authz.Field, 0, 32)
	}
	if name, value, plain := twoTexts(f.bytes, 3<<3|length); plain && isUTF8(name) { // as Envoy writes it: key and raw_value
		d.addLine(d.arena.text(name), "", d.arena.text(value))
		return true
	}
	var key, value, raw string
	understood := each(f.bytes, 0, func(f field) bool {
		switch f.tag {
		case 1<<3 | length:
			return d.text(&key, f)
		case 2<<3 | length:
			return d.text(&value, f)
		case 3<<3 | length:
			raw = d.arena.text(f.bytes) // bytes on the wire, of which any is valid
			return true
		default:
			return false
		}
	})
	d.addLine(key, value, raw)
	return understood
}

// extension takes an entry of the map context_extensions.
func (d *decoder) extension(f field) bool {
	var e authz.Field
	if !d.entry(f, &e) || len(d.extensions) >= maxPlainExtensions {
		return false
	}
	for _, other := range d.extensions {
		if other.Name == e.Name {
			return false
		}
	}
	d.extensions = append(d.extensions, e)
	return true
}

func (d *decoder) tlsSession(f field) bool { return f.tag == 1<<3|length && d.text(&d.serverName, f) }

// sourcePeer takes a field of the AttributeContext.Peer that is the source.
func (d *decoder) sourcePeer(f field) bool {
	if f.tag == 4<<3|length {
		return d.text(&d.principal, f)
	}
	return peerField(f, d.sourceAddress)
}

// peerField takes a field of AttributeContext.Peer.
func peerField(f field, address func(field) bool) bool {
	switch f.tag {
	case 1<<3 | length: // address
		return each(f.bytes, 0, func(f field) bool { return f.tag == 1<<3|length && each(f.bytes, 0, address) })
	case 2<<3 | length, 4<<3 | length, 5<<3 | length: // service, principal, certificate
		return isUTF8(f.bytes)
	default:
		return false
	}
}

// sourceAddress takes a field of envoy.config.core.v3.SocketAddress.
func (d *decoder) sourceAddress(f field) bool {
	if f.tag == 2<<3|length {
		return d.text(&d.source, f)
	}
	return ignoredAddress(f)
}

// ignoredAddress takes a field of a SocketAddress that nobody asks for.
func ignoredAddress(f field) bool {
	switch f.tag {
	case 2<<3 | length, 4<<3 | length, 5<<3 | length: // address, named_port, resolver_name
		return isUTF8(f.bytes)
	case 1<<3 | varint, 3<<3 | varint, 6<<3 | varint: // protocol, port_value, ipv4_compat
		return true
	default:
		return false
	}
}

// metadata takes an entry of envoy.config.core.v3.Metadata.filter_metadata, a map of google.protobuf.Struct.
func (d *decoder) metadata(f field) bool {
	name, value, ok := nested(f)
	if !ok || f.tag != 1<<3|length {
		return false
	}
	ours := string(name) == proxyProtocolMetadata
	if ours && d.sawTLV {
		return false
	}
	d.sawTLV = d.sawTLV || ours
	return each(value, 1<<1, func(f field) bool { return d.metadataField(f, ours) })
}

// metadataField takes an entry of Struct.fields. Only texts are understood.
func (d *decoder) metadataField(f field, ours bool) bool {
	name, value, ok := nested(f)
	if !ok || f.tag != 1<<3|length {
		return false
	}
	isTLV := ours && string(name) == awsTLV
	if isTLV && d.awsTLV.present {
		return false
	}
	d.awsTLV.present = d.awsTLV.present || isTLV
	return each(value, 0, func(f field) bool {
		switch {
		case f.tag != 3<<3|length: // Value.string_value
			return false
		case isTLV:
			return d.text(&d.awsTLV.text, f)
		default:
			return isUTF8(f.bytes)
		}
	})
}

// nested reads an entry of a map of messages.
func nested(f field) (name, message []byte, ok bool) {
	ok = each(f.bytes, 0, func(f field) bool {
		switch f.tag {
		case 1<<3 | length:
			name = f.bytes
			return isUTF8(name)
		case 2<<3 | length:
			message = f.bytes
			return true
		default:
			return false
		}
	})
	return name, message, ok
}

// chunkBytes is how much text one allocation of an arena holds at most, longer texts aside. Anyone who keeps a piece of a
// request keeps no more than its chunk.
const chunkBytes = 4 << 10

// arena makes strings out of pieces of a message whose buffer is used again: copies, many to one allocation.
type arena struct {
	// message has been copied as a whole, where it is no larger than a chunk. A piece of it is the same piece of the copy.
	message []byte
	copied  string
	chunk   strings.Builder
}

// read makes an empty arena one for the pieces of a message.
func (a *arena) read(message []byte) {
	if len(message) <= chunkBytes {
		a.message, a.copied = message, string(message)
	}
}

func (a *arena) text(piece []byte) string {
	if len(piece) == 0 {
		return ""
	}
	// Slices of one array end at the same place unless somebody has cut their capacity, so that the capacities tell how far
	// they begin apart. The addresses say whether that is so.
	start := cap(a.message) - cap(piece)
	if start >= 0 && start+len(piece) <= len(a.copied) && &a.message[start] == &piece[0] {
		return a.copied[start : start+len(piece)]
	}
	return a.add(piece)
}

func (a *arena) add(piece []byte) string {
	if a.chunk.Cap()-a.chunk.Len() < len(piece) {
		a.chunk = strings.Builder{} // what was cut from the old one keeps it
		a.chunk.Grow(max(chunkBytes, len(piece)))
	}
	start := a.chunk.Len()
	a.chunk.Write(piece)
	return a.chunk.String()[start:]
}
