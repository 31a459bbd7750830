package runner

import (
	"net"
	"sync"
	"time"
)

// maxConnections is how many connections a process may have to its Runtime API at once.
const maxConnections = 32

// guarded lets in connections of the worker's own process alone.
type guarded struct {
	net.Listener
	w      *worker
	mu     sync.Mutex
	open   int
	warned time.Time
}

// Accept waits for a connection that may come in. Others are closed unread.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		err = g.w.proc.owns(conn)
		if err == nil && g.enter() {
			return &counted{Conn: conn, leave: sync.OnceFunc(g.leave)}, nil
		}
		if err != nil {
			g.refused(err)
		}
		_ = conn.Close()
	}
}

func (g *guarded) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open >= maxConnections {
		return false
	}
	g.open++
	return true
}

func (g *guarded) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
}

// refused counts, and warns once in ten seconds.
func (g *guarded) refused(why error) {
	g.w.r.stats.refused.Add(1)
	if time.Since(g.warned) < 10*time.Second {
		return
	}
	g.warned = time.Now()
	g.w.r.log.Warn("a connection to the function's Runtime API was refused", "pid", g.w.proc.pid, "why", why)
}

// counted is a connection that leaves when it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
