package memory

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMemorySettings(t *testing.T) {
	container := func() int64 { return 1000 }
	none := func() int64 { return 0 }
	for _, c := range []struct {
		name        string
		asked       Settings
		environment map[string]string
		container   func() int64
		want        Settings
	}{
		{"defaults", Settings{GCPercent: 400}, nil, none, Settings{GCPercent: 400}},
		{"in a container", Settings{GCPercent: 400}, nil, container, Settings{GCPercent: 400, Limit: 900}},
		{"asked for", Settings{GCPercent: 50, Limit: 2000}, nil, container, Settings{GCPercent: 50, Limit: 2000}},
		{"GOGC", Settings{GCPercent: 50}, map[string]string{"GOGC": "off"}, container, Settings{Limit: 900}},
		{"GOMEMLIMIT", Settings{GCPercent: 400, Limit: 2000}, map[string]string{"GOMEMLIMIT": "1GiB"}, container, Settings{GCPercent: 400}},
	} {
		got := c.asked.in(func(name string) string { return c.environment[name] }, c.container)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestMemorySettingsAreAppliedAndPutBack(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer debug.SetGCPercent(percent)
	restore := Settings{GCPercent: 300, Limit: 1 << 40}.Apply()
	if got := debug.SetGCPercent(300); got != 300 {
		t.Errorf("the collector's percent is %d", got)
	}
	if got := debug.SetMemoryLimit(-1); got != 1<<40 {
		t.Errorf("the limit is %d", got)
	}
	restore()
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("afterwards the collector's percent is %d", got)
	}
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("afterwards the limit is %d, and was %d", got, limit)
	}
}

func TestMemory(t *testing.T) {
	before := debug.SetMemoryLimit(1 << 41)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "2TiB") // as the runtime has read it when the process began
	if got := Available(1 << 30); got != 1<<41 {
		t.Errorf("with GOMEMLIMIT %d", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	if got := Available(1 << 30); got != 1<<30 {
		t.Errorf("with a limit of its own %d", got)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	if got, want := Available(0), container()/10*9; got != want {
		t.Errorf("without a limit %d, the container's being %d", got, want)
	}
}

func TestCgroupMemory(t *testing.T) {
	for _, c := range []struct {
		name, membership string
		files            map[string]string
		want             int64
	}{
		{"version 2, as a container sees it", "0::/\n", map[string]string{"/memory.max": "536870912\n"}, 536870912},
		{"version 2, the least on the way up", "0::/pods/a\n", map[string]string{"/pods/a/memory.max": "max\n", "/pods/memory.max": "300\n", "/memory.max": "400\n"}, 300},
		{"version 2, no limit", "0::/pods\n", map[string]string{"/pods/memory.max": "max\n"}, 0},
		{"version 1", "4:cpu,memory:/pods/a\n0::/\n", map[string]string{"memory/pods/a/memory.limit_in_bytes": "200\n"}, 200},
		{"version 1, as a container sees it", "4:memory:/docker/0123\n", map[string]string{"memory/memory.limit_in_bytes": "100\n"}, 100},
		{"version 1, no limit", "4:memory:/\n", map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"another controller", "4:cpu:/\n", map[string]string{"memory/memory.limit_in_bytes": "100\n"}, 0},
		{"a path that climbs", "0::/../../etc\n", map[string]string{"/etc/memory.max": "7\n", "/memory.max": "8\n"}, 7},
		{"no number, no line", "x\n0::/\n", map[string]string{"/memory.max": "many"}, 0},
		{"nothing", "", nil, 0},
	} {
		if got := limitOf(c.membership, func(name string) string { return c.files[name] }); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "512MiB": 512 << 20, "2GiB": 2 << 30, "64KiB": 64 << 10} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1MB", "1.5GiB", "1 GiB", "9223372036854775807KiB"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	if n := container(); n < 0 || n == math.MaxInt64 {
		t.Errorf("the container has %d bytes", n)
	}
}
