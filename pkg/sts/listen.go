package sts

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

// Limits of connections. A client that sends slowly holds one of them and, once its headers are read, a place among the calls.
const (
	maxConnections = 1024
	maxHeaderBytes = 32 << 10
	headerTime     = 5 * time.Second
	requestTime    = 10 * time.Second
	answerTime     = requestTime + callTime + 5*time.Second
	idleTime       = 15 * time.Second
)

func newConnections() *bulkhead.Tree {
	return bulkhead.New(bulkhead.Shares{Name: "sts_connections", Levels: []string{"peer"}, Limit: maxConnections})
}

func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler: s, ErrorLog: slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug), ReadHeaderTimeout: headerTime, ReadTimeout: requestTime,
		WriteTimeout: answerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeaderBytes,
	}
}

// Serve serves calls on a listener until Shutdown. A nil TLS configuration means plain text. HTTP/1.1 is all that SDKs need of STS.
func (s *Server) Serve(l net.Listener, t *tls.Config) error {
	l = &boundListener{l, s.connections}
	if t != nil {
		l = tls.NewListener(l, t)
	}
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown closes the listener and lets calls at work finish until ctx ends. It reports whether they have.
func (s *Server) Shutdown(ctx context.Context) bool {
	if s.http.Shutdown(ctx) == nil {
		return true
	}
	_ = s.http.Close()
	return false
}

// boundListener closes a connection at once that is beyond the limit, or beyond the share of its peer.
type boundListener struct {
	net.Listener
	connections *bulkhead.Tree
}

// Accept implements net.Listener.
func (l *boundListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
		if err != nil {
			host = "" // a unix socket
		}
		if place, ok := l.connections.Enter(1, bulkhead.NewID("peer", host)); ok {
			return &boundConn{Conn: conn, place: place}, nil
		}
		_ = conn.Close()
	}
}

type boundConn struct {
	net.Conn
	place bulkhead.Place
	once  sync.Once
}

// Close implements net.Conn.
func (c *boundConn) Close() error {
	c.once.Do(c.place.Leave)
	return c.Conn.Close()
}
