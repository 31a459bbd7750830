package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// explanations are the denials of the tour that portcullis explains, and a text that the explanation must contain.
var explanations = []struct {
	why, want string
	args      []string
}{
	{why: "Why is /partners denied? The running portcullis names the statement, its condition and what the request has for the key.",
		args: []string{"http://pets.example.com/partners"}, want: "NotIpAddress aws:SourceIp (the request has: 127.0.0.1)"},
	{why: "Why may alice not write orders? The explanation takes her as the signer, and names the ARN that no statement allows.",
		args: []string{"--as", "arn:aws:iam::111122223333:user/alice", "-X", "PUT", "http://pets.example.com/orders/7"}, want: "Allow execute-api:Invoke on arn:aws:execute-api:"},
}

// explain prints the explanations and returns how many were unexpected.
func (d *demo) explain(ctx context.Context) (surprises int) {
	for _, e := range explanations {
		args := append([]string{"explain", "--against", d.portcullis.Admin, "--admin-token-file", filepath.Join(d.dir, "admin-token")}, e.args...)
		fmt.Printf("\n    %s\n    $ portcullis %s\n", e.why, quoted(args))
		out, err := exec.CommandContext(ctx, d.bin, args...).CombinedOutput()
		fmt.Printf("    %s\n", strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "\n    "))
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), e.want) {
			surprises++
			fmt.Printf("    EXPECTED an explanation with %q, and the exit code 1\n", e.want)
		}
	}
	return surprises
}
