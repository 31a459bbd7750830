package runner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// socket is the peer of a connection, as the kernel reports it.
type socket struct{ inode, uid uint32 }

// owns returns nil if the other end of a connection is the process' own.
func (p *process) owns(conn net.Conn) error {
	theirs, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return err
	}
	ours, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return err
	}
	end, err := findSocket(theirs, ours)
	if err != nil {
		return fmt.Errorf("whose it is cannot be told: %w", err)
	}
	return p.holds(end)
}

// The layout of linux/inet_diag.h: a netlink header of 16 bytes, then inet_diag_req_v2 one way and inet_diag_msg the other.
const (
	diagHeader  = 16
	diagRequest = diagHeader + 56
	diagUID     = diagHeader + 64
	diagInode   = diagHeader + 68
	diagMessage = diagHeader + 72
	diagType    = 20 // SOCK_DIAG_BY_FAMILY
)

// findSocket finds the TCP socket of this machine that is bound to the first address and connected to the second.
func findSocket(bound, connected netip.AddrPort) (socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return socket{}, err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written that could be lost
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return socket{}, err
	}
	request, err := diagQuestion(bound, connected)
	if err != nil {
		return socket{}, err
	}
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return socket{}, err
	}
	var buf [4096]byte
	n, from, err := unix.Recvfrom(fd, buf[:], 0)
	if err != nil {
		return socket{}, err
	}
	if kernel, ok := from.(*unix.SockaddrNetlink); !ok || kernel.Pid != 0 {
		return socket{}, errors.New("the answer does not come from the kernel")
	}
	return diagAnswer(buf[:n])
}

// diagQuestion asks for exactly one socket.
func diagQuestion(bound, connected netip.AddrPort) ([]byte, error) {
	if !bound.Addr().Is4() || !connected.Addr().Is4() {
		return nil, errors.New("not an IPv4 connection")
	}
	b := make([]byte, diagRequest)
	binary.NativeEndian.PutUint32(b[0:], diagRequest)
	binary.NativeEndian.PutUint16(b[4:], diagType)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	body := b[diagHeader:]
	body[0], body[1] = unix.AF_INET, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(body[4:], ^uint32(0)) // in whatever state
	binary.BigEndian.PutUint16(body[8:], bound.Port())
	binary.BigEndian.PutUint16(body[10:], connected.Port())
	copy(body[12:], bound.Addr().AsSlice())
	copy(body[28:], connected.Addr().AsSlice())
	binary.NativeEndian.PutUint64(body[48:], ^uint64(0)) // no cookie
	return b, nil
}

func diagAnswer(b []byte) (socket, error) {
	if len(b) < diagHeader+4 {
		return socket{}, errors.New("the kernel's answer is too short")
	}
	switch kind := binary.NativeEndian.Uint16(b[4:]); {
	case kind == unix.NLMSG_ERROR:
		errno := -binary.NativeEndian.Uint32(b[diagHeader:]) // it is negative on the wire
		return socket{}, fmt.Errorf("the kernel knows no such socket: %w", unix.Errno(errno))
	case kind != diagType || len(b) < diagMessage:
		return socket{}, errors.New("the kernel's answer is of another kind")
	}
	return socket{uid: binary.NativeEndian.Uint32(b[diagUID:]), inode: binary.NativeEndian.Uint32(b[diagInode:])}, nil
}
