package cache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

const (
	defaultWait = 50 * time.Millisecond
	// maxSharedBytes bounds what is written and what is read.
	maxSharedBytes = 2 << 20
	// maxStored is how much of what is stored is asked for. Whoever can write to Redis can write half a gigabyte.
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
	seal    *sealer
	wait    time.Duration
	log     *slog.Logger
	breaker breaker

	seen seenEpochs

	mu sync.Mutex
	// flushed are what empties the first levels.
	flushed []flusher

	start sync.Once
	stop  context.CancelFunc
	done  chan struct{}

	hits, misses, refused, failures, skipped, writes, connected atomic.Uint64
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
		return nil, errors.New("there is no address: write one such as 10.0.0.5:6379")
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
	return &Shared{client: client(c), seal: seal, wait: c.Wait, log: c.Log}, nil
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
		s.stop, s.done = stop, make(chan struct{})
		go func() {
			defer close(s.done)
			s.listen(ctx)
		}()
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
	if s.done != nil {
		<-s.done
	}
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
	text, e, err := s.stored(ctx, k)
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

// stored is the text under a key, and the epochs that are valid.
func (s *Shared) stored(ctx context.Context, k Key) (string, epochs, error) {
	scopes := k.flushScopes()
	sealed := make([]*redis.StringCmd, len(scopes))
	var value *redis.StringCmd
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, scope := range scopes {
			sealed[i] = p.GetRange(ctx, s.seal.epochName(scope), 0, maxStored)
		}
		value = p.GetRange(ctx, s.seal.name(k), 0, maxStored)
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	list, known := make(epochs, len(scopes)), true
	for i, scope := range scopes {
		if list[i], err = s.epoch(ctx, scope, sealed[i].Val()); err != nil {
			return "", nil, err
		}
		known = known && list[i].created != 0
	}
	if !known {
		return value.Val(), nil, nil
	}
	return value.Val(), list, nil
}

// epoch reads a scope's epoch, and begins one where there is none.
func (s *Shared) epoch(ctx context.Context, scope [32]byte, text string) (epoch, error) {
	if text == "" {
		name, begun := s.seal.epochName(scope), s.seal.sealEpoch(scope, s.seen.next(scope))
		if err := s.client.SetNX(ctx, name, begun, 0).Err(); err != nil {
			return epoch{}, err
		}
		var err error
		if text, err = s.client.GetRange(ctx, name, 0, maxStored).Result(); err != nil {
			return epoch{}, err
		}
	}
	if e, ok := s.seal.openEpoch(scope, text); ok && s.seen.isNewest(scope, e.created) {
		return e, nil
	}
	// Somebody else has put it there, or a flush has overtaken another. Without a new one nothing would be shared any more.
	s.refused.Add(1)
	return epoch{}, s.client.Set(ctx, s.seal.epochName(scope), s.seal.sealEpoch(scope, s.seen.next(scope)), 0).Err()
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
	if err := s.client.Set(ctx, s.seal.name(k), s.seal.sealValue(k, e, value, expires), ttl).Err(); err != nil {
		s.failed("writing", err)
		return
	}
	s.breaker.succeeded()
	s.writes.Add(1)
}

// Flush makes the entries that a scope covers count no more, here and in every replica.
func (s *Shared) Flush(ctx context.Context, scope [32]byte) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	name := s.seal.epochName(scope)
	current, err := s.client.GetRange(ctx, name, 0, maxStored).Result()
	// The clock of the replica that began it may be ahead of ours.
	if e, ok := s.seal.openEpoch(scope, current); err == nil && ok {
		s.seen.isNewest(scope, e.created)
	}
	// Whatever becomes of it in Redis, what was before counts no more here.
	created := s.seen.next(scope)
	s.seen.isNewest(scope, created)
	if err == nil {
		err = s.client.Set(ctx, name, s.seal.sealEpoch(scope, created), 0).Err()
	}
	if err != nil {
		return fmt.Errorf("the shared cache cannot be reached: %s", withoutAddress(err))
	}
	if err = s.client.Publish(ctx, flushChannel, s.seal.sealFlush(scope, created)).Err(); err != nil {
		return fmt.Errorf("the other replicas cannot be told: %s", withoutAddress(err))
	}
	return nil
}

// failed notes that Redis did not answer as it should. The log gets the first failure of a row.
func (s *Shared) failed(what string, err error) {
	s.failures.Add(1)
	if s.breaker.failed(time.Now()) {
		s.log.Warn("the shared cache does not answer, the first level goes on alone", "while", what, "error", withoutAddress(err))
	}
}

// withoutAddress is the kind of an error. A server's own error text may repeat what it was sent.
func withoutAddress(err error) string {
	var server redis.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &server):
		return "the server refuses the command"
	default:
		return "no connection"
	}
}

// Samples are the numbers of the second level.
func (s *Shared) Samples() []authz.Sample {
	if s == nil {
		return nil
	}
	sample := func(name, help string, value uint64) authz.Sample {
		return authz.Sample{Name: name, Help: help, Value: float64(value)}
	}
	open := uint64(0)
	if s.breaker.open(time.Now()) {
		open = 1
	}
	return []authz.Sample{
		sample("portcullis_shared_cache_hits_total", "Answers found in the shared cache.", s.hits.Load()),
		sample("portcullis_shared_cache_misses_total", "Answers not found in the shared cache.", s.misses.Load()),
		sample("portcullis_shared_cache_refused_total", "Values in the shared cache that were not written by a replica for this key, or have expired.", s.refused.Load()),
		sample("portcullis_shared_cache_failures_total", "Times that the shared cache did not answer.", s.failures.Load()),
		sample("portcullis_shared_cache_skipped_total", "Look-ups that did not try the shared cache because it had not answered.", s.skipped.Load()),
		sample("portcullis_shared_cache_writes_total", "Answers written to the shared cache.", s.writes.Load()),
		sample("portcullis_shared_cache_connections_total", "Times that the connection by which flushes come has come up, which empties the first level.", s.connected.Load()),
		sample("portcullis_shared_cache_open", "1 while the shared cache is not tried.", open),
	}
}
