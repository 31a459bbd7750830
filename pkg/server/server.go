package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/extauthz"
	"github.com/portcullis-authz/portcullis/pkg/probe"
	"github.com/portcullis-authz/portcullis/pkg/server/internal/generations"
	"github.com/portcullis-authz/portcullis/pkg/server/memory"
	"github.com/portcullis-authz/portcullis/pkg/sts"
)

// Run serves until ctx ends, and then drains. It fails if the process cannot start: a bad configuration, a port in use.
func Run(ctx context.Context, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = c.withDefaults()
	defer memory.Settings{GCPercent: c.GCPercent, Limit: c.MemoryLimit}.InProcess().Apply()()
	p := newProcess(c)
	if err := p.bind(ctx); err != nil {
		return err
	}
	return p.run(ctx)
}

// process is everything that runs.
type process struct {
	config   Config
	metrics  *metrics
	gate     *gate
	recorder *recorder
	reloader *reloader
	tls      *certificates // nil: plain text
	draining atomic.Bool
	// badToken bounds the lines about an admin token that cannot be used.
	badToken *rate.Limiter
	// probes are the tokens of probes.
	probes probe.Tokens
	// explanations has a place for each explanation that may run.
	explanations chan struct{}

	checks *generations.Servers
	health *health.Server
	admin  *http.Server // nil: off
	sts    *sts.Server  // nil: off

	listener, adminListener, stsListener net.Listener
}

func newProcess(c Config) *process {
	p := &process{config: c, gate: newGate(c), badToken: rate.NewLimiter(rate.Every(time.Second), 1)}
	p.explanations = make(chan struct{}, maxExplanations)
	p.metrics = newMetrics(c.Version, c.Meters, p.samples, func() float64 { return float64(p.gate.inFlight.Load()) })
	p.recorder = newRecorder(c, p.metrics)
	p.sts = p.newSTS()
	p.reloader = &reloader{read: c.Load, gate: p.gate, recorder: p.recorder, metrics: p.metrics, log: c.Log, watch: c.Watch, needsSTS: p.sts != nil}
	if c.TLS.Cert != "" {
		p.tls = &certificates{files: c.TLS, metrics: p.metrics, log: c.Log}
	}
	return p
}

// samples are the gate's numbers and those of other packages.
func (p *process) samples() []authz.Sample {
	samples := append(p.gate.bodies.Samples(), p.recorder.samples()...)
	if p.sts != nil {
		samples = append(samples, p.sts.Samples()...)
	}
	if p.config.Samples != nil {
		samples = append(samples, p.config.Samples()...)
	}
	return samples
}

// bind takes the admin address and makes the servers. Nothing is left open if it fails.
func (p *process) bind(ctx context.Context) (err error) {
	if p.tls != nil {
		if _, err := p.tls.load(); err != nil {
			return err
		}
	}
	if p.config.Admin != "" {
		if p.adminListener, err = listen(ctx, "--admin", p.config.Admin); err != nil {
			return err
		}
		p.admin = p.adminServer()
	}
	p.health = health.NewServer()
	setServing(p.health, healthpb.HealthCheckResponse_NOT_SERVING)
	p.checks = p.servers(context.WithoutCancel(ctx))
	return nil
}

// servers returns the gRPC servers, one after the other, which share all but their connections.
func (p *process) servers(ctx context.Context) *generations.Servers {
	checks := extauthz.New(extauthz.Config{
		Authorizer: p.gate, Record: p.recorder.record, Trace: p.trace(), Log: p.config.Log,
		MaxMessageBytes: p.config.MaxMessageBytes, MaxReadBytes: p.config.MaxBodyBytes / 4, NeedsBodies: p.gate.needsBodies,
		Probes: &p.probes,
	})
	g := &generations.Servers{Grace: p.config.DrainTimeout}
	g.Create = func() (*grpc.Server, context.CancelFunc) {
		ctx, endStreams := context.WithCancel(ctx)
		s := grpc.NewServer(p.options(ctx, checks, g)...)
		checks.Register(s)
		healthpb.RegisterHealthServer(s, p.health)
		reflection.Register(s)
		return s, endStreams
	}
	if p.tls != nil {
		p.tls.renew = g.Renew
	}
	return g
}

