package cache

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Bounds of what Redis may send. A cluster's slots, and its list of commands, are the longest and deepest there is.
const (
	maxReplyLine  = 64 << 10
	maxReplyItems = 32 << 10
	maxReplyDepth = 16
)

var errReply = errors.New("the reply is larger than any that was asked for")

// dialer connects as go-redis does, and bounds what comes. go-redis makes room for as much as a reply says it has, and calls
// itself for each list in a list: a server in place of Redis could end the process.
func dialer(c SharedConfig) func(context.Context, string, string) (net.Conn, error) {
	dial := redis.NewDialer(&redis.Options{DialTimeout: c.Wait, TLSConfig: c.TLS})
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		bounded := &replies{Conn: conn}
		if raw, ok := conn.(syscall.Conn); ok {
			return &rawReplies{bounded, raw}, nil
		}
		return bounded, nil
	}
}

// rawReplies lets go-redis see whether the other end has closed the connection.
type rawReplies struct {
	*replies
	syscall.Conn
}

// replies follows the replies on a connection, in the Redis serialization protocol, and breaks it off when one is too large.
type replies struct {
	net.Conn
	line []byte // the start of a line that is not all there
	text int    // bytes of a text that are still to come
	open []int  // for each list that is not closed, the items that are still to come
}

// Read implements net.Conn.
func (r *replies) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		if r.text > 0 {
			skipped := min(r.text, len(rest))
			r.text, rest = r.text-skipped, rest[skipped:]
			continue
		}
		i := bytes.IndexByte(rest, '\n')
		end := i >= 0
		if !end {
			i = len(rest) - 1
		}
		r.line = append(r.line, rest[:i+1]...)
		rest = rest[i+1:]
		if len(r.line) > maxReplyLine || end && !r.take(r.line) {
			return 0, errReply
		}
		if end {
			r.line = r.line[:0]
		}
	}
	return n, err
}

// take reads the line that a reply, or one item of a list, begins with. It is false where the reply is too large.
func (r *replies) take(line []byte) bool {
	size := 0
	switch line[0] {
	case '$', '=', '!', '*', '~', '>', '%', '|':
		var err error
		if size, err = strconv.Atoi(string(bytes.TrimRight(line[1:], "\r\n"))); err != nil || size < -1 {
			return false
		}
	}
	switch line[0] {
	case '$', '=', '!':
		if size > maxStored+1 {
			return false
		}
		if size >= 0 {
			r.text = size + len("\r\n")
		}
	case '*', '~', '>', '%', '|':
		if size > maxReplyItems || len(r.open) >= maxReplyDepth {
			return false
		}
		if line[0] == '%' || line[0] == '|' {
			size *= 2 // a key and a value
		}
		if size > 0 {
			r.open = append(r.open, size)
			return true
		}
	}
	r.closeItem()
	return true
}

// closeItem closes an item, and all lists whose last one it is.
func (r *replies) closeItem() {
	for len(r.open) > 0 {
		last := len(r.open) - 1
		if r.open[last]--; r.open[last] > 0 {
			return
		}
		r.open = r.open[:last]
	}
}
