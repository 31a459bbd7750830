package cache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"golang.org/x/time/rate"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

const (
	defaultWait = 50 * time.Millisecond
	// maxSharedBytes bounds what is written and what is read.
	maxSharedBytes = 2 << 20
	// maxStored is the most that is read of a stored value. Anyone who can write to Redis can write half a gigabyte.
	maxStored = maxSharedBytes + 1024
	namespace = "portcullis:"
)

// SharedConfig says where the second level is.
type SharedConfig struct {
	// Addresses are host:port: one server's, some of a cluster's, or those of the sentinels.
	Addresses []string
	// Cluster says that the addresses are a cluster's, Master that they are those of sentinels which know it by this name.
	Cluster bool
	Master  string
	// Username, Password, SentinelUsername and SentinelPassword authenticate us; empty for nothing.
	Username, Password, SentinelUsername, SentinelPassword string
	// Database is the number of the database; a cluster has only 0.
	Database int
	// TLS secures the connections; nil for plain text.
	TLS *tls.Config
	// Key seals what is stored: 32 bytes, the same for all that share.
	Key []byte
	// Wait bounds what one look-up may cost; 0 stands for 50 ms.
	Wait time.Duration
	// Log gets what goes wrong, at a bounded rate; nil for nothing.
	Log *slog.Logger
}

// Shared is a second level of caches in Redis or Valkey, which replicas share. It is not trusted: who can write to it can make
// us miss, and no more. It may be slow or gone: then the first level goes on alone.
type Shared struct {
	client  redis.UniversalClient
	cluster bool
	seal    *sealer
	wait    time.Duration
	log     *slog.Logger
	breaker breaker

	seen  seenEpochs
	heard heard
	doubt doubt
	// warnings bounds the lines about flushes that do not open.
	warnings *rate.Limiter

	mu sync.Mutex
	// flushed are the functions that empty the first levels.
	flushed []flusher
	// marker is the last message about a flush that Redis has shown; nil before the first.
	marker *string

	// sight is when Redis was last asked for flushes, or the first level was emptied because it could not be, in nanoseconds.
	sight atomic.Int64
	// blindness says why Redis cannot be asked for flushes, and deafness why their messages do not come; nil while all is well.
	blindness, deafness atomic.Pointer[string]

	start   sync.Once
	stop    context.CancelFunc
	running sync.WaitGroup

	hits, misses, refused, failures, skipped, writes, connected, deaf, foreign, emptied, calls atomic.Uint64
	// calling is the time that the calls took together, in nanoseconds.
	calling atomic.Int64

	subscribed atomic.Bool
	// renew says that the epoch of everything is to be begun anew.
	renew atomic.Bool
}

// flusher is the first level of a cache.
type flusher interface {
	Flush(scope [32]byte)
	FlushAll()
}

// NewShared makes a second level. It connects when it is first used.
func NewShared(c SharedConfig) (*Shared, error) {
	switch {
	case len(c.Addresses) == 0:
		return nil, errors.New("the address is missing; write one such as 10.0.0.5:6379")
	case len(c.Addresses) > 1 && !c.Cluster && c.Master == "":
		return nil, errors.New("there are several addresses: write cluster: true, or the name of the sentinels' master")
	case c.Cluster && c.Master != "":
		return nil, errors.New("it is either a cluster or a master of sentinels: write one")
	case c.Cluster && c.Database != 0:
		return nil, errors.New("a cluster has database 0 only")
	case c.Database < 0:
		return nil, errors.New("the database is a number from 0 on")
	case c.Username != "" && c.Password == "", c.SentinelUsername != "" && c.SentinelPassword == "":
		return nil, errors.New("a user name alone is not sent: write its password too, or remove it")
	case c.Master == "" && (c.SentinelUsername != "" || c.SentinelPassword != ""):
		return nil, errors.New("there is no master of sentinels whom a user name or password is for: write sentinelMaster, or username and password for the server itself")
	}
	for _, address := range c.Addresses {
		if err := checkAddress(address); err != nil {
			return nil, err
		}
	}
	seal, err := newSealer(c.Key)
	if err != nil {
		return nil, err
	}
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Shared{
		client: client(c), cluster: c.Cluster, seal: seal, wait: c.Wait, log: c.Log,
		doubt: newDoubt(), warnings: rate.NewLimiter(rate.Every(time.Minute), 1),
	}, nil
}

