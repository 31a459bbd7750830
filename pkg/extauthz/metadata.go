package extauthz

import (
	"math"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// The fields of envoy.service.auth.v3.CheckResponse and google.protobuf.Struct, as they stand in a tag of one byte.
const (
	responseMetadata = 4<<3 | length
	structFields     = 1<<3 | length
	entryName        = 1<<3 | length
	entryValue       = 2<<3 | length
	valueNumber      = 2<<3 | byte(protowire.Fixed64Type)
	valueText        = 3<<3 | length
)

// withMetadata names the decision for access logs (%DYNAMIC_METADATA(envoy.filters.http.ext_authz:route)%) and later filters.
// It gives out its dynamic_metadata in the form of the wire, as bytes that are appended as they are: a Struct is a map, and
// protobuf marshals maps by reflection, which costs more than the check.
func withMetadata(out *authv3.CheckResponse, d *authz.Decision, took time.Duration) *authv3.CheckResponse {
	fields := [...]authz.Field{
		{Name: "decision", Value: authz.Word(d.Allow)},
		{Name: "api", Value: d.API},
		{Name: "stage", Value: d.Stage},
		{Name: "route", Value: d.Route},
		{Name: "principal", Value: d.Caller.Principal},
		{Name: "reason", Value: d.Reason.Code.String()},
		{Name: "policy", Value: d.Reason.Policy},
		{Name: "statement", Value: d.Reason.Statement},
		{Name: "request_id", Value: d.RequestID},
		{Name: "upstream", Value: d.Upstream},
	}
	room := metadataRoom + entryRoom
	for i := range fields {
		room += entryRoom + len(fields[i].Value)
	}
	m := make([]byte, metadataRoom, room)
	for _, f := range fields {
		if f.Value != "" {
			m = appendText(m, f.Name, utf8Text(f.Value))
		}
	}
	m = appendNumber(m, "duration_us", float64(took.Microseconds()))
	var head [metadataRoom]byte
	wire := appendSize(append(head[:0], responseMetadata), len(m)-metadataRoom)
	begin := metadataRoom - len(wire)
	copy(m[begin:], wire)
	out.ProtoReflect().SetUnknown(m[begin:])
	return out
}

// metadataRoom is the most that a tag and a length take.
const metadataRoom = 1 + 10

// entryRoom is about the size of an entry besides its value: the name, tags and lengths.
const entryRoom = 22

func appendText(m []byte, name, text string) []byte {
	m = appendEntry(m, name, 1+protowire.SizeBytes(len(text)))
	m = appendSize(append(m, valueText), len(text))
	return append(m, text...)
}

func appendNumber(m []byte, name string, number float64) []byte {
	m = appendEntry(m, name, 1+protowire.SizeFixed64())
	return protowire.AppendFixed64(append(m, valueNumber), math.Float64bits(number))
}

// appendEntry appends one entry of Struct.fields up to its value, a google.protobuf.Value of the given size.
func appendEntry(m []byte, name string, size int) []byte {
	m = appendSize(append(m, structFields), 1+protowire.SizeBytes(len(name))+1+protowire.SizeBytes(size))
	m = appendSize(append(m, entryName), len(name))
	m = append(m, name...)
	return appendSize(append(m, entryValue), size)
}

// appendSize is protowire.AppendVarint, faster for less than 128.
func appendSize(m []byte, size int) []byte {
	if size < 0x80 {
		return append(m, byte(size)) //nolint:gosec // less than 128
	}
	return protowire.AppendVarint(m, uint64(size))
}
