package condition

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"time"
)

// Context is the request context: the values of the condition keys of one request. Lookup is called only for keys that a
// statement in question names; false means that the key is absent. An error on the way to a value is the implementation's
// to turn into a denial.
type Context interface {
	Lookup(key *Key) (Value, bool)
}

type valueKind uint8

const (
	stringValue valueKind = iota
	listValue
	severalValue
	addrValue
	timeValue
	boolValue
	numberValue
	bytesValue
)

// Value is the value of a condition key. Its zero value is the empty string.
type Value struct {
	kind valueKind
	text string   // stringValue, bytesValue
	list []string // listValue, severalValue
	addr netip.Addr
	n    int64 // numberValue, boolValue; seconds since 1970 for timeValue
	nano int64 // timeValue
}

// StringValue is a single text. Operators other than String and Arn read it: a number, a date, true or false, an address,
// or base64.
func StringValue(s string) Value { return Value{text: s} }

// ListValue is the value of a multivalued key, whatever its length. The evaluation keeps no reference to it.
func ListValue(list []string) Value { return Value{kind: listValue, list: list} }

// SeveralValue has the values of a key that policies expect to have one, such as the audiences of a token. Without a set operator, an Allow
// never holds, and a Deny holds if it holds for one of the values.
func SeveralValue(list []string) Value { return Value{kind: severalValue, list: list} }

// AddrValue is an IP address. IPv4-mapped IPv6 addresses count as the IPv4 address, a zone is ignored.
func AddrValue(a netip.Addr) Value {
	return Value{kind: addrValue, addr: a.Unmap().WithZone("")}
}

// TimeValue is an instant, of which condition keys know whole seconds in text. For aws:EpochTime use NumberValue.
func TimeValue(t time.Time) Value {
	return Value{kind: timeValue, n: t.Unix(), nano: int64(t.Nanosecond())}
}

// BoolValue is true or false.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: boolValue, n: 1}
	}
	return Value{kind: boolValue}
}

// NumberValue is an integer; the date operators take it for seconds since 1970.
func NumberValue(n int64) Value { return Value{kind: numberValue, n: n} }

// BytesValue is a binary value.
func BytesValue(b []byte) Value { return Value{kind: bytesValue, text: string(b)} }

// String is the value as text, as the String operators and policy variables see it. A list has none.
func (v Value) String() string {
	switch v.kind {
	case addrValue:
		return v.addr.String()
	case timeValue:
		return time.Unix(v.n, v.nano).UTC().Format("2006-01-02T15:04:05Z")
	case boolValue:
		return strconv.FormatBool(v.n != 0)
	case numberValue:
		return strconv.FormatInt(v.n, 10)
	case bytesValue:
		return base64.StdEncoding.EncodeToString([]byte(v.text))
	case stringValue, listValue, severalValue:
	}
	return v.text
}

func (v Value) isList() bool { return v.kind == listValue || v.kind == severalValue }

func (v Value) empty() bool { return v.kind == stringValue && v.text == "" }
