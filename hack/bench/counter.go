package main

import (
	"context"
	_ "embed"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed count/count.c
var countSource []byte

// counter counts the instructions of a program that it runs under QEMU.
type counter struct{ plugin, file, qemu string }

func newCounter(ctx context.Context, dir string) (*counter, error) {
	qemu, err := exec.LookPath("qemu-x86_64")
	if err != nil {
		return nil, fmt.Errorf("-instructions needs qemu-x86_64 (Debian's package qemu-user): %w", err)
	}
	c := &counter{plugin: filepath.Join(dir, "count.so"), file: filepath.Join(dir, "count"), qemu: qemu}
	source := filepath.Join(dir, "count.c")
	if err := os.WriteFile(source, countSource, 0o600); err != nil {
		return nil, err
	}
	compile := exec.CommandContext(ctx, "gcc", "-shared", "-fPIC", "-O2", "-o", c.plugin, source)
	compile.Stderr = os.Stderr
	return c, compile.Run()
}

// command returns a command under QEMU, on one processor, so that the count is exact.
func (c *counter) command(ctx context.Context, command []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.qemu, append([]string{"-cpu", "max", "-plugin", c.plugin + ",sum=" + c.file}, command...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	return cmd
}

// read returns how many instructions the program has executed.
func (c *counter) read() (float64, error) {
	b, err := os.ReadFile(c.file)
	if err != nil {
		return 0, err
	}
	if len(b) < 8 {
		return 0, fmt.Errorf("%s: the plugin has not begun to count", c.file)
	}
	return float64(binary.LittleEndian.Uint64(b)), nil
}
