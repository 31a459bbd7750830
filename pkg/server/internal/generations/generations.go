// Package generations replaces a gRPC server with another one on the same port, and refuses no connection meanwhile.
//
// gRPC can send GOAWAY to clients only by stopping their server. A change that may revoke clients therefore begins another
// server, and the old one lets its checks in flight finish.
package generations

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
)

const (
	// renewPause is the least time between two generations that expiring certificates ask for, because clients choose their certificates.
	renewPause = 10 * time.Second
	// handOver is how long an old server goes on before it stops, because it closes a connection that it has accepted and not read.
	handOver = 100 * time.Millisecond
)

// Servers serve one port with one gRPC server after the other.
type Servers struct {
	// Create returns a server, and a function that ends its streams.
	Create func() (*grpc.Server, context.CancelFunc)
	// Grace is how long checks in flight on a server that has ended may take.
	Grace time.Duration

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

func (g *Servers) begin() *generation {
	server, endStreams := g.Create()
	n := &generation{
		Listener: g.listener, server: server, endStreams: endStreams, accepted: make(chan net.Conn), closed: make(chan struct{}),
	}
	g.all.Go(func() { _ = server.Serve(n) }) // until it is stopped
	return n
}

// Serve hands each connection to the current server, until the listener closes.
func (g *Servers) Serve(l net.Listener) error {
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

// hand gives a connection to the current server.
func (g *Servers) hand(conn net.Conn) {
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

// Renew begins another server, and ends the connections of the one before. Clients that are still allowed reconnect at once.
func (g *Servers) Renew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended || g.current == nil {
		return
	}
	old := g.current
	g.current, g.renewed = g.begin(), time.Now()
	g.all.Go(func() {
		time.Sleep(handOver)
		old.end(g.Grace)
	})
}

// RenewForExpiry is Renew, at a bounded rate.
func (g *Servers) RenewForExpiry() {
	g.mu.Lock()
	rest := renewPause - time.Since(g.renewed)
	if rest > 0 {
		if !g.waiting {
			g.waiting = true
			time.AfterFunc(rest, func() {
				g.mu.Lock()
				g.waiting = false
				g.mu.Unlock()
				g.Renew()
			})
		}
		g.mu.Unlock()
		return
	}
	g.mu.Unlock()
	g.Renew()
}

// end lets the checks in flight finish, within bounds. It returns false if some did not.
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

// Stop closes the port and ends all servers. It returns false if checks were still in flight after Grace.
func (g *Servers) Stop() (finished bool) {
	g.mu.Lock()
	g.ended = true
	last, l := g.current, g.listener
	g.mu.Unlock()
	if last == nil {
		return true
	}
	_ = l.Close() // a socket's file goes with it
	finished = last.end(g.Grace)
	g.all.Wait()
	return finished
}
