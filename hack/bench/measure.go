package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	inFlight    = 32
	connections = 2 // one for each worker thread, as in Envoy
	ticks       = 100
	warmUp      = 5 // one check before the round for so many in it
)

type measurement struct {
	cpuMicros float64
	rssMiB    float64
	// instructions is zero if they were not counted.
	instructions float64
}

// measure starts one server, warms it up, and measures its process during the checks.
func measure(ctx context.Context, t target, checks int, c *counter) (m measurement, err error) {
	cmd := exec.CommandContext(ctx, t.command[0], t.command[1:]...)
	if c != nil {
		cmd = c.command(ctx, t.command)
	}
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return m, err
	}
	if err := cmd.Start(); err != nil {
		return m, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	address, err := grpcAddress(bufio.NewScanner(out))
	if err != nil {
		return m, err
	}
	request, err := t.requests()
	if err != nil {
		return m, err
	}
	warm := t.warm
	if warm == 0 {
		warm = checks / warmUp
	}
	if err := load(ctx, address, request, checks, checks+warm); err != nil {
		return m, err
	}
	before, err := used(cmd.Process.Pid, c)
	if err != nil {
		return m, err
	}
	if err := load(ctx, address, request, 0, checks); err != nil {
		return m, err
	}
	after, err := used(cmd.Process.Pid, c)
	m.cpuMicros = (after.cpuMicros - before.cpuMicros) / float64(checks)
	m.instructions = (after.instructions - before.instructions) / float64(checks)
	m.rssMiB = after.rssMiB
	return m, err
}

// used returns the resources that a process has used.
func used(pid int, c *counter) (measurement, error) {
	ticked, err := cpuTicks(pid)
	if err != nil {
		return measurement{}, err
	}
	m := measurement{cpuMicros: float64(ticked) * 1e6 / ticks}
	if c != nil {
		if m.instructions, err = c.read(); err != nil {
			return m, err
		}
	}
	m.rssMiB, err = rssMiB(pid)
	return m, err
}

func grpcAddress(lines *bufio.Scanner) (string, error) {
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "portcullis: grpc listening on "); ok {
			return address, nil
		}
	}
	return "", errors.New("the server ended before it listened")
}

// load sends a range of checks and requires that each is allowed, because a denial would cost less.
func load(ctx context.Context, address string, request func(i int) *authv3.CheckRequest, from, to int) error {
	var clients []authv3.AuthorizationClient
	for range connections {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer conn.Close()
		clients = append(clients, authv3.NewAuthorizationClient(conn))
	}
	group, ctx := errgroup.WithContext(ctx)
	for worker := range inFlight {
		client := clients[worker%connections]
		group.Go(func() error {
			for i := from + worker; i < to; i += inFlight {
				answer, err := client.Check(ctx, request(i), grpc.WaitForReady(true))
				if err != nil {
					return err
				}
				if answer.GetStatus().GetCode() != 0 {
					return fmt.Errorf("a check was denied: %v", answer.GetDeniedResponse())
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// cpuTicks is utime+stime of all threads, in hundredths of a second (proc(5); USER_HZ is 100 on Linux).
func cpuTicks(pid int) (int, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("/proc stat has another form")
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return user + system, err
}

func rssMiB(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, errors.New("/proc status has no VmRSS")
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	return kib / 1024, err
}
