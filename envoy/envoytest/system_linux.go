package envoytest

import (
	"net"
	"os"
	"strconv"
	"syscall"
)

// endWithParent has the kernel kill the child when the thread that started it ends.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// holdPort finds a free loopback port and keeps it until release: a socket is bound to it that does not listen. The kernel gives the port
// to nobody who asks for any, and a server that names it gets it, as often as it likes, since servers set SO_REUSEADDR too.
func holdPort() (port string, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, os.NewSyscallError("socket", err)
	}
	release = func() { _ = syscall.Close(fd) } // it has nothing to write
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		release()
		return "", nil, os.NewSyscallError("setsockopt", err)
	}
	loopback := &syscall.SockaddrInet4{Addr: [4]byte(net.IPv4(127, 0, 0, 1).To4())}
	if err := syscall.Bind(fd, loopback); err != nil {
		release()
		return "", nil, os.NewSyscallError("bind", err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		release()
		return "", nil, os.NewSyscallError("getsockname", err)
	}
	return strconv.Itoa(at.(*syscall.SockaddrInet4).Port), release, nil // an AF_INET socket has no other address
}
