package main

import (
	"context"
	"net"
	"net/http"
	"time"
)

const (
	function = "arn:aws:lambda:us-east-1:111122223333:function:bench"
	answer   = `{"principalId":"bench","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke",` +
		`"Resource":"arn:aws:execute-api:us-east-1:111122223333:*/prod/GET/orders/*"}]},"context":{"tenant":"bench","level":7}}`
)

// serveFunction serves an authorizer's function that allows the checks, until ctx ends, and returns its URL.
func serveFunction(ctx context.Context) (string, error) {
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answer))
	})}
	go func() { _ = server.Serve(lis) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return "http://" + lis.Addr().String(), nil
}