// checkAddress refuses what could never be connected to. The address of a URL may hold a password, and is not repeated.
func checkAddress(address string) error {
	if strings.Contains(address, "://") {
		return errors.New("an address is a URL: write host:port alone, such as 10.0.0.5:6379, " +
			"and beside it what else the URL says: username, password, database, and tls: {} for rediss")
	}
	host, port, err := net.SplitHostPort(address)
	number, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numberErr != nil || number == 0 || host == "" || strings.ContainsAny(host, "/@ ") {
		return errors.New("an address is not host:port: write one such as 10.0.0.5:6379 or [fd00::5]:6379")
	}
	return nil
}

// silent keeps go-redis, which has one logger for a process, from writing past our log.
var silent = sync.OnceFunc(logging.Disable)

func client(c SharedConfig) redis.UniversalClient {
	silent()
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: c.Addresses, IsClusterMode: c.Cluster, MasterName: c.Master, DB: c.Database,
		Username: c.Username, Password: c.Password, SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword,
		TLSConfig: c.TLS, Dialer: dialer(c),
		// A try that fails is a miss; the caller's time bounds everything.
		MaxRetries: -1, ContextTimeoutEnabled: true,
		DialTimeout: c.Wait, ReadTimeout: c.Wait, WriteTimeout: c.Wait, PoolTimeout: c.Wait,
		PoolSize: 32, MaxActiveConns: 64, ConnMaxIdleTime: 5 * time.Minute,
		DisableIdentity: true,
	})
}

// Start listens for flushes of other replicas, until Close: of ctx only the values are used. Starting twice is starting once.
func (s *Shared) Start(ctx context.Context) {
	s.start.Do(func() {
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		s.stop = stop
		s.sight.Store(time.Now().UnixNano())
		s.running.Go(func() {
			s.look(ctx) // before messages come: it knows none of them
			s.running.Go(func() { s.listen(ctx) })
			s.watch(ctx)
		})
	})
}

// Close ends the connections.
func (s *Shared) Close() {
	if s == nil {
		return
	}
	if s.stop != nil {
		s.stop()
	}
	if err := s.client.Close(); err != nil {
		s.log.Warn("closing the shared cache", "error", err.Error())
	}
	s.running.Wait()
}

