// Package memory sets Go's garbage collector for a server, and finds the memory that its container has.
package memory

import (
	"fmt"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// cgroups is where Linux shows control groups.
const cgroups = "/sys/fs/cgroup"

// Settings are those of the garbage collector, as GOGC and GOMEMLIMIT name them.
type Settings struct {
	// GCPercent is how much the heap may grow before it is collected; zero leaves it as it is.
	GCPercent int
	// Limit is in bytes; zero leaves it as it is.
	Limit int64
}

// InProcess returns the settings for what the configuration asks for. The environment variables GOGC and GOMEMLIMIT win over it. Without a
// limit, it is nine tenths of the container's.
func (s Settings) InProcess() Settings { return s.in(os.Getenv, container) }

// in returns the settings in an environment and a container. A check leaves some kilobytes of garbage and nothing else, so a heap that may
// grow to several times what is live is seldom collected. The limit keeps a large heap inside its container.
func (s Settings) in(environment func(string) string, container func() int64) Settings {
	if environment("GOGC") != "" {
		s.GCPercent = 0
	}
	if environment("GOMEMLIMIT") != "" {
		s.Limit = 0
	} else if s.Limit == 0 {
		s.Limit = container() / 10 * 9
	}
	return s
}

// Apply sets the collector and returns a function that restores it.
func (s Settings) Apply() (restore func()) {
	var undo []func()
	if s.GCPercent > 0 {
		before := debug.SetGCPercent(s.GCPercent)
		undo = append(undo, func() { debug.SetGCPercent(before) })
	}
	if s.Limit > 0 {
		before := debug.SetMemoryLimit(s.Limit)
		undo = append(undo, func() { debug.SetMemoryLimit(before) })
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// Available returns how much memory the process is to use, in bytes: the limit, or what the environment or its container says. It is zero if
// nothing bounds it.
func Available(limit int64) int64 {
	if s := (Settings{Limit: limit}).InProcess(); s.Limit > 0 {
		return s.Limit
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	return 0
}

// container returns the memory limit of the control group that the process is in, which is the least of those above it. It is zero if there is
// none, or none can be found.
func container() int64 {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	return limitOf(string(membership), func(name string) string {
		text, err := os.ReadFile(path.Join(cgroups, name))
		if err != nil {
			return ""
		}
		return string(text)
	})
}

// limitOf reads the limits of version 2 and, if the memory controller is still there, of version 1. In a container the
// group's own directory may be the root of what is mounted.
func limitOf(membership string, read func(name string) string) int64 {
	least := int64(math.MaxInt64)
	for line := range strings.Lines(membership) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		directory, file := "", "memory.max"
		if parts[0] != "0" || parts[1] != "" {
			if !isMemoryController(parts[1]) {
				continue
			}
			directory, file = "memory", "memory.limit_in_bytes"
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			if n, err := strconv.ParseInt(strings.TrimSpace(read(path.Join(directory, group, file))), 10, 64); err == nil && n > 0 {
				least = min(least, n)
			}
			if group == "/" {
				break
			}
		}
	}
	if least >= unlimited {
		return 0
	}
	return least
}

// unlimited is at most what version 1 shows for a group without a limit.
const unlimited = 1 << 60

func isMemoryController(list string) bool {
	for controller := range strings.SplitSeq(list, ",") {
		if controller == "memory" {
			return true
		}
	}
	return false
}

// ParseBytes reads a size as GOMEMLIMIT has it: a number, or a number with KiB, MiB or GiB.
func ParseBytes(s string) (int64, error) {
	digits, factor := s, int64(1)
	for unit, f := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if before, ok := strings.CutSuffix(s, unit); ok {
			digits, factor = before, f
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a size; write 512MiB, 2GiB or a number of bytes", s)
	}
	return n * factor, nil
}
