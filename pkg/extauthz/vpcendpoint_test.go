package extauthz

import (
	"context"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// metadata is the metadata of Envoy's listener filters.
func metadata(namespace, key string, value *structpb.Value) func(*authv3.AttributeContext) {
	return func(a *authv3.AttributeContext) {
		a.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
			namespace: {Fields: map[string]*structpb.Value{key: value}},
		}}
	}
}

// awsValue is a request by a load balancer whose TLV has this value.
func awsValue(text string) func(*authv3.AttributeContext) {
	return metadata("envoy.filters.listener.proxy_protocol", "aws_vpce", structpb.NewStringValue(text))
}

func TestVPCEndpoint(t *testing.T) {
	text := structpb.NewStringValue("\x01vpce-1a2b3c4d")
	for name, c := range map[string]struct {
		change func(*authv3.AttributeContext)
		want   string
	}{
		"short":             {awsValue("\x01vpce-1a2b3c4d"), "vpce-1a2b3c4d"},
		"long":              {awsValue("\x01vpce-0123456789abcdef0"), "vpce-0123456789abcdef0"},
		"no metadata":       {func(*authv3.AttributeContext) {}, ""},
		"empty metadata":    {func(a *authv3.AttributeContext) { a.MetadataContext = &corev3.Metadata{} }, ""},
		"another TLV":       {metadata("envoy.filters.listener.proxy_protocol", "authority", text), ""},
		"another namespace": {metadata("envoy.filters.http.lua", "aws_vpce", text), ""},
		"the route's own": {func(a *authv3.AttributeContext) {
			awsValue("\x01vpce-1a2b3c4d")(a)
			a.RouteMetadataContext, a.MetadataContext = a.MetadataContext, nil
		}, ""},
		"headers":             {header("x-amzn-vpce-id", "vpce-1a2b3c4d"), ""},
		"a context extension": {extension("aws_vpce", "\x01vpce-1a2b3c4d"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := seen(t, envoyRequest(c.change))
			if r == nil {
				t.Fatal("refused")
			}
			if r.VPCEndpoint != c.want || r.Listener != "" {
				t.Errorf("got %q, listener %q; want %q", r.VPCEndpoint, r.Listener, c.want)
			}
		})
	}
}

// TestUnreadableVPCEndpoint holds that a TLV which is there and means nothing denies: it is not the same as none.
func TestUnreadableVPCEndpoint(t *testing.T) {
	value := func(v *structpb.Value) func(*authv3.AttributeContext) {
		return metadata("envoy.filters.listener.proxy_protocol", "aws_vpce", v)
	}
	for name, change := range map[string]func(*authv3.AttributeContext){
		"empty":                  awsValue(""),
		"subtype alone":          awsValue("\x01"),
		"no subtype":             awsValue("vpce-1a2b3c4d"),
		"another subtype":        awsValue("\x02vpce-1a2b3c4d"),
		"subtype zero":           awsValue("\x00vpce-1a2b3c4d"),
		"no id":                  awsValue("\x01vpce-"),
		"another id":             awsValue("\x01vpc-1a2b3c4d"),
		"upper case":             awsValue("\x01VPCE-1A2B3C4D"),
		"upper case digits":      awsValue("\x01vpce-1A2B3C4D"),
		"blank before":           awsValue("\x01 vpce-1a2b3c4d"),
		"blank behind":           awsValue("\x01vpce-1a2b3c4d "),
		"newline":                awsValue("\x01vpce-1a2b3c4d\n"),
		"NUL":                    awsValue("\x01vpce-1a2b3c4d\x00"),
		"two":                    awsValue("\x01vpce-1a2b3c4d,vpce-2b3c4d5e"),
		"two TLVs in one":        awsValue("\x01vpce-1a2b3c4d\x01vpce-2b3c4d5e"),
		"replaced bytes":         awsValue("\x01vpce-1a2b!c4d"),
		"not ASCII":              awsValue("\x01vpce-é"),
		"long":                   awsValue("\x01vpce-" + strings.Repeat("a", 33)),
		"very long":              awsValue("\x01vpce-" + strings.Repeat("a", 1<<16)),
		"number":                 value(structpb.NewNumberValue(1)),
		"null":                   value(structpb.NewNullValue()),
		"bool":                   value(structpb.NewBoolValue(true)),
		"list":                   value(structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue("\x01vpce-1a2b3c4d")}})),
		"struct":                 value(structpb.NewStructValue(&structpb.Struct{})),
		"nothing in it":          value(&structpb.Value{}),
		"nothing":                value(nil),
		"beside a good listener": func(a *authv3.AttributeContext) { awsValue("\x02")(a); extension("portcullis.listener", "internal")(a) },
	} {
		t.Run(name, func(t *testing.T) {
			var recorded authz.Decision
			s := New(Config{
				Authorizer: authorizerFunc(func(context.Context, *authz.Request) authz.Decision {
					t.Error("the authorizer was asked")
					return allow
				}),
				Record: func(_ *authz.Request, d *authz.Decision, _ time.Duration) { recorded = *d },
			})
			out := check(t, s, t.Context(), envoyRequest(change))
			if envoyWouldAllow(t, out) || out.GetDeniedResponse().GetStatus().GetCode() != 500 {
				t.Fatalf("got %v", out)
			}
			if recorded.Reason.Code != authz.CodeEnvoyConfig || !strings.Contains(recorded.Reason.Detail, "0xEA") || strings.Contains(recorded.Reason.Detail, "1a2b") {
				t.Errorf("recorded %+v", recorded.Reason)
			}
		})
	}
}

func TestListener(t *testing.T) {
	if r := seen(t, envoyRequest(extension("portcullis.listener", "internal"))); r == nil || r.Listener != "internal" {
		t.Errorf("got %+v", r)
	}
	if seen(t, envoyRequest(extension("portcullis.listener", ""))) != nil {
		t.Error("a listener without a name passes")
	}
}