// read returns what is stored under a key, and the epochs that were valid before: what is made now is written under them.
// Without epochs nothing is written.
func (s *Shared) read(ctx context.Context, k Key) (value []byte, expires time.Time, e epochs) {
	if !s.breaker.allow(time.Now()) {
		s.skipped.Add(1)
		return nil, time.Time{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	ctx, end := s.called(ctx, "read")
	text, e, err := s.stored(ctx, k)
	end(err)
	if err != nil {
		s.failed("reading", err)
		return nil, time.Time{}, nil
	}
	s.breaker.succeeded()
	if text == "" || e == nil {
		s.misses.Add(1)
		return nil, time.Time{}, e
	}
	value, expires, ok := s.seal.openValue(k, e, text)
	if !ok || !time.Now().Before(expires) {
		s.refused.Add(1)
		return nil, time.Time{}, e
	}
	s.hits.Add(1)
	return value, expires, e
}

// called counts and times a read or a write.
func (s *Shared) called(ctx context.Context, what string) (_ context.Context, end func(error)) {
	ctx, endCall := authz.StartCall(ctx, authz.CallRedis, what)
	begun := time.Now()
	return ctx, func(err error) {
		s.calls.Add(1)
		s.calling.Add(int64(time.Since(begun)))
		if err != nil {
			endCall("failed")
			return
		}
		endCall("answered")
	}
}

// stored is the text under a key, and the epochs that are valid.
func (s *Shared) stored(ctx context.Context, k Key) (string, epochs, error) {
	scopes := append([][32]byte{everything}, k.flushScopes()...)
	r, err := s.ask(ctx, scopes, s.seal.name(k))
	if err != nil {
		return "", nil, err
	}
	list, known := make(epochs, len(scopes)), s.saw(r.marker)
	for i, scope := range scopes {
		if list[i], err = s.epoch(ctx, scope, r.run, r.epochs[i]); err != nil {
			return "", nil, err
		}
		known = known && list[i].created != 0
	}
	if !known {
		return r.value, nil, nil
	}
	return r.value, list, nil
}

// epoch is a scope's epoch as the server has shown it in a run. Where none counts one is begun, and is valid from the next time
// on: somebody else may have been faster.
func (s *Shared) epoch(ctx context.Context, scope [32]byte, r run, text string) (epoch, error) {
	if text == "" {
		e := newEpoch(s.seen.next(scope), r)
		begun, err := s.client.SetNX(ctx, s.seal.epochName(scope), s.seal.sealEpoch(scope, e), 0).Result()
		if err != nil || !begun {
			return epoch{}, err
		}
		s.seen.isNewest(scope, e.created)
		return e, nil
	}
	before := s.seen.known(scope)
	if e, ok := s.seal.openEpoch(scope, text); ok && e.run == r && s.seen.isNewest(scope, e.created) {
		if before != 0 && e.created > before {
			s.flush(scope) // a flush that no message has told of
		}
		return e, nil
	}
	// Somebody else has put it there, a flush has overtaken another, or the server has started since, perhaps from what it had
	// before a flush. Without a new one nothing would be shared any more.
	s.refused.Add(1)
	e := newEpoch(s.seen.next(scope), r)
	s.seen.isNewest(scope, e.created)
	return epoch{}, s.client.Set(ctx, s.seal.epochName(scope), s.seal.sealEpoch(scope, e), 0).Err()
}

// write stores a value until it expires, under the epochs that were valid before it was made.
func (s *Shared) write(ctx context.Context, k Key, e epochs, value []byte, expires time.Time) {
	now := time.Now()
	ttl := expires.Sub(now)
	if e == nil || ttl < time.Millisecond || len(value) > maxSharedBytes || !s.breaker.allow(now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	ctx, end := s.called(ctx, "write")
	err := s.client.Set(ctx, s.seal.name(k), s.seal.sealValue(k, e, value, expires), ttl).Err()
	end(err)
	if err != nil {
		s.failed("writing", err)
		return
	}
	s.breaker.succeeded()
	s.writes.Add(1)
}

// flushTime bounds each step of a flush.
const flushTime = time.Second

// Flush makes the entries that a scope covers count no more, here and in every replica. Each step is tried whatever became of
// the one before, and when the caller has left, too: half a flush is better than none, and is an error.
func (s *Shared) Flush(ctx context.Context, scope [32]byte) error {
	ctx = context.WithoutCancel(ctx)
	e := s.nextEpoch(ctx, scope)
	message := s.seal.sealFlush(scope, e.created)
	s.heard.add(message)
	if err := s.replace(ctx, scope, e); err != nil {
		_ = s.tell(ctx, message) // the first error says more
		return fmt.Errorf("the shared cache cannot be reached: %s", withoutAddress(err))
	}
	if err := s.tell(ctx, message); err != nil {
		return fmt.Errorf("the other replicas cannot be told: %s", withoutAddress(err))
	}
	return nil
}

// nextEpoch is one that is later than any that Redis shows, or has shown. From here on nothing before it counts here, whatever
// becomes of it in Redis. Without an answer its run is none, and the first who reads it begins another one.
func (s *Shared) nextEpoch(ctx context.Context, scope [32]byte) epoch {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	r, _ := s.ask(ctx, [][32]byte{scope}, "")
	for _, text := range r.epochs {
		// The clock of the replica that began it may be ahead of this process's.
		if e, ok := s.seal.openEpoch(scope, text); ok {
			s.seen.isNewest(scope, e.created)
		}
	}
	e := newEpoch(s.seen.next(scope), r.run)
	s.seen.isNewest(scope, e.created)
	return e
}

// replace writes over whatever lies in an epoch's place.
func (s *Shared) replace(ctx context.Context, scope [32]byte, e epoch) error {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	return s.client.Set(ctx, s.seal.epochName(scope), s.seal.sealEpoch(scope, e), 0).Err()
}

// tell leaves a message for the replicas that look, and sends it to those that listen.
func (s *Shared) tell(ctx context.Context, message string) error {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, markerName, message, 0)
		p.Publish(ctx, flushChannel, message)
		return nil
	})
	return err
}

