package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/rogpeppe/go-internal/testscript"
)

// bootstrap is a function's program: the test binary itself, called by this name. It is an authorizer of HTTP APIs.
func bootstrap() {
	lambda.Start(func(_ context.Context, event struct{ IdentitySource []string }) (map[string]bool, error) {
		switch event.IdentitySource[0] {
		case "unauthorized":
			return nil, errors.New("Unauthorized")
		case "crash":
			os.Exit(1)
		}
		return map[string]bool{"isAuthorized": event.IdentitySource[0] == "open-sesame"}, nil
	})
}

// functionCmd puts the program of a function into a file: function FILE
func functionCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: function FILE")
	}
	self, err := os.Executable()
	ts.Check(err)
	ts.Check(os.Symlink(self, ts.MkAbs(args[0])))
}

// flushCmd sends a DELETE to the admin port: flush PATH STATUS [TOKEN]
func flushCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: flush PATH STATUS [TOKEN]")
	}
	req, err := http.NewRequest(http.MethodDelete, "http://"+of(ts).admin+args[0], http.NoBody)
	ts.Check(err)
	if len(args) > 2 {
		req.Header.Set("Authorization", "Bearer "+args[2])
	}
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if got := strconv.Itoa(resp.StatusCode); got != args[1] {
		ts.Fatalf("status %s, want %s\n%s", got, args[1], of(ts).end())
	}
}
