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
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	inFlight    = 32
	connections = 2 // as Envoy: one a worker thread
	ticks       = 100
)

type measurement struct {
	cpuMicros float64
	rssMiB    float64
}

// measure starts one server, warms it up, and reads what its process used for the checks.
func measure(ctx context.Context, t target, checks int) (measurement, error) {
	cmd := exec.CommandContext(ctx, t.command[0], t.command[1:]...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return measurement{}, err
	}
	if err := cmd.Start(); err != nil {
		return measurement{}, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	address, err := grpcAddress(bufio.NewScanner(out))
	if err != nil {
		return measurement{}, err
	}
	if err := load(ctx, address, t.host, checks/5); err != nil {
		return measurement{}, err
	}
	before, err := cpuTicks(cmd.Process.Pid)
	if err != nil {
		return measurement{}, err
	}
	if err := load(ctx, address, t.host, checks); err != nil {
		return measurement{}, err
	}
	after, err := cpuTicks(cmd.Process.Pid)
	if err != nil {
		return measurement{}, err
	}
	rss, err := rssMiB(cmd.Process.Pid)
	return measurement{cpuMicros: float64(after-before) * 1e6 / ticks / float64(checks), rssMiB: rss}, err
}

func grpcAddress(lines *bufio.Scanner) (string, error) {
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "portcullis: grpc listening on "); ok {
			return address, nil
		}
	}
	return "", errors.New("the server ended before it listened")
}

// load sends the checks and insists that each is allowed: a server that denies measures something else.
func load(ctx context.Context, address, host string, checks int) error {
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
			for i := worker; i < checks; i += inFlight {
				answer, err := client.Check(ctx, request(host, i), grpc.WaitForReady(true))
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

// request has the shape of what Envoy 1.40 sends for a browser's request: some 25 headers in the map.
func request(host string, i int) *authv3.CheckRequest {
	path := fmt.Sprintf("/orders/v1/customers/%06d/items?limit=20&order=asc", i%64)
	headers := map[string]string{
		":authority": host, ":method": "GET", ":path": path, ":scheme": "http",
		"accept": "application/json, text/plain, */*", "accept-encoding": "gzip, deflate, br", "accept-language": "en-GB,en;q=0.9",
		"cache-control": "no-cache", "content-type": "application/json", "cookie": "session=0123456789abcdef0123456789abcdef; theme=dark",
		"origin": "https://app.bench.example.com", "referer": "https://app.bench.example.com/orders",
		"sec-ch-ua": `"Chromium";v="140", "Not=A?Brand";v="24"`, "sec-ch-ua-mobile": "?0", "sec-ch-ua-platform": `"Linux"`,
		"sec-fetch-dest": "empty", "sec-fetch-mode": "cors", "sec-fetch-site": "same-site",
		"user-agent":    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"traceparent":   fmt.Sprintf("00-0af7651916cd43dd8448eb21%08x-b7ad6b7169203331-01", i),
		"x-api-version": "2026-01-01", "x-forwarded-proto": "http", "x-forwarded-for": "10.1.2.3",
		"x-request-id": fmt.Sprintf("0d5c1b9e-3f0a-4e5b-8a1a-%012d", i),
	}
	address := func(ip string, port uint32) *corev3.Address {
		return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}}}}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      &authv3.AttributeContext_Peer{Address: address("10.1.2.3", 40000)},
		Destination: &authv3.AttributeContext_Peer{Address: address("10.9.8.7", 8080)},
		Request: &authv3.AttributeContext_Request{Time: timestamppb.New(time.Now()), Http: &authv3.AttributeContext_HttpRequest{
			Id: strconv.Itoa(i), Method: "GET", Headers: headers, Path: path, Host: host, Scheme: "http", Protocol: "HTTP/1.1"}},
		MetadataContext: &corev3.Metadata{}, RouteMetadataContext: &corev3.Metadata{},
	}}
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
