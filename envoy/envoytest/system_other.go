//go:build !linux

package envoytest

import (
	"net"
	"syscall"
)

// endWithParent can tie a child to its parent on Linux only: elsewhere a test that is killed leaves it running.
func endWithParent() *syscall.SysProcAttr { return nil }

// holdPort finds a loopback port that was free a moment ago. Only Linux lets a server have a port that is held.
func holdPort() (port string, release func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	_, port, _ = net.SplitHostPort(l.Addr().String()) // a listener's own address has one
	return port, func() {}, l.Close()
}
