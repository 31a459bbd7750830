package policy

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// list is a multivalued key in the tables below.
type list = []string

// conditionHolds evaluates a Condition block in a statement of each effect.
func conditionHolds(t *testing.T, version, block string, ctx Context) (inAllow, inDeny bool) {
	t.Helper()
	evaluate := func(e string) Decision {
		p, faults := Parse([]byte(fmt.Sprintf(`{"Version": "%s", "Statement": {"Effect": "%s", "Action": "*", "Resource": "*", "Condition": %s}}`, version, e, block)), Options{})
		if p == nil {
			t.Fatalf("%s: %v", block, faults)
		}
		return p.Evaluate(&Request{Action: "execute-api:Invoke", Resource: benchPrefix + "/prod/GET/", Context: ctx}).Decision
	}
	return evaluate("Allow") == Allow, evaluate("Deny") == ExplicitDeny
}

func valuesOf(values map[string]any) mapContext {
	m := mapContext{}
	for name, value := range values {
		switch value := value.(type) {
		case string:
			m[name] = StringValue(value)
		case list:
			m[name] = ListValue(value)
		case Value:
			m[name] = value
		}
	}
	return m
}

func TestConditions(t *testing.T) {
	const yes, no, closed = 1, 0, 2 // closed: false for an Allow, true for a Deny
	addr := func(s string) Value { return AddrValue(netip.MustParseAddr(s)) }
	noon := TimeValue(time.Date(2025, 6, 15, 12, 30, 0, 500e6, time.UTC))
	for _, c := range []struct {
		block string
		value any // of k:k; nil where the key is absent
		want  int
	}{
		{`{"StringEquals": {"K:k": "a"}}`, "a", yes},
		{`{"StringEquals": {"k:k": "a"}}`, "A", no},
		{`{"StringEquals": {"k:k": ["b", "a"]}}`, "a", yes},
		{`{"StringEquals": {"k:k": "a*"}}`, "ab", no},
		{`{"StringEquals": {"k:k": "a*"}}`, "a*", yes},
		{`{"StringEquals": {"k:k": "a"}}`, nil, no},
		{`{"StringEquals": {"k:k": "5"}}`, NumberValue(5), yes},
		{`{"StringEquals": {"k:k": "true"}}`, BoolValue(true), yes},
		{`{"StringEquals": {"k:k": "false"}}`, BoolValue(false), yes},
		{`{"StringEquals": {"k:k": "AAEC"}}`, BytesValue([]byte{0, 1, 2}), yes},
		{`{"StringLike": {"k:k": "10.0.*"}}`, addr("10.0.0.1"), yes},
		{`{"StringLike": {"k:k": "2025-06-15T12:30:00Z"}}`, noon, yes},
		{`{"StringNotEquals": {"k:k": "a"}}`, nil, yes},
		{`{"StringNotEquals": {"k:k": ["a", "b"]}}`, "b", no},
		{`{"StringNotEquals": {"k:k": ["a", "b"]}}`, "c", yes},
		{`{"StringEqualsIfExists": {"k:k": "a"}}`, nil, yes},
		{`{"StringEqualsIfExists": {"k:k": "a"}}`, "b", no},
		{`{"StringNotEqualsIfExists": {"k:k": "a"}}`, nil, yes},
		{`{"StringNotEqualsIfExists": {"k:k": "a"}}`, "a", no},
		{`{"StringEqualsIgnoreCase": {"k:k": "É"}}`, "é", yes},
		{`{"StringNotEqualsIgnoreCase": {"k:k": "ab"}}`, "AB", no},
		{`{"StringLike": {"k:k": "a?c*"}}`, "abcd", yes},
		{`{"StringLike": {"k:k": "a?c"}}`, "ABC", no},
		{`{"StringLike": {"k:k": "*"}}`, nil, no},
		{`{"StringLike": {"k:k": "*"}}`, "", yes},
		{`{"StringNotLike": {"k:k": ["a*", "b*"]}}`, "bx", no},

		{`{"NumericEquals": {"k:k": 5}}`, "5.0", yes},
		{`{"NumericEquals": {"k:k": "-0"}}`, "0", yes},
		{`{"NumericEquals": {"k:k": "9007199254740993"}}`, "9007199254740992", no},
		{`{"NumericEquals": {"k:k": "90071992547409930000.1"}}`, "90071992547409930000.10", yes},
		{`{"NumericLessThan": {"k:k": "0.5"}}`, "0.49", yes},
		{`{"NumericLessThan": {"k:k": "10"}}`, "9", yes},
		{`{"NumericLessThan": {"k:k": "-3"}}`, "-3.5", yes},
		{`{"NumericLessThan": {"k:k": "10"}}`, "10", no},
		{`{"NumericLessThanEquals": {"k:k": "10"}}`, NumberValue(10), yes},
		{`{"NumericLessThan": {"k:k": "10.5"}}`, NumberValue(10), yes},
		{`{"NumericGreaterThan": {"k:k": "-10.5"}}`, NumberValue(-10), yes},
		{`{"NumericGreaterThan": {"k:k": ["10", "3"]}}`, "5", yes},
		{`{"NumericGreaterThanEquals": {"k:k": "0.5"}}`, NumberValue(0), no},
		{`{"NumericNotEquals": {"k:k": ["5", "6"]}}`, "6.0", no},
		{`{"NumericEquals": {"k:k": "5"}}`, "five", no},
		{`{"NumericEquals": {"k:k": "5"}}`, "", no},
		{`{"NumericLessThan": {"k:k": "5"}}`, " 4", no},
		{`{"NumericLessThan": {"k:k": "5"}}`, BoolValue(true), no},
		{`{"NumericNotEquals": {"k:k": "5"}}`, "five", closed},
		{`{"NumericNotEqualsIfExists": {"k:k": "5"}}`, "five", closed},

		{`{"DateEquals": {"k:k": "2025-06-15T08:30:00-04:00"}}`, "1749990600", yes},
		{`{"DateEquals": {"k:k": "1749990600"}}`, "2025-06-15T12:30:00Z", yes},
		{`{"DateEquals": {"k:k": 1749990600}}`, NumberValue(1749990600), yes},
		{`{"DateEquals": {"k:k": "2025-06-15T12:30:00.5Z"}}`, noon, yes},
		{`{"DateGreaterThan": {"k:k": "2025-06-15T12:30:00Z"}}`, noon, yes},
		{`{"DateLessThan": {"k:k": "2025-06-15"}}`, "2025-06-14T23:59:59Z", yes},
		{`{"DateLessThanEquals": {"k:k": "2025-06-15"}}`, "2025-06-15T00:00:00Z", yes},
		{`{"DateGreaterThanEquals": {"k:k": "2025-06-15T00:00Z"}}`, "2025-06-14T23:59:59.999999999Z", no},
		{`{"DateNotEquals": {"k:k": "2025-06-15"}}`, "2025-06-15T01:00:00+01:00", no},
		{`{"DateLessThan": {"k:k": "2030-01-01"}}`, "soon", no},
		{`{"DateLessThan": {"k:k": "2030-01-01"}}`, BoolValue(true), no},
		{`{"DateNotEquals": {"k:k": "2030-01-01"}}`, "soon", closed},

		{`{"Bool": {"k:k": "true"}}`, BoolValue(true), yes},
		{`{"Bool": {"k:k": true}}`, "true", yes},
		{`{"Bool": {"k:k": "false"}}`, BoolValue(false), yes},
		{`{"Bool": {"k:k": "false"}}`, nil, no},
		{`{"BoolIfExists": {"k:k": "false"}}`, nil, yes},
		{`{"Bool": {"k:k": ["true", "false"]}}`, "false", yes},
		{`{"Bool": {"k:k": "true"}}`, "yes", no},
		{`{"Bool": {"k:k": "true"}}`, NumberValue(1), no},

		{`{"BinaryEquals": {"k:k": "AAEC"}}`, BytesValue([]byte{0, 1, 2}), yes},
		{`{"BinaryEquals": {"k:k": ["AAEC", "AAE="]}}`, "AAE=", yes},
		{`{"BinaryEquals": {"k:k": "AAEC"}}`, "not base64", no},
		{`{"BinaryEquals": {"k:k": "AAEC"}}`, NumberValue(1), no},

		{`{"IpAddress": {"k:k": "10.0.0.0/8"}}`, addr("10.1.2.3"), yes},
		{`{"IpAddress": {"k:k": "10.0.0.0/8"}}`, "10.1.2.3", yes},
		{`{"IpAddress": {"k:k": "10.0.0.0/8"}}`, "11.1.2.3", no},
		{`{"IpAddress": {"k:k": "123.4.5.6/24"}}`, "123.4.5.200", yes},
		{`{"IpAddress": {"k:k": "0.0.0.0/0"}}`, "203.0.113.7", yes},
		{`{"IpAddress": {"k:k": "0.0.0.0/0"}}`, "2001:db8::1", no},
		{`{"IpAddress": {"k:k": "::/0"}}`, "203.0.113.7", no},
		{`{"IpAddress": {"k:k": "::/0"}}`, "2001:db8::1", yes},
		{`{"IpAddress": {"k:k": "2001:DB8:0:0::1"}}`, "2001:db8::1", yes},
		{`{"IpAddress": {"k:k": "2001:db8::1"}}`, "2001:db8::2", no},
		{`{"IpAddress": {"k:k": "10.1.2.3"}}`, addr("::ffff:10.1.2.3"), yes},
		{`{"IpAddress": {"k:k": "10.1.2.3"}}`, "::ffff:10.1.2.3", yes},
		{`{"IpAddress": {"k:k": "::ffff:10.0.0.0/104"}}`, "10.1.2.3", yes},
		{`{"IpAddress": {"k:k": "::ffff:10.1.2.3"}}`, "10.1.2.3", yes},
		{`{"IpAddress": {"k:k": "fe80::/10"}}`, addr("fe80::1%eth0"), yes},
		{`{"NotIpAddress": {"k:k": "10.0.0.0/8"}}`, "2001:db8::1", yes},
		{`{"NotIpAddress": {"k:k": ["10.0.0.0/8", "192.0.2.1"]}}`, "192.0.2.1", no},
		{`{"NotIpAddress": {"k:k": "10.0.0.0/8"}}`, nil, yes},
		{`{"IpAddress": {"k:k": "10.0.0.0/8"}}`, "10.1.2.3:443", no},
		{`{"NotIpAddress": {"k:k": "10.0.0.0/8"}}`, "10.1.2.3:443", closed},
		{`{"NotIpAddress": {"k:k": "10.0.0.0/8"}}`, AddrValue(netip.Addr{}), closed},
		{`{"IpAddress": {"k:k": "::/0"}}`, AddrValue(netip.Addr{}), no},
		{`{"IpAddress": {"k:k": "0.0.0.0/0"}}`, BoolValue(true), no},

		{`{"ArnEquals": {"k:k": "arn:aws:iam::111122223333:role/*"}}`, "arn:aws:iam::111122223333:role/a/b:c", yes},
		{`{"ArnLike": {"k:k": "arn:aws:iam::111122223333:role/Ops"}}`, "arn:aws:iam::111122223333:role/ops", no},
		{`{"ArnLike": {"k:k": "arn:aws:iam::1111*:role/*"}}`, "arn:aws:iam::111122223333:role/ops", yes},
		{`{"ArnLike": {"k:k": "arn:aws:iam::111*:ops"}}`, "arn:aws:iam::111122223333:role/x:ops", no},
		{`{"ArnLike": {"k:k": "arn:aws:*:*:*:*"}}`, "arn:aws:sns:eu-west-1:111122223333:t", yes},
		{`{"ArnLike": {"k:k": "arn:aws:iam:*:111122223333:t"}}`, "arn:aws:sns:eu-west-1:111122223333:t", no},
		{`{"ArnLike": {"k:k": "*"}}`, "arn:aws:iam::111122223333:role/ops", yes},
		{`{"ArnLike": {"k:k": "*"}}`, "text", no},
		{`{"ArnNotLike": {"k:k": "arn:aws:iam::111122223333:role/*"}}`, "text", closed},
		{`{"ArnNotEquals": {"k:k": ["arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b*"]}}`, "arn:aws:iam::111122223333:role/bc", no},

		{`{"Null": {"k:k": "true"}}`, nil, yes},
		{`{"Null": {"k:k": "true"}}`, "", no},
		{`{"Null": {"k:k": "false"}}`, "x", yes},
		{`{"Null": {"k:k": false}}`, list{"x"}, yes},
		{`{"Null": {"k:k": ["true", "false"]}}`, nil, yes},

		{`{"StringEquals": {"k:k": "a"}}`, list{"a"}, no},
		{`{"StringNotEquals": {"k:k": "a"}}`, list{"b"}, no},
		{`{"ForAllValues:StringEquals": {"k:k": ["a", "b"]}}`, list{"a", "b"}, yes},
		{`{"ForAllValues:StringEquals": {"k:k": ["a", "b"]}}`, list{"a", "c"}, no},
		{`{"ForAllValues:StringEquals": {"k:k": "a"}}`, list{}, yes},
		{`{"ForAllValues:StringEquals": {"k:k": "a"}}`, "", yes},
		{`{"ForAllValues:StringEquals": {"k:k": "a"}}`, nil, yes},
		{`{"ForAllValues:StringEquals": {"k:k": "a"}}`, "a", yes},
		{`{"ForAllValues:StringNotEquals": {"k:k": "a"}}`, list{"b", "a"}, no},
		{`{"ForAllValues:StringNotEquals": {"k:k": "a"}}`, list{"b", "c"}, yes},
		{`{"ForAnyValue:StringEquals": {"k:k": ["a", "b"]}}`, list{"c", "b"}, yes},
		{`{"ForAnyValue:StringEquals": {"k:k": "a"}}`, list{}, no},
		{`{"ForAnyValue:StringEquals": {"k:k": "a"}}`, nil, no},
		{`{"ForAnyValue:StringEquals": {"k:k": "a"}}`, "a", yes},
		{`{"ForAnyValue:StringNotEquals": {"k:k": "a"}}`, list{"a", "b"}, yes},
		{`{"ForAnyValue:StringNotEquals": {"k:k": "a"}}`, list{"a"}, no},
		{`{"ForAnyValue:StringNotEquals": {"k:k": "a"}}`, list{}, no},
		{`{"ForAnyValue:StringNotEquals": {"k:k": "a"}}`, nil, no},
		{`{"ForAnyValue:StringNotEquals": {"k:k": "a"}}`, "", no},
		{`{"ForAnyValue:StringEqualsIfExists": {"k:k": "a"}}`, nil, closed},
		{`{"ForAllValues:StringEqualsIfExists": {"k:k": "a"}}`, nil, yes},
		{`{"ForAnyValue:NumericEquals": {"k:k": "5"}}`, list{"x", "5.0"}, yes},
		{`{"ForAllValues:NumericEquals": {"k:k": "5"}}`, list{"x", "5.0"}, no},
		{`{"ForAnyValue:IpAddress": {"k:k": "10.0.0.0/8"}}`, list{"192.0.2.1", "10.0.0.1"}, yes},

		{`{"StringEquals": {"k:k": "a"}, "StringNotEquals": {"k:k": "a"}}`, "a", no},
		{`{"StringLike": {"k:k": "a*", "k:other": "*"}}`, "a", no},
		{`{"StringLike": {"k:k": "a*"}, "Null": {"k:other": "true"}}`, "a", yes},
	} {
		ctx := mapContext{}
		if c.value != nil {
			ctx = valuesOf(map[string]any{"k:k": c.value})
		}
		inAllow, inDeny := conditionHolds(t, "2012-10-17", c.block, ctx)
		if inAllow != (c.want == yes) || inDeny != (c.want != no) {
			t.Errorf("%s with %v: holds for Allow %v, for Deny %v; want %d", c.block, c.value, inAllow, inDeny, c.want)
		}
	}
}

