package envoytest

import (
	"net"
	"testing"
)

// A port that is held is a server's as often as it likes, and nobody's who asks for any.
func TestHoldPort(t *testing.T) {
	t.Parallel()
	port, release, err := holdPort()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if another, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			another.Close()
			t.Error("two servers have the port")
		}
		l.Close()
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			t.Error("a port that is only held takes connections")
		}
	}
}
