package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

const (
	// maxDescendants bounds how many processes below one are looked at.
	maxDescendants = 4096
	maxEnviron     = 256 << 10
)

// descendants lists the processes below one.
func descendants(pid int) []int {
	var found []int
	for next := []int{pid}; len(next) > 0 && len(found) < maxDescendants; next = next[1:] {
		children := childrenOf(next[0])
		found = append(found, children...)
		next = append(next, children...)
	}
	return found
}

func childrenOf(pid int) []int {
	task := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := readNames(task)
	if err != nil {
		return nil
	}
	var found []int
	for _, thread := range threads {
		list, err := os.ReadFile(task + "/" + thread + "/children")
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(list)) {
			if child, err := strconv.Atoi(field); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// withAddress lists the processes that were started with this address of a Runtime API.
func withAddress(address string) []int {
	names, err := readNames("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err == nil && pid != os.Getpid() && hasAddress(pid, address) {
			found = append(found, pid)
		}
	}
	return found
}

func hasAddress(pid int, address string) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // nothing was written
	env, err := io.ReadAll(io.LimitReader(f, maxEnviron))
	return err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+apiVariable+"="+address+"\x00"))
}

// residentBytes is a process' memory, or 0 if it is gone.
func residentBytes(pid int) int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// hasSocket says whether a process has the socket open.
func hasSocket(pid int, inode uint32) (bool, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := readNames(dir)
	if err != nil {
		return false, err
	}
	want := fmt.Sprintf("socket:[%d]", inode)
	for _, file := range files {
		link, err := os.Readlink(dir + "/" + file)
		if errors.Is(err, os.ErrPermission) {
			return false, err
		}
		if err == nil && link == want {
			return true, nil
		}
	}
	return false, nil
}

func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	return f.Readdirnames(-1)
}
