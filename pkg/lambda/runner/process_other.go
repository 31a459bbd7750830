//go:build !linux

package runner

import (
	"errors"
	"net"
)

// process cannot be had here.
type process struct {
	pid    int
	exited chan struct{}
}

var errSystem = errors.New("functions run on Linux alone: give the function a url, or run portcullis on Linux")

func supported() error               { return errSystem }
func asRoot(*User) bool              { return false }
func restrictThread() error          { return errSystem }
func (*process) owns(net.Conn) error { return errSystem }
func (*process) hasExited() bool     { return true }
func (*process) status() string      { return "" }
func (*process) terminate()          {}
func (*process) kill()               {}
func (*process) memory() int64       { return 0 }

// Harden does nothing on this system.
func Harden() error { return nil }

func startProcess(string, *Config, []string, string, *output) (*process, error) {
	return nil, errSystem
}
