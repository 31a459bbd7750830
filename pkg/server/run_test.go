package server

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/health" // client side health checking
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

func TestAdminFlush(t *testing.T) {
	const token = "0123456789abcdef-token"
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, token+"\n")
	var flushed []string
	config := Config{AdminTokenFile: file, Load: func() (Loaded, error) {
		return Loaded{Authorizer: allowAs("v1"), Digest: "1", Flush: func(_ context.Context, api, stage, authorizer string) (bool, error) {
			flushed = append(flushed, api+"/"+stage+"/"+authorizer)
			if stage == "gone" {
				return true, errors.New("the others cannot be told")
			}
			return api == "a1", nil
		}}, nil
	}}
	r := serve(t, config)
	const path = "/restapis/a1/stages/prod/cache/authorizers"
	request := func(r *running, method, path, authorization string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.admin+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", authorization)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	for _, refused := range []string{"", "Bearer", "Bearer ", "Bearer x", "Basic " + token, token, "Bearer " + token + "x", "bearer" + token, "Bearer " + token[:20]} {
		if got := request(r, "DELETE", path, refused); got != 401 {
			t.Errorf("%q: %d", refused, got)
		}
	}
	if len(flushed) != 0 {
		t.Errorf("flushed without the token: %q", flushed)
	}
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"DELETE", path, 202},
		{"DELETE", "/v2/apis/a1/stages/$default/cache/authorizers?authorizer=partners", 204},
		{"DELETE", "/restapis/b2/stages/prod/cache/authorizers", 404},
		{"DELETE", "/restapis/a1/stages/gone/cache/authorizers", 502},
		{"GET", path, 405}, {"POST", path, 405},
	} {
		if got := request(r, tt.method, tt.path, "Bearer "+token); got != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, got, tt.status)
		}
	}
	if want := []string{"a1/prod/", "a1/$default/partners", "b2/prod/", "a1/gone/"}; !slices.Equal(flushed, want) {
		t.Errorf("flushed %q, want %q", flushed, want)
	}
	for _, short := range []string{"", "short"} {
		write(t, file, short)
		if got := request(r, "DELETE", path, "Bearer "+short); got != 401 {
			t.Errorf("the token %q: %d", short, got)
		}
	}
	config.AdminTokenFile = ""
	if got := request(serve(t, config), "DELETE", path, "Bearer "); got != 401 {
		t.Errorf("without a token file: %d", got)
	}
}

func TestServe(t *testing.T) {
	r := serve(t, Config{Load: loads(allowAs("v1"))})
	if got := check(t, r.client()); got != "v1" {
		t.Errorf("answer %s", got)
	}
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/healthz", 200, "alive\n"}, {"/readyz", 200, "ready\n"}, {"/metrics", 200, ""}, {"/", 404, ""},
	} {
		if status, body := r.get(c.path); status != c.status || c.body != "" && body != c.body {
			t.Errorf("%s: %d %s", c.path, status, body)
		}
	}
	for _, line := range []string{
		`portcullis_checks_total{decision="allow",reason="no_policy"} 1`,
		`portcullis_check_duration_seconds_count 1`,
		`portcullis_checks_in_flight 0`,
		`portcullis_reloads_total{result="loaded"} 1`,
		`portcullis_config_last_reload_successful 1`,
		`portcullis_config_info{digest="d1"} 1`,
		`portcullis_config_apis 1`,
		`portcullis_config_routes 2`,
	} {
		r.metric(line)
	}
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
		got, err := healthpb.NewHealthClient(r.dial()).Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", service, got, err)
		}
	}
	if err := r.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestReflectionListsTheService(t *testing.T) {
	r := serve(t, Config{Load: loads(allowAs("v1"))})
	stream, err := reflectionpb.NewServerReflectionClient(r.dial()).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil || !strings.Contains(got.String(), "envoy.service.auth.v3.Authorization") {
		t.Errorf("%v, %v", got, err)
	}
	_ = stream.CloseSend()
}