// failed notes that Redis did not answer as it should. The log gets the first failure of a row.
func (s *Shared) failed(what string, err error) {
	s.failures.Add(1)
	if s.breaker.failed(time.Now()) {
		s.log.Warn("the shared cache does not answer, the first level goes on alone", "while", what, "error", withoutAddress(err))
	}
}

// Trouble says why flushes of other replicas may come late, a line each; none while all is well.
func (s *Shared) Trouble() (lines []string) {
	if s == nil {
		return nil
	}
	if why := s.blindness.Load(); why != nil {
		lines = append(lines, "the shared cache cannot be asked for flushes, what is remembered counts for at most "+longestBlind.String()+": "+*why)
	}
	if why := s.deafness.Load(); why != nil {
		lines = append(lines, "no message tells of flushes of other replicas, they are asked for every "+lookEvery.String()+": "+*why)
	}
	return lines
}

// Samples are the numbers of the second level.
func (s *Shared) Samples() []authz.Sample {
	if s == nil {
		return nil
	}
	sample := func(name, help string, value uint64) authz.Sample {
		return authz.Sample{Name: name, Help: help, Value: float64(value)}
	}
	one := func(is bool) uint64 {
		if is {
			return 1
		}
		return 0
	}
	return []authz.Sample{
		sample("portcullis_shared_cache_hits_total", "Answers found in the shared cache.", s.hits.Load()),
		sample("portcullis_shared_cache_misses_total", "Answers not found in the shared cache.", s.misses.Load()),
		sample("portcullis_shared_cache_calls_total", "Reads and writes that the shared cache was asked for.", s.calls.Load()),
		{
			Name: "portcullis_shared_cache_call_seconds_total", Help: "The time that those reads and writes took together.",
			Value: time.Duration(s.calling.Load()).Seconds(),
		},
		sample("portcullis_shared_cache_refused_total", "Values in the shared cache that were not written by a replica for this key, or have expired.", s.refused.Load()),
		sample("portcullis_shared_cache_failures_total", "Times that the shared cache did not answer.", s.failures.Load()),
		sample("portcullis_shared_cache_skipped_total", "Look-ups that did not try the shared cache because it had not answered.", s.skipped.Load()),
		sample("portcullis_shared_cache_writes_total", "Answers written to the shared cache.", s.writes.Load()),
		sample("portcullis_shared_cache_connections_total", "Times that the connection by which flushes come has come up, which empties the first level.", s.connected.Load()),
		sample("portcullis_shared_cache_subscribed", "1 while messages tell of the flushes of other replicas.", one(s.subscribed.Load())),
		sample("portcullis_shared_cache_subscribe_failures_total", "Times that the connection by which flushes come was refused or lost.", s.deaf.Load()),
		sample("portcullis_shared_cache_blind", "1 while the shared cache cannot be asked for flushes, and what is remembered counts for a short time only.", one(s.blindness.Load() != nil)),
		sample("portcullis_shared_cache_foreign_flushes_total", "Flushes that do not open: another sealing key, or somebody else's writing.", s.foreign.Load()),
		sample("portcullis_shared_cache_emptied_total", "Times that everything was forgotten because it is unknown what was flushed.", s.emptied.Load()),
		sample("portcullis_shared_cache_open", "1 while the shared cache is not tried.", one(s.breaker.open(time.Now()))),
	}
}
