package extauthz

import (
	"math"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// The field numbers of envoy.service.auth.v3.CheckResponse and google.protobuf.Struct.
const (
	responseMetadata protowire.Number = 4
	structFields     protowire.Number = 1
	entryName        protowire.Number = 1
	entryValue       protowire.Number = 2
	valueNumber      protowire.Number = 2
	valueText        protowire.Number = 3
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
	wire := protowire.AppendVarint(protowire.AppendTag(head[:0], responseMetadata, protowire.BytesType), uint64(len(m)-metadataRoom)) //nolint:gosec // a size
	begin := metadataRoom - len(wire)
	copy(m[begin:], wire)
	out.ProtoReflect().SetUnknown(m[begin:])
	return out
}

// metadataRoom is what a tag and a length take at most.
const metadataRoom = 1 + 10

// entryRoom is what an entry takes beside its value, for the most part: the name, tags and lengths.
const entryRoom = 22

func appendText(m []byte, name, text string) []byte {
	m = appendEntry(m, name, protowire.SizeTag(valueText)+protowire.SizeBytes(len(text)))
	m = protowire.AppendTag(m, valueText, protowire.BytesType)
	return protowire.AppendString(m, text)
}

func appendNumber(m []byte, name string, number float64) []byte {
	m = appendEntry(m, name, protowire.SizeTag(valueNumber)+protowire.SizeFixed64())
	m = protowire.AppendTag(m, valueNumber, protowire.Fixed64Type)
	return protowire.AppendFixed64(m, math.Float64bits(number))
}

// appendEntry appends one entry of Struct.fields up to its value, a google.protobuf.Value of the given size.
func appendEntry(m []byte, name string, size int) []byte {
	entry := protowire.SizeTag(entryName) + protowire.SizeBytes(len(name)) + protowire.SizeTag(entryValue) + protowire.SizeBytes(size)
	m = protowire.AppendTag(m, structFields, protowire.BytesType)
	m = protowire.AppendVarint(m, uint64(entry)) //nolint:gosec // a size
	m = protowire.AppendTag(m, entryName, protowire.BytesType)
	m = protowire.AppendString(m, name)
	m = protowire.AppendTag(m, entryValue, protowire.BytesType)
	return protowire.AppendVarint(m, uint64(size)) //nolint:gosec // a size
}