func TestValidateNamesEverything(t *testing.T) {
	err := Run(t.Context(), Config{TLS: TLSFiles{Cert: "x", ClientCA: "y"}, MaxChecks: -1, MaxMessageBytes: 1 << 20, MaxBodyBytes: 1<<20 - 1, DecisionLog: "some", DecisionLogSample: 2})
	if err == nil {
		t.Fatal("runs")
	}
	for _, want := range []string{"loads", "--listen", "--tls-cert and --tls-key", "--max-checks", "--max-body-bytes", "--decision-log:", "--decision-log-sample"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func TestOverloadIsDenied(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	r := serve(t, Config{MaxChecks: 2, Load: loads(func(context.Context, *authz.Request) authz.Decision {
		entered <- struct{}{}
		<-release
		return allowAs("v1")(nil, nil)
	})})
	client := r.client()
	var held sync.WaitGroup
	for range 2 {
		held.Go(func() {
			if got := check(t, client); got != "v1" {
				t.Errorf("a check within the bound: %s", got)
			}
		})
	}
	<-entered
	<-entered
	if got := check(t, client); got != "503" {
		t.Errorf("a check beyond the bound: %s", got)
	}
	r.metric(`portcullis_checks_in_flight 2`)
	close(release)
	held.Wait()
	r.metric(`portcullis_checks_total{decision="deny",reason="overload"} 1`)
	if got := check(t, client); got != "v1" {
		t.Errorf("afterwards: %s", got)
	}
}

// withBody is a check with a body of so many bytes.
func withBody(n int) *authv3.CheckRequest {
	in := checkRequest()
	in.Attributes.Request.Http.RawBody = make([]byte, n)
	return in
}

// answerTo asks about a request.
func answerTo(t *testing.T, client authv3.AuthorizationClient, in *authv3.CheckRequest) string {
	t.Helper()
	out, err := client.Check(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return answer(out)
}

// A check that is too large is denied, and does not end as an error, of which Envoy may have been told to let it pass.
func TestALargeMessageIsDenied(t *testing.T) {
	r := serve(t, Config{MaxMessageBytes: 10_000, Load: loads(allowAs("v1"))})
	for n, want := range map[int]string{9000: "v1", 10_000: "413", 39_000: "413"} {
		if got := answerTo(t, r.client(), withBody(n)); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
	if out, err := r.client().Check(t.Context(), withBody(50_000)); err == nil && out.GetStatus().GetCode() == 0 {
		t.Error("more than is read is allowed")
	}
	r.metric(`portcullis_checks_total{decision="deny",reason="request_too_large"} 2`)
}

// A check has room for what the configuration looks at: headers and metadata, and a body of 10 MiB if signatures are verified.
func TestTheConfigurationBoundsMessages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "portcullis.yaml")
	write(t, file, "without")
	r := serve(t, Config{Watch: []string{file}, Load: func() (Loaded, error) {
		l, err := loadsFile(file)()
		l.NeedsBodies = l.Digest == "bodies"
		return l, err
	}})
	const mib = 1 << 20
	client := r.client()
	for n, want := range map[int]string{mib - 1000: "without", mib: "413", 15 * mib: "413"} {
		if got := answerTo(t, client, withBody(n)); got != want {
			t.Errorf("%d bytes without a route that needs bodies: %s, want %s", n, got, want)
		}
	}
	write(t, file, "bodies")
	eventually(t, "bodies are needed", func() bool { return check(t, client) == "bodies" })
	for n, want := range map[int]string{10 * mib: "bodies", 11 * mib: "413", 15 * mib: "413"} {
		if got := answerTo(t, client, withBody(n)); got != want {
			t.Errorf("%d bytes with one: %s, want %s", n, got, want)
		}
	}
	if log := r.log.String(); !strings.Contains(log, "reason=request_too_large") {
		t.Errorf("the log does not say why: %s", log)
	}
}

func TestWorkersAreBounded(t *testing.T) {
	for processors, want := range map[int]uint32{1: 64, 8: 512, 9: 512, 256: 512} {
		if got := workers(processors); got != want {
			t.Errorf("%d workers on %d processors, want %d", got, processors, want)
		}
	}
}

// TestTheDeadlineIsKept has an authorizer that allows only after Envoy has given up.
var canceledChecks = regexp.MustCompile(`portcullis_checks_total\{decision="deny",reason="canceled"\} [1-9]`)

func TestTheDeadlineIsKept(t *testing.T) {
	var begun atomic.Int64
	r := serve(t, Config{Load: loads(func(ctx context.Context, _ *authz.Request) authz.Decision {
		begun.Add(1)
		<-ctx.Done()
		return allowAs("late")(nil, nil)
	})})
	for wait := 30 * time.Millisecond; begun.Load() == 0; wait *= 2 { // on a busy machine the time may be over before the check begins
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		if out, err := r.client().Check(ctx, checkRequest()); err == nil && out.GetStatus().GetCode() == 0 {
			t.Error("allowed after the deadline")
		}
		cancel()
	}
	eventually(t, "the check is recorded as a denial", func() bool {
		_, body := r.get("/metrics")
		return canceledChecks.MatchString(body)
	})
}

// rawCodec sends bytes as they are.
type rawCodec struct{ encoding.CodecV2 }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func TestAnUndecodableMessageIsDenied(t *testing.T) {
	r := serve(t, Config{Load: loads(allowAs("v1"))})
	out := &authv3.CheckResponse{}
	codec := rawCodec{encoding.GetCodecV2("proto")}
	if err := r.dial().Invoke(t.Context(), authv3.Authorization_Check_FullMethodName, []byte("no protobuf"), out, grpc.ForceCodecV2(codec)); err != nil {
		t.Fatal(err)
	}
	if got := answer(out); got != "400" {
		t.Errorf("answer %s", got)
	}
	r.metric(`portcullis_checks_total{decision="deny",reason="undecodable"} 1`)
	if got := check(t, r.client()); got != "v1" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestDrainUnderLoad restarts one of two instances, as a rolling update does: no check fails.
func TestDrainUnderLoad(t *testing.T) {
	slow := func(context.Context, *authz.Request) authz.Decision {
		time.Sleep(time.Millisecond)
		return allowAs("v1")(nil, nil)
	}
	old, other := serve(t, Config{Load: loads(slow), DrainDelay: 50 * time.Millisecond}), serve(t, Config{Load: loads(slow)})
	addresses := manual.NewBuilderWithScheme("instances")
	addresses.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: old.grpc}, {Addr: other.grpc}}})
	conn, err := grpc.NewClient("instances:///", grpc.WithResolvers(addresses), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}],"healthCheckConfig":{"serviceName":""}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := authv3.NewAuthorizationClient(conn)
	var load sync.WaitGroup
	var asked, failed atomic.Int64
	ctx, end := context.WithCancel(t.Context())
	for range 16 {
		load.Go(func() {
			for ctx.Err() == nil {
				out, err := client.Check(context.Background(), checkRequest())
				if asked.Add(1); err != nil || answer(out) != "v1" {
					failed.Add(1)
					t.Logf("failed: %v %v", out, err)
				}
			}
		})
	}
	eventually(t, "load on both", func() bool { return asked.Load() > 500 })
	if err := old.stop(); err != nil {
		t.Error(err)
	}
	before := asked.Load()
	eventually(t, "load on the other", func() bool { return asked.Load() > before+500 })
	end()
	load.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d of %d checks failed", failed.Load(), asked.Load())
	}
	if text := old.log.String(); strings.Contains(text, "still in flight") {
		t.Errorf("the drain ran into its timeout: %s", text)
	}
}

