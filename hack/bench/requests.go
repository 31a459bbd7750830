package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	secret      = "benchSecretKeyForLoopbackOnly/0000000000"
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// browser is Envoy 1.40's check for a browser's request: some 25 headers in the map.
func browser(host string) func(i int) *authv3.CheckRequest {
	return func(i int) *authv3.CheckRequest { return request(host, i) }
}

// raw is the same with encode_raw_headers: the headers in header_map.
func raw(host string) func(i int) *authv3.CheckRequest {
	return func(i int) *authv3.CheckRequest { return inHeaderMap(request(host, i)) }
}

func inHeaderMap(in *authv3.CheckRequest) *authv3.CheckRequest {
	h := in.Attributes.Request.Http
	h.HeaderMap = &corev3.HeaderMap{}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		h.HeaderMap.Headers = append(h.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(h.Headers[name])})
	}
	h.Headers = nil
	return in
}

// signed is raw, signed by AWS's SDK with the first n keys in turn.
func signed(n int) func() (func(i int) *authv3.CheckRequest, error) {
	return signedWith(n, func(i int) aws.Credentials {
		return aws.Credentials{AccessKeyID: accessKey(i), SecretAccessKey: secret}
	})
}

// signedWith is raw, signed by AWS's SDK with n keys in turn. Repeated requests are verified each time. They are
// signed when a round begins, because a signature is valid for five minutes.
func signedWith(n int, key func(i int) aws.Credentials) func() (func(i int) *authv3.CheckRequest, error) {
	return func() (func(i int) *authv3.CheckRequest, error) {
		list := make([]*authv3.CheckRequest, max(n, 64))
		for i := range list {
			var err error
			if list[i], err = sign(request(host(0), i), key(i%n)); err != nil {
				return nil, err
			}
		}
		return func(i int) *authv3.CheckRequest { return list[i%len(list)] }, nil
	}
}

func sign(in *authv3.CheckRequest, credentials aws.Credentials) (*authv3.CheckRequest, error) {
	h := in.Attributes.Request.Http
	sent, err := http.NewRequest(h.GetMethod(), "http://"+h.GetHost()+h.GetPath(), nil)
	if err != nil {
		return nil, err
	}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, sent, emptySHA256, "execute-api", "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	for name, values := range sent.Header {
		h.Headers[strings.ToLower(name)] = values[0]
	}
	in.Attributes.ContextExtensions = map[string]string{"portcullis.body": "buffered"}
	return inHeaderMap(in), nil
}

func request(host string, i int) *authv3.CheckRequest {
	path := fmt.Sprintf("/orders/v1/customers/%06d/items?limit=20&order=asc", i%64)
	headers := map[string]string{
		":authority": host, ":method": "GET", ":path": path, ":scheme": "http",
		"accept": "application/json, text/plain, */*", "accept-encoding": "gzip, deflate, br", "accept-language": "en-GB,en;q=0.9",
		"cache-control": "no-cache", "content-type": "application/json", "cookie": "session=0123456789abcdef0123456789abcdef; theme=dark",
		"origin": "https://app.bench.example.com", "referer": "https://app.bench.example.com/orders",
		"sec-ch-ua": `"Chromium";v="140", "Not=A?Brand";v="24"`, "sec-ch-ua-mobile": "?0", "sec-ch-ua-platform": `"Linux"`,
		"sec-fetch-dest": "empty", "sec-fetch-mode": "cors", "sec-fetch-site": "same-site",
		"user-agent":    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"traceparent":   fmt.Sprintf("00-0af7651916cd43dd8448eb21%08x-b7ad6b7169203331-01", i),
		"x-api-version": "2026-01-01", "x-forwarded-proto": "http", "x-forwarded-for": "10.1.2.3",
		"x-request-id": fmt.Sprintf("0d5c1b9e-3f0a-4e5b-8a1a-%012d", i),
	}
	address := func(ip string, port uint32) *corev3.Address {
		return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}}}}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      &authv3.AttributeContext_Peer{Address: address("10.1.2.3", 40000)},
		Destination: &authv3.AttributeContext_Peer{Address: address("10.9.8.7", 8080)},
		Request: &authv3.AttributeContext_Request{Time: timestamppb.New(time.Now()), Http: &authv3.AttributeContext_HttpRequest{
			Id: strconv.Itoa(i), Method: "GET", Headers: headers, Path: path, Host: host, Scheme: "http", Protocol: "HTTP/1.1"}},
		MetadataContext: &corev3.Metadata{}, RouteMetadataContext: &corev3.Metadata{},
	}}
}
