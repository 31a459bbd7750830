package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// answer is what the client got. Status is 0 where the connection was closed without one.
type answer struct {
	status int
	header http.Header
	body   string
	// names are the header names as they were spelled.
	raw string
}

// get sends a GET request for the API's own host over HTTP/1.1.
func (s *stack) get(t *testing.T, target string, headers ...string) answer {
	t.Helper()
	return s.send(t, request("GET", target, headers...))
}

// request is a request for the API's own host as it stands on the wire.
func request(method, target string, headers ...string) string {
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: pets.example.com"}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// send writes bytes to Envoy and reads one answer.
func (s *stack) send(t *testing.T, raw string) answer {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	return exchange(t, c, raw)
}

// sendTLS does the same over TLS, with the server name of the API.
func (s *stack) sendTLS(t *testing.T, config *tls.Config, raw string) answer {
	t.Helper()
	c, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		t.Fatal(err)
	}
	return exchange(t, c, raw)
}

func exchange(t *testing.T, c net.Conn, raw string) answer {
	t.Helper()
	a, err := converse(c, raw)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// converse is exchange for other goroutines than the test's.
func converse(c net.Conn, raw string) (answer, error) {
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{}, err
	}
	if _, err := io.WriteString(c, raw); err != nil {
		return answer{}, err
	}
	var wire strings.Builder
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(c, &wire)), &http.Request{Method: method})
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return answer{}, nil
	}
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body), raw: wire.String()}, err
}

// get2 sends a GET request for the API's own host over HTTP/2.
func (s *stack) get2(t *testing.T, target string, fields ...hpack.HeaderField) answer {
	t.Helper()
	return s.send2(t, slices.Concat([]hpack.HeaderField{
		{Name: ":method", Value: "GET"},
		{Name: ":scheme", Value: "http"},
		{Name: ":authority", Value: "pets.example.com"},
		{Name: ":path", Value: target},
	}, fields))
}

// send2 writes header fields as one HTTP/2 request and reads the answer. A refused stream or connection is answer{}.
func (s *stack) send2(t *testing.T, fields []hpack.HeaderField) answer {
	t.Helper()
	return s.send2Body(t, fields, nil)
}

// send2Body does the same with a body, which fits Envoy's first window.
func (s *stack) send2Body(t *testing.T, fields []hpack.HeaderField, body []byte) answer {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	a, err := converse2(c, fields, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// converse2 is converse over HTTP/2.
func converse2(c net.Conn, fields []hpack.HeaderField, body []byte) (answer, error) {
	defer c.Close()
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(f); err != nil {
			return answer{}, err
		}
	}
	framer := http2.NewFramer(c, c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	err := c.SetDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = io.WriteString(c, http2.ClientPreface)
	}
	if err == nil {
		err = errors.Join(framer.WriteSettings(), writeHeaders(framer, []byte(block.String()), len(body) == 0))
	}
	if err == nil && len(body) > 0 {
		err = framer.WriteData(1, true, body)
	}
	if err != nil {
		return answer{}, err
	}
	return readAnswer2(framer)
}

// writeHeaders writes a block of headers in frames of the size that every server takes.
func writeHeaders(framer *http2.Framer, block []byte, endStream bool) error {
	const size = 16 << 10
	first := block[:min(size, len(block))]
	block = block[len(first):]
	err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: endStream, EndHeaders: len(block) == 0})
	for len(block) > 0 {
		next := block[:min(size, len(block))]
		block = block[len(next):]
		err = errors.Join(err, framer.WriteContinuation(1, len(block) == 0, next))
	}
	return err
}

func readAnswer2(framer *http2.Framer) (answer, error) {
	a := answer{header: http.Header{}}
	for {
		frame, err := framer.ReadFrame()
		if errors.Is(err, io.EOF) {
			return answer{}, nil
		}
		if err != nil {
			return answer{}, err
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range f.RegularFields() {
				a.header.Add(h.Name, h.Value)
			}
			if a.status, err = strconv.Atoi(f.PseudoValue("status")); err != nil {
				return answer{}, err
			}
		case *http2.DataFrame:
			a.body += string(f.Data())
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return answer{}, nil
		}
		if frame.Header().StreamID == 1 && frame.Header().Flags.Has(http2.FlagDataEndStream) {
			return a, nil
		}
	}
}

// allowed fails unless the answer is the upstream's and the upstream saw exactly one request, which it returns.
func (s *stack) allowed(t *testing.T, a answer) envoytest.Seen {
	t.Helper()
	seen := s.upstream.Take()
	if a.status != 200 || len(seen) != 1 {
		t.Fatalf("status %d, body %q, and the upstream saw %d requests: want 200 and one", a.status, a.body, len(seen))
	}
	return seen[0]
}

// denied fails unless the answer has the status and the upstream saw nothing.
func (s *stack) denied(t *testing.T, a answer, status int) {
	t.Helper()
	if seen := s.upstream.Take(); len(seen) != 0 {
		t.Errorf("the upstream saw %+v", seen)
	}
	if a.status != status {
		t.Fatalf("status %d, body %q: want %d", a.status, a.body, status)
	}
}