// options are those of one gRPC server, whose streams end with ctx.
func (p *process) options(ctx context.Context, checks *extauthz.Server, g *generations.Servers) []grpc.ServerOption {
	keep := keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}
	if p.tls != nil {
		// Clients show their certificates again at this interval.
		keep.MaxConnectionAge, keep.MaxConnectionAgeGrace = orDefault(p.config.maxConnectionAge, maxConnectionAge), longestCheck
	}
	options := []grpc.ServerOption{
		grpc.StreamInterceptor(streams(ctx)),
		grpc.ForceServerCodecV2(checks.Codec()),
		grpc.MaxRecvMsgSize(min(4*p.config.MaxMessageBytes, maxReceived)),
		grpc.MaxConcurrentStreams(uint32(p.config.MaxStreams)), //nolint:gosec // Validate has seen it
		grpc.MaxHeaderListSize(64 << 10),
		grpc.ConnectionTimeout(10 * time.Second),
		// Workers keep their grown stacks; a check beyond them gets its own goroutine, and growing its stack costs as much as
		// the check. Checks come in bursts: a connection's reader hands out what it has read before a worker gets to run.
		grpc.NumStreamWorkers(workers(runtime.GOMAXPROCS(0))),
		// Find dead peers; let Envoy's own keepalive ping, with and without checks in flight.
		grpc.KeepaliveParams(keep),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
	if p.tls != nil {
		options = append(options, grpc.Creds(p.tls.credentials(g.RenewForExpiry)))
	}
	return options
}

// trace returns what begins the trace of a check, nil without a Tracer. The traceparent is that of Envoy's call, not of the client's
// request. Of several, none counts.
func (p *process) trace() func(context.Context) (context.Context, func(*authz.Decision)) {
	tracer := p.config.Tracer
	if tracer == nil {
		return nil
	}
	return func(ctx context.Context) (context.Context, func(*authz.Decision)) {
		var parent string
		if values := metadata.ValueFromIncomingContext(ctx, "traceparent"); len(values) == 1 {
			parent = values[0]
		}
		return tracer.Start(ctx, parent)
	}
}

// maxConnectionAge is how long a connection with TLS lasts before its client is asked to make another one.
const maxConnectionAge = 10 * time.Minute

// How many goroutines wait for checks. One holds a stack of 8 to 32 KiB.
const (
	workersPerProcessor = 64
	maxWorkers          = 512
)

// workers is how many there are on so many processors.
func workers(processors int) uint32 {
	return uint32(min(workersPerProcessor*processors, maxWorkers)) //nolint:gosec // a small number
}

// maxReceived is the size of the largest message that is received, so that a check that is too large can be denied.
const maxReceived = 32 << 20

func setServing(h *health.Server, status healthpb.HealthCheckResponse_ServingStatus) {
	h.SetServingStatus("", status)
	h.SetServingStatus(authv3.Authorization_ServiceDesc.ServiceName, status)
}

// run holds every goroutine that lives as long as the process.
func (p *process) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if p.admin != nil {
		group.Go(func() error { return ignoreStopped(p.admin.Serve(p.adminListener)) })
	}
	group.Go(func() error { <-ctx.Done(); p.drain(context.WithoutCancel(ctx)); return nil })
	err := p.start(ctx, group)
	if err != nil {
		stop()
	}
	err = errors.Join(err, group.Wait())
	p.recorder.close() //nolint:contextcheck // a reload has put its log in place by now; ctx has ended
	return err
}

// start loads the configuration, with its files watched from before they are read, and then takes the address of the checks.
func (p *process) start(ctx context.Context, group *errgroup.Group) error {
	config := p.watcher(p.reloader.files, func() { p.reloader.again(ctx) })
	config.start()
	if err := p.reloader.first(ctx); err != nil {
		config.close()
		return err
	}
	if err := errors.Join(p.serveChecks(ctx, group), p.serveSTS(ctx, group)); err != nil {
		config.close()
		return err
	}
	watchers := []*watcher{config}
	if p.tls != nil {
		files := p.watcher(p.tls.names, p.tls.again)
		files.start()
		files.kick <- struct{}{} // for what changed since bind
		watchers = append(watchers, files)
	}
	var kicks []chan struct{}
	for _, w := range watchers {
		kicks = append(kicks, w.kick)
		group.Go(func() error { w.run(ctx); return nil })
	}
	group.Go(func() error { forward(ctx, p.config.Reload, kicks); return nil })
	p.announce()
	return nil
}

