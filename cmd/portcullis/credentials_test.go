package main

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// printedKeys reads what a credential_process has printed to a file into $KEY, $SECRET and $SESSION: printed FILE
func printedKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: printed FILE")
	}
	var c struct {
		Version                                   int
		AccessKeyID                               string `json:"AccessKeyId"`
		SecretAccessKey, SessionToken, Expiration string
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &c))
	expires, err := time.Parse(time.RFC3339, c.Expiration)
	ts.Check(err)
	if left := time.Until(expires); c.Version != 1 || left < 10*time.Minute || left > time.Hour || slices.Contains([]string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken}, "") {
		ts.Fatalf("%s has no credentials of at most an hour", args[0])
	}
	ts.Setenv("KEY", c.AccessKeyID)
	ts.Setenv("SECRET", c.SecretAccessKey)
	ts.Setenv("SESSION", c.SessionToken)
}
