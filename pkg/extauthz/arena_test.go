package extauthz

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

// TestArena takes pieces of messages of any size, and of what is no piece of the message though it lies beside it or has another
// capacity: what comes out is what went in, whatever the buffer holds later.
func TestArena(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{0, 1, 100, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes}).Draw(t, "size")
		before, after := rapid.IntRange(0, 8).Draw(t, "before"), rapid.IntRange(0, 8).Draw(t, "after")
		buffer := make([]byte, before+size+after)
		for i := range buffer {
			buffer[i] = byte(i*7 + i>>8)
		}
		message := buffer[before : before+size]
		if rapid.Bool().Draw(t, "cut") {
			message = slices.Clip(message)
		}
		var a arena
		a.read(message)
		var got, want []string
		for range rapid.IntRange(1, 20).Draw(t, "pieces") {
			from := message
			switch rapid.IntRange(0, 3).Draw(t, "of") {
			case 0:
				from = buffer
			case 1:
				from = bytes.Clone(message)
			}
			start := rapid.IntRange(0, len(from)).Draw(t, "start")
			end := rapid.IntRange(start, len(from)).Draw(t, "end")
			piece := from[start:end]
			if rapid.IntRange(0, 3).Draw(t, "clip") == 0 {
				piece = slices.Clip(piece)
			}
			want, got = append(want, string(piece)), append(got, a.text(piece))
		}
		clear(buffer)
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// TestArenaKeepsNoMoreThanAChunk: a piece that is kept of a large message does not keep the whole message.
func TestArenaKeepsNoMoreThanAChunk(t *testing.T) {
	var a arena
	message := bytes.Repeat([]byte("x"), 1<<20)
	a.read(message)
	if a.copied != "" {
		t.Errorf("%d bytes are copied at once", len(a.copied))
	}
	a.text(message[:10])
	if n := a.chunk.Cap(); n > chunkBytes {
		t.Errorf("a chunk of %d bytes", n)
	}
}

// TestHasNoControls holds the eight bytes at a time against one at a time, at every place and with every byte.
func TestHasNoControls(t *testing.T) {
	for size := range 20 {
		for at := range size {
			for c := range 256 {
				for _, other := range []string{" ", "~", "\x80", "\xff"} {
					s := strings.Repeat(other, at) + string([]byte{byte(c)}) + strings.Repeat(other, size-at-1)
					if got, want := hasNoControls(s), c >= ' '; got != want {
						t.Fatalf("%q: %v", s, got)
					}
				}
			}
		}
	}
}

// TestIsUTF8 holds the eight bytes at a time against the standard library, with bytes that are not ASCII at every place.
func TestIsUTF8(t *testing.T) {
	for size := range 30 {
		for at := range size + 1 {
			for _, other := range []string{"", "\x00", "\x7f", "\x80", "\xff", "é", "\xc3", "€", "\xed\xa0\x80"} {
				b := []byte(strings.Repeat("a", at) + other + strings.Repeat("b", size-at))
				if got, want := isUTF8(b), utf8.Valid(b); got != want {
					t.Fatalf("%q: %v", b, got)
				}
			}
		}
	}
}

func TestIsFieldValue(t *testing.T) {
	for c := range 256 {
		for _, s := range []string{string([]byte{byte(c)}), "twelve bytes" + string([]byte{byte(c)}) + "and twelve more"} {
			if got, want := isFieldValue(s), c != 0 && c != '\r' && c != '\n'; got != want {
				t.Errorf("%q: %v", s, got)
			}
		}
	}
}

func FuzzConsumeBytes(f *testing.F) {
	for _, b := range [][]byte{nil, {0}, {1}, {1, 2}, {0x80}, {0x80, 0}, {0x80, 1}, {0x80, 0x80, 1}, {0xff, 0x7f}, bytes.Repeat([]byte{0x81, 1}, 80)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, n := consumeBytes(b)
		want, m := protowire.ConsumeBytes(b)
		if n != m || !bytes.Equal(got, want) {
			t.Fatalf("%x: %x, %d; protowire has %x, %d", b, got, n, want, m)
		}
	})
}
