package main

import (
	"context"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

// signedCmd signs GET http://HOST/PATH for eu-west-1, sends it and waits for the answer:
// signed allow|STATUS KEY-ID SECRET HOST PATH [unbuffered | SESSION-TOKEN]. Envoy has buffered the body unless the last argument says otherwise.
// The port has TLS if $CA names the file of its authority. The KEY-ID "session" stands for credentials of a session of alice: the first one that was sealed under the key in the file SECRET.
func signedCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 5 {
		ts.Fatalf("usage: signed allow|STATUS KEY-ID SECRET HOST PATH [unbuffered | SESSION-TOKEN]")
	}
	security := insecure.NewCredentials()
	if file := ts.Getenv("CA"); file != "" {
		security = credentials.NewTLS(tlsConfig(ts, []string{file}))
	}
	conn, err := grpc.NewClient(of(ts).grpc, grpc.WithTransportCredentials(security))
	ts.Check(err)
	defer conn.Close()
	client := authv3.NewAuthorizationClient(conn)
	eventually(ts, false, "signed "+args[0], func() (bool, string) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		by := signerOf(ts, args[1], args[2])
		unbuffered := len(args) > 5 && args[5] == "unbuffered"
		if len(args) > 5 && !unbuffered {
			by.Token = args[5]
		}
		in := signedRequest(by, args[3], args[4])
		if unbuffered {
			in.Attributes.ContextExtensions = nil
		}
		out, err := client.Check(ctx, in)
		if err != nil {
			return false, err.Error()
		}
		got := answerOf(out)
		return got == args[0], got
	})
}

// signerOf returns a signer with an access key, or with a session.
func signerOf(ts *testscript.TestScript, id, secret string) sigv4test.Signer {
	s := sigv4test.Signer{KeyID: id, Secret: secret, Region: "eu-west-1", At: time.Now()}
	if id != "session" {
		return s
	}
	sealed, known := of(ts).sessions[secret]
	if !known {
		key := strings.TrimSuffix(ts.ReadFile(secret), "\n")
		ring, faults := session.NewRing([]session.RingKey{{ID: secret, Secret: key, Issues: true}}, nil)
		if len(faults) > 0 {
			ts.Fatalf("%s: %v", secret, faults)
		}
		var err error
		sealed, err = ring.Seal(&session.Session{
			User: "arn:aws:iam::111122223333:user/alice", UserID: "AIDAALICE", Issued: time.Now(), Expires: time.Now().Add(time.Hour),
		})
		ts.Check(err)
		of(ts).sessions[secret] = sealed
	}
	s.KeyID, s.Secret, s.Token = sealed.AccessKeyID, sealed.SecretAccessKey, sealed.SessionToken
	return s
}

// signedRequest is the check for a signed request whose body Envoy buffers.
func signedRequest(by sigv4test.Signer, host, path string) *authv3.CheckRequest {
	r := &authz.Request{Method: "GET", Target: path, Host: host}
	r.SetBody(nil, authz.BodyComplete)
	by.Sign(r)
	lines := &corev3.HeaderMap{}
	for name, value := range r.Headers() {
		lines.Headers = append(lines.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Host: host, Path: path, Scheme: "http", HeaderMap: lines,
		}},
		ContextExtensions: map[string]string{"portcullis.body": "buffered"},
	}}
}