func TestVariables(t *testing.T) {
	ctx := valuesOf(map[string]any{
		"aws:username": "al*ce", "aws:principaltag/team": "Pets", "aws:userid": "", "aws:tagkeys": list{"a"},
		"aws:principalarn": "arn:aws:iam::111122223333:user/alice", "aws:sourceip": AddrValue(netip.MustParseAddr("10.0.0.1")),
		"k:name": "al*ce", "k:text": "alice", "k:team": "pets/7", "k:inject": "${aws:username}", "k:colon": "1:2", "k:arn": "arn:aws:iam:1:2:111122223333:alice",
	})
	for _, c := range []struct {
		block string
		want  bool
	}{
		{`{"StringEquals": {"k:name": "${aws:username}"}}`, true},
		{`{"StringEquals": {"k:name": "${AWS:UserName}"}}`, true},
		{`{"StringLike": {"k:text": "${aws:username}"}}`, false}, // the star in the value is not a wildcard
		{`{"StringLike": {"k:text": "al*ce"}}`, true},
		{`{"StringLike": {"k:name": "al${*}ce"}}`, true},
		{`{"StringLike": {"k:text": "al${*}ce"}}`, false},
		{`{"StringEquals": {"k:inject": "${$}{aws:username}"}}`, true},
		{`{"StringEquals": {"k:name": "${k:inject}"}}`, false}, // nor is a value read again
		{`{"StringEqualsIgnoreCase": {"k:team": "${aws:PrincipalTag/TEAM}/7"}}`, true},
		{`{"StringEqualsIgnoreCase": {"k:team": "${aws:nothing}/7"}}`, false},
		{`{"StringEqualsIgnoreCase": {"k:name": "${aws:username}"}}`, true},
		{`{"StringLike": {"k:team": "${aws:nothing, 'pets'}/*"}}`, true},
		{`{"StringLike": {"k:team": "${aws:userid, 'pets'}/*"}}`, true}, // an empty value counts as none
		{`{"StringLike": {"k:team": "${aws:nothing, '*'}"}}`, false},
		{`{"StringEquals": {"k:text": "${aws:sourceip}"}}`, false},
		{`{"StringEquals": {"aws:sourceip": "${aws:sourceip}"}}`, true},
		{`{"StringEquals": {"k:name": "${aws:nothing}"}}`, false},
		{`{"StringLike": {"k:name": "${aws:nothing}*"}}`, false},
		{`{"StringNotEquals": {"k:name": "${aws:nothing}"}}`, true},
		{`{"StringNotLike": {"k:name": ["${aws:nothing}*", "al*"]}}`, false},
		{`{"StringNotEquals": {"aws:userid": "${aws:userid}"}}`, true},
		{`{"StringEquals": {"k:text": "${aws:tagkeys}"}}`, false}, // a list has no single value
		{`{"ArnLike": {"aws:principalarn": "arn:aws:iam::111122223333:user/${k:text}"}}`, true},
		{`{"ArnLike": {"aws:principalarn": "arn:aws:iam::111122223333:user/${aws:nothing}"}}`, false},
		{`{"ArnNotLike": {"aws:principalarn": "arn:aws:iam::111122223333:user/${aws:nothing}"}}`, true},
		{`{"ArnEquals": {"aws:principalarn": "${aws:principalarn}"}}`, true},
		{`{"ArnLike": {"k:arn": "arn:aws:iam:${k:colon}:111122223333:alice"}}`, false}, // nor does a value add parts
	} {
		inAllow, inDeny := conditionHolds(t, "2012-10-17", c.block, ctx)
		if inAllow != c.want || inDeny != c.want {
			t.Errorf("%s: holds for Allow %v, for Deny %v; want %v", c.block, inAllow, inDeny, c.want)
		}
	}
	for _, version := range []string{"2008-10-17"} {
		if holds, _ := conditionHolds(t, version, `{"StringEquals": {"k:name": "${aws:username}"}}`, ctx); holds {
			t.Errorf("version %s has variables", version)
		}
		if holds, _ := conditionHolds(t, version, `{"StringEquals": {"k:inject": "${aws:username}"}}`, ctx); !holds {
			t.Errorf("version %s does not take ${…} for text", version)
		}
	}
}

