//go:build !linux

package e2e

import (
	"os/exec"
	"testing"
)

// ownNetwork skips the test: a command can have a network of its own on Linux only.
func ownNetwork(t *testing.T, _ *exec.Cmd) {
	t.Skip("the READMEs' commands run in a network of their own, which needs Linux")
}

// endGroup does nothing: no command runs here.
func endGroup(*exec.Cmd) {}
