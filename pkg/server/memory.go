package server

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

// memorySettings are the garbage collector's, as GOGC and GOMEMLIMIT name them.
type memorySettings struct {
	gcPercent int
	// limit is in bytes; zero leaves it as it is.
	limit int64
}

// memorySettings are what c asks for, unless the environment says something else. A check leaves some kilobytes of garbage
// and nothing behind, so that a heap that may grow to several times what is live is collected seldom; the limit keeps a large one
// inside its container.
func (c *Config) memorySettings(environment func(string) string, container func() int64) memorySettings {
	s := memorySettings{gcPercent: c.GCPercent, limit: c.MemoryLimit}
	if environment("GOGC") != "" {
		s.gcPercent = 0
	}
	if environment("GOMEMLIMIT") != "" {
		s.limit = 0
	} else if s.limit == 0 {
		s.limit = container() / 10 * 9
	}
	return s
}

// apply sets the collector and returns what puts it back.
func (s memorySettings) apply() (restore func()) {
	var undo []func()
	if s.gcPercent > 0 {
		before := debug.SetGCPercent(s.gcPercent)
		undo = append(undo, func() { debug.SetGCPercent(before) })
	}
	if s.limit > 0 {
		before := debug.SetMemoryLimit(s.limit)
		undo = append(undo, func() { debug.SetMemoryLimit(before) })
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// Memory is how much the process is to use, in bytes: what c or the environment says, or what its container has; zero where nothing
// bounds it.
func (c *Config) Memory() int64 {
	if s := c.memorySettings(os.Getenv, containerMemory); s.limit > 0 {
		return s.limit
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	return 0
}

// containerMemory is the memory limit of the control group that the process is in, the least on the way up; zero where there is
// none, or none can be found.
func containerMemory() int64 {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	return cgroupMemory(string(membership), func(name string) string {
		text, err := os.ReadFile(path.Join(cgroups, name))
		if err != nil {
			return ""
		}
		return string(text)
	})
}

// cgroupMemory reads the limits of version 2 and, where the memory controller is still there, of version 1. In a container the
// group's own directory may be the root of what is mounted.
func cgroupMemory(membership string, read func(name string) string) int64 {
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

// unlimited is what version 1 says, or a little less, without a limit.
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
