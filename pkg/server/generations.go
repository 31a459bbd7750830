package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
)

const (
	// renewPause lies between two generations that expiring certificates ask for: clients choose their certificates.
	renewPause = 10 * time.Second
	// handOver is how long an old server goes on before it stops: it closes a connection that it has taken and not looked at.
	handOver = 100 * time.Millisecond
)

// generations serve one port with one gRPC server after the other. gRPC has no way to send GOAWAY to the connections of one
// client, nor of all, but to stop their server: a change that may revoke clients begins another one, and the old one lets its
// checks in flight finish. No connection is refused meanwhile.
type generations struct {
	// create makes a server, and what ends its streams.
	create func() (*grpc.Server, context.CancelFunc)
	// grace is how long checks in flight on a server that has ended may take.
	grace time.Duration

	listener net.Listener

	mu      sync.Mutex
	current *generation
	ended   bool
	renewed time.Time
	waiting bool // for the pause to end
	all     sync.WaitGroup
}

// generation is one server. It is the listener that the server accepts from.
type generation struct {
	net.Listener
	server     *grpc.Server
	endStreams context.CancelFunc
	accepted   chan net.Conn
	closed     chan struct{}
	close      sync.Once
}

func (g *generations) begin() *generation {
	server, endStreams := g.create()
	n := &generation{
		Listener: g.listener, server: server, endStreams: endStreams, accepted: make(chan net.Conn), closed: make(chan struct{}),
	}
	g.all.Go(func() { _ = server.Serve(n) }) // until it is stopped
	return n
}

// serve hands each connection to the server of the moment, until the listener closes.
func (g *generations) serve(l net.Listener) error {
	g.mu.Lock()
	if g.ended {
		g.mu.Unlock()
		return l.Close()
	}
	g.listener = l
	g.current = g.begin()
	g.mu.Unlock()
	for {
		conn, err := l.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			g.hand(conn)
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.As(err, &temporary) && temporary.Temporary(): // too many open files
			time.Sleep(10 * time.Millisecond)
		default:
			return err
		}
	}
}

// hand gives a connection to the server of the moment.
func (g *generations) hand(conn net.Conn) {
	for {
		g.mu.Lock()
		n, ended := g.current, g.ended
		g.mu.Unlock()
		if ended {
			_ = conn.Close()
			return
		}
		select {
		case n.accepted <- conn:
			return
		case <-n.closed: // another one serves
		}
	}
}

// Accept implements net.Listener.
func (n *generation) Accept() (net.Conn, error) {
	select {
	case conn := <-n.accepted:
		return conn, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: the port stays open for the next server.
func (n *generation) Close() error {
	n.close.Do(func() { close(n.closed) })
	return nil
}

// renew begins another server, and ends the connections of the one before: those who may come back do at once.
func (g *generations) renew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended || g.current == nil {
		return
	}
	old := g.current
	g.current, g.renewed = g.begin(), time.Now()
	g.all.Go(func() {
		time.Sleep(handOver)
		old.end(g.grace)
	})
}

// renewForExpiry is renew, at a bounded rate.
func (g *generations) renewForExpiry() {
	g.mu.Lock()
	rest := renewPause - time.Since(g.renewed)
	if rest > 0 {
		if !g.waiting {
			g.waiting = true
			time.AfterFunc(rest, func() {
				g.mu.Lock()
				g.waiting = false
				g.mu.Unlock()
				g.renew()
			})
		}
		g.mu.Unlock()
		return
	}
	g.mu.Unlock()
	g.renew()
}

// end lets the checks in flight finish, within bounds. It is false if some had not.
func (n *generation) end(grace time.Duration) (finished bool) {
	n.endStreams()
	_ = n.Close() // never fails
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.server.GracefulStop()
	}()
	select {
	case <-done:
		return true
	case <-time.After(grace):
		n.server.Stop()
		return false
	}
}

// stop closes the port and ends all servers. It is false if checks were still in flight at the end of the grace.
func (g *generations) stop() (finished bool) {
	g.mu.Lock()
	g.ended = true
	last, l := g.current, g.listener
	g.mu.Unlock()
	if last == nil {
		return true
	}
	_ = l.Close() // a socket's file goes with it
	finished = last.end(g.grace)
	g.all.Wait()
	return finished
}