// serveChecks opens the port to Envoy. A process that is told to end meanwhile has stopped the server, which closes it again.
func (p *process) serveChecks(ctx context.Context, group *errgroup.Group) (err error) {
	if p.listener, err = listen(context.WithoutCancel(ctx), "--listen", p.config.Listen); err != nil {
		return err
	}
	setServing(p.health, healthpb.HealthCheckResponse_SERVING)
	group.Go(func() error { return p.checks.Serve(p.listener) })
	return nil
}

func (p *process) watcher(files func() []string, act func()) *watcher {
	return &watcher{files: files, act: act, kick: make(chan struct{}, 1), log: p.config.Log, metrics: p.metrics}
}

func (p *process) announce() {
	if warning := openness(p.listener.Addr(), p.config.TLS); warning != "" {
		p.config.Log.Warn(warning, "address", address(p.listener))
	}
	fmt.Fprintln(p.config.Stdout, "portcullis: grpc listening on", address(p.listener))
	if p.adminListener != nil {
		fmt.Fprintln(p.config.Stdout, "portcullis: admin listening on", address(p.adminListener))
	}
	p.announceSTS()
}

// openness warns of a port whose clients are not known, or can be listened to; it is empty if there is nothing to warn of.
func openness(at net.Addr, files TLSFiles) string {
	tcp, ok := at.(*net.TCPAddr)
	switch {
	case files.ClientCA != "":
		return ""
	case files.Cert != "":
		return "anyone who reaches the gRPC port may ask for decisions: write --tls-client-ca with the CA of Envoy's certificate"
	case ok && !tcp.IP.IsLoopback():
		return "checks are served in plain text beyond this machine, and anyone who reaches the port may ask for decisions: " +
			"write --tls-cert, --tls-key and --tls-client-ca, or --listen 127.0.0.1:9001 with Envoy on this machine; in a mesh, its sidecar does this"
	default:
		return ""
	}
}

// drain ends the process in order: say that it is no longer ready, give that word time to spread, let the checks in flight
// finish, and only then stop what shows how it goes.
func (p *process) drain(ctx context.Context) {
	p.draining.Store(true)
	p.health.Shutdown()
	if p.gate.serving.Load() != nil {
		p.config.Log.Info("draining", "delay", p.config.DrainDelay.String(), "timeout", p.config.DrainTimeout.String())
		time.Sleep(p.config.DrainDelay)
	}
	var stopping sync.WaitGroup
	stopping.Go(p.stopChecks)
	p.stopSTS(ctx)
	stopping.Wait()
	if p.admin != nil {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if p.admin.Shutdown(ctx) != nil {
			_ = p.admin.Close()
		}
	}
}

// stopChecks closes the port, sends GOAWAY, and waits for the checks in flight, within bounds.
func (p *process) stopChecks() {
	if !p.checks.Stop() {
		p.config.Log.Error("checks were still in flight at the end of --drain-timeout", "checks", p.gate.inFlight.Load())
	}
}

// streams ends the streams that would outlive any drain, those that watch our health, when ctx ends.
func streams(ctx context.Context) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		bound, cancel := context.WithCancel(stream.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return handle(srv, boundStream{stream, bound})
	}
}

type boundStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s boundStream) Context() context.Context { return s.ctx }

// ignoreStopped makes nothing of a server that ended because it was told to.
func ignoreStopped(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// forward passes each signal to all watchers; one that has not yet acted on the last needs no other.
func forward(ctx context.Context, signals <-chan os.Signal, kicks []chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		for _, kick := range kicks {
			select {
			case kick <- struct{}{}:
			default:
			}
		}
	}
}