// TestUnreadableValues evaluates policies as a simulator takes them.
func TestUnreadableValues(t *testing.T) {
	for _, c := range []struct {
		effect, condition, value string
		applies                  bool
	}{
		{"Allow", `"NumericEquals": {"k:k": ["abc", 5]}`, "5.0", true},
		{"Allow", `"NumericEquals": {"k:k": "abc"}`, "abc", false},
		{"Allow", `"NumericNotEquals": {"k:k": "abc"}`, "5", false},
		{"Deny", `"NumericNotEquals": {"k:k": "abc"}`, "5", true},
		{"Deny", `"NumericNotEquals": {"k:k": ["abc", "5"]}`, "5", false},
		{"Allow", `"IpAddress": {"k:k": "here"}`, "10.0.0.1", false},
	} {
		text := fmt.Sprintf(`{"Statement": {"Effect": "%s", "Action": "*", "Resource": "*", "Condition": {%s}}}`, c.effect, c.condition)
		if p, _ := Parse([]byte(text), Options{}); p != nil {
			t.Errorf("%s is taken without the option", c.condition)
		}
		p, faults := Parse([]byte(text), Options{UnreadableValues: true})
		if p == nil || len(faults) == 0 {
			t.Fatalf("%s: %v", c.condition, faults)
		}
		r := &Request{Action: "execute-api:Invoke", Resource: benchPrefix + "/x", Context: mapContext{"k:k": StringValue(c.value)}}
		if got := p.Evaluate(r).Decision != ImplicitDeny; got != c.applies {
			t.Errorf("%s with %s applies: %v", text, c.value, got)
		}
	}
}
