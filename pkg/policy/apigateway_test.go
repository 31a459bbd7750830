package policy

import (
	"net/netip"
	"testing"
)

// TestAPIGatewayConditions are the conditions in the API Gateway Developer Guide's examples of resource policies and in its page
// "AWS condition keys that can be used in API Gateway resource policies".
func TestAPIGatewayConditions(t *testing.T) {
	const (
		everything = `{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}`
		allowIf    = `{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*", "Condition": `
		denyIf     = everything + `, {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*", "Condition": `
	)
	from := func(s string) Value { return AddrValue(netip.MustParseAddr(s)) }
	for name, c := range map[string]struct {
		statements string
		context    map[string]any
		want       Decision
	}{
		"listed address":         {allowIf + `{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "198.51.100.0/24"]}}}`, map[string]any{"aws:sourceip": from("192.0.2.9")}, Allow},
		"other address":          {allowIf + `{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "198.51.100.0/24"]}}}`, map[string]any{"aws:sourceip": from("203.0.113.1")}, ImplicitDeny},
		"denied address":         {denyIf + `{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}}}`, map[string]any{"aws:sourceip": from("192.0.2.9")}, ExplicitDeny},
		"host bits in the block": {denyIf + `{"NotIpAddress": {"aws:SourceIp": "123.4.5.6/24"}}}`, map[string]any{"aws:sourceip": from("123.4.5.200")}, Allow},
		"the endpoint":           {denyIf + `{"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}}`, map[string]any{"aws:sourcevpce": "vpce-1a2b3c4d"}, Allow},
		"another endpoint":       {denyIf + `{"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}}`, map[string]any{"aws:sourcevpce": "vpce-ffffffff"}, ExplicitDeny},
		"no endpoint":            {denyIf + `{"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}}`, nil, ExplicitDeny},
		"the VPC":                {denyIf + `{"StringNotEquals": {"aws:SourceVpc": "vpc-1a2b3c4d"}}}`, map[string]any{"aws:sourcevpc": "vpc-1a2b3c4d"}, Allow},
		"address inside the VPC": {denyIf + `{"IpAddress": {"aws:VpcSourceIp": ["192.0.2.0/24"]}}}`, map[string]any{"aws:vpcsourceip": from("192.0.2.1"), "aws:sourceip": from("10.0.0.7")}, ExplicitDeny},
		"user agent":             {allowIf + `{"StringLike": {"aws:UserAgent": "MyApp/*"}}}`, map[string]any{"aws:useragent": "MyApp/2"}, Allow},
		"no user agent":          {allowIf + `{"StringLike": {"aws:UserAgent": "*"}}}`, nil, ImplicitDeny},
		"referer":                {allowIf + `{"StringEquals": {"aws:Referer": "https://a.example/"}}}`, map[string]any{"aws:referer": "https://a.example/"}, Allow},
		"the organization":       {denyIf + `{"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}`, map[string]any{"aws:principalorgid": "o-1"}, Allow},
		"nobody's organization":  {denyIf + `{"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}`, nil, ExplicitDeny},
		"organization not known": {allowIf + `{"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}`, nil, ImplicitDeny},
		"secure transport":       {denyIf + `{"Bool": {"aws:SecureTransport": "false"}}}`, map[string]any{"aws:securetransport": BoolValue(true)}, Allow},
		"no secure transport":    {denyIf + `{"Bool": {"aws:SecureTransport": "false"}}}`, map[string]any{"aws:securetransport": BoolValue(false)}, ExplicitDeny},
		"unknown transport":      {denyIf + `{"Bool": {"aws:SecureTransport": "false"}}}`, nil, Allow},
	} {
		p := benchPolicy(t, `{"Version": "2012-10-17", "Statement": [`+c.statements+`]}`)
		r := &Request{Action: "execute-api:Invoke", Resource: getPets, ResourceAccount: owner, Context: valuesOf(c.context)}
		if got := Evaluate(&Policies{Resource: p}, r); got.Decision != c.want {
			t.Errorf("%s: %+v, want %v", name, got, c.want)
		}
	}
}