// TestDrainFinishesWhatIsInFlight looks at a process that drains while one check is at work.
func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	r := serve(t, Config{DrainDelay: 300 * time.Millisecond, Load: loads(func(context.Context, *authz.Request) authz.Decision {
		close(entered)
		<-release
		return allowAs("v1")(nil, nil)
	})})
	client, health := r.client(), healthpb.NewHealthClient(r.dial())
	got := make(chan string, 1)
	go func() { got <- check(t, client) }()
	<-entered
	r.cancel()
	eventually(t, "not ready", func() bool { status, body := r.get("/readyz"); return status == 503 && body == "draining\n" })
	if got, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v, %v", got, err)
	}
	time.AfterFunc(400*time.Millisecond, func() { close(release) }) // after the grace, in GracefulStop
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if a := <-got; a != "v1" {
		t.Errorf("the check in flight: %s", a)
	}
	if !strings.Contains(r.log.String(), "msg=decision v=1 decision=allow") {
		t.Error("its decision is not in the log")
	}
}

// TestWatchersOfHealthDoNotHoldUpTheDrain has a client that would watch without end.
func TestWatchersOfHealthDoNotHoldUpTheDrain(t *testing.T) {
	r := serve(t, Config{Load: loads(allowAs("v1")), DrainDelay: 50 * time.Millisecond})
	stream, err := healthpb.NewHealthClient(r.dial()).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := stream.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("health: %v, %v", got, err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if got, err := stream.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v, %v", got, err)
	}
	if strings.Contains(r.log.String(), "still in flight") {
		t.Errorf("the drain ran into its timeout: %s", r.log)
	}
}

func TestDrainIsBounded(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	r := serve(t, Config{DrainTimeout: 50 * time.Millisecond, Load: loads(func(context.Context, *authz.Request) authz.Decision {
		close(entered)
		<-release
		return authz.Decision{}
	})})
	client := r.client()
	failed := make(chan error, 1)
	go func() { _, err := client.Check(t.Context(), checkRequest()); failed <- err }()
	<-entered
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("a check was answered that never ended")
	}
	if !strings.Contains(r.log.String(), "still in flight") {
		t.Error("the log does not say so")
	}
	close(release)
}
