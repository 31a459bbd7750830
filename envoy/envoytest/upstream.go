package envoytest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
)

// Seen is one request as it reached the upstream, byte for byte.
type Seen struct {
	Method, Target string
	// Headers are the header lines in their order.
	Headers []string
	Body    string
	// Trailers are the lines behind a chunked body.
	Trailers []string
}

// Header returns the values of a header's lines. The name's case does not matter.
func (s Seen) Header(name string) []string {
	var values []string
	for _, line := range s.Headers {
		if n, v, _ := strings.Cut(line, ":"); strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// Upstream is a server that records the requests that reach it. It answers 200 and shows the request. Each line of the request
// header x-answer is a header line of the answer.
type Upstream struct {
	listener net.Listener
	answer   func(Seen) string

	mu     sync.Mutex
	seen   []*Seen
	others []net.Listener
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

// StartUpstream listens on a free loopback port. The answer, if there is one, makes the body of a response.
func StartUpstream(answer func(Seen) string) (*Upstream, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if answer == nil {
		answer = func(s Seen) string { return s.Method + " " + s.Target + "\n" }
	}
	u := &Upstream{listener: listener, answer: answer, conns: map[net.Conn]bool{}}
	u.wg.Go(func() { u.accept(listener) })
	return u, nil
}

// AnotherPort is a further port that leads to the upstream.
func (u *Upstream) AnotherPort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	u.mu.Lock()
	u.others = append(u.others, listener)
	u.mu.Unlock()
	u.wg.Go(func() { u.accept(listener) })
	return portOf(listener), nil
}

// Port is the port that the upstream listens on.
func (u *Upstream) Port() string { return portOf(u.listener) }

func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String()) // a listener's own address has one
	return port
}

// Take returns the requests that were seen since the last Take.
func (u *Upstream) Take() []Seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	var seen []Seen
	for _, s := range u.seen {
		seen = append(seen, *s)
	}
	u.seen = nil
	return seen
}

// Stop closes the upstream and its connections.
func (u *Upstream) Stop() {
	u.listener.Close()
	u.mu.Lock()
	for _, l := range u.others {
		l.Close()
	}
	for c := range u.conns {
		c.Close()
	}
	u.mu.Unlock()
	u.wg.Wait()
}

func (u *Upstream) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		u.conns[c] = true
		u.mu.Unlock()
		u.wg.Go(func() { u.serve(c) })
	}
}

func (u *Upstream) serve(c net.Conn) {
	defer func() {
		c.Close()
		u.mu.Lock()
		delete(u.conns, c)
		u.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	for {
		s, err := u.receive(r)
		if err != nil {
			return
		}
		body := u.answer(s)
		if s.Method == "HEAD" {
			body = ""
		}
		more := ""
		for _, line := range s.Header("x-answer") {
			more += line + "\r\n"
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n%scontent-length: %d\r\n\r\n%s", more, len(body), body); err != nil {
			return
		}
	}
}

// receive reads one request. It is seen as soon as its headers are there: a request whose body never ends has reached the
// upstream too.
func (u *Upstream) receive(r *bufio.Reader) (Seen, error) {
	head, err := readHead(r)
	if err != nil {
		return head, err
	}
	u.mu.Lock()
	u.seen = append(u.seen, &head)
	u.mu.Unlock()
	body, trailers, err := readBody(r, head)
	u.mu.Lock()
	defer u.mu.Unlock()
	head.Body, head.Trailers = body, trailers
	return head, err
}

// readHead reads the request line and the headers. It understands what Envoy sends, and nothing beyond.
func readHead(r *bufio.Reader) (Seen, error) {
	var s Seen
	line, err := readLine(r)
	if err != nil {
		return s, err
	}
	s.Method, line, _ = strings.Cut(line, " ")
	s.Target = strings.TrimSuffix(line, " HTTP/1.1")
	s.Headers, err = readLines(r)
	return s, err
}

// readLines reads up to an empty line.
func readLines(r *bufio.Reader) ([]string, error) {
	var lines []string
	for {
		line, err := readLine(r)
		if err != nil || line == "" {
			return lines, err
		}
		lines = append(lines, line)
	}
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func readBody(r *bufio.Reader, s Seen) (text string, trailers []string, err error) {
	if len(s.Header("Transfer-Encoding")) > 0 {
		body, err := io.ReadAll(httputil.NewChunkedReader(r))
		if err == nil {
			trailers, err = readLines(r)
		}
		return string(body), trailers, err
	}
	length := s.Header("Content-Length")
	if len(length) == 0 {
		return "", nil, nil
	}
	n, err := strconv.Atoi(length[0])
	if err != nil {
		return "", nil, fmt.Errorf("content-length: %w", err)
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return string(body), nil, err
}
