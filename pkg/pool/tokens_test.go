package pool

import "testing"

func TestTokenBytes(t *testing.T) {
	for memory, want := range map[int64]int64{
		0: maxTokenBytes, -1: maxTokenBytes, 1 << 20: minTokenBytes, 256 << 20: 64 << 20, 1 << 30: 256 << 20, 1 << 40: maxTokenBytes,
	} {
		if got := tokenBytes(memory); got != want {
			t.Errorf("of %d bytes %d, want %d", memory, got, want)
		}
	}
}
