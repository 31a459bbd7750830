package config

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

const (
	// maxAnswerBytes bounds what is remembered of authorizers' answers: at some 16 KiB each, the last 8,000 or so.
	maxAnswerBytes = 128 << 20
	maxSharedWait  = time.Second
)

// answers is the memory for authorizers' answers, and how many configurations hold it. It outlives them: a reload that shares
// by the same Redis, or by none as before, forgets nothing.
type answers struct {
	cache   *cache.Cache[*lambda.Answer]
	shared  *cache.Shared // nil without Redis
	digest  [32]byte
	holders int
}

// memories are the memories for answers of a process, by the Redis that they are shared by.
type memories struct {
	log *slog.Logger
	// remembers says that configurations are to serve; to look at one takes no memory.
	remembers bool
	// flights bounds what is made for all memories together.
	flights *bulkhead.Tree

	mu    sync.Mutex
	known map[[32]byte]*answers
}

// heldAnswers is one configuration's share in a memory.
type heldAnswers struct {
	*answers
	all  *memories
	once sync.Once
}

// use returns the memory that is shared by a Redis; by none if the configuration is nil. It is held until Close.
func (m *memories) use(c *cache.SharedConfig, digest [32]byte) (*heldAnswers, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.known[digest]
	if a == nil {
		var err error
		if a, err = m.create(c); err != nil {
			return nil, err
		}
		a.digest = digest
		if m.known == nil {
			m.known = map[[32]byte]*answers{}
		}
		m.known[digest] = a
	}
	a.holders++
	return &heldAnswers{answers: a, all: m}, nil
}

func (m *memories) create(c *cache.SharedConfig) (*answers, error) {
	a := &answers{}
	if c != nil {
		withLog := *c
		withLog.Log = m.log
		var err error
		if a.shared, err = cache.NewShared(withLog); err != nil {
			return nil, err
		}
	}
	if !m.remembers {
		return a, nil
	}
	first, err := cache.New[*lambda.Answer](cache.Config{Name: "answers", MaxBytes: maxAnswerBytes, Flights: m.flights})
	if err != nil {
		a.shared.Close()
		return nil, err
	}
	a.cache = first
	if a.shared != nil {
		first.Share(a.shared)
	}
	return a, nil
}

// Start listens for the flushes of other replicas.
func (h *heldAnswers) Start(ctx context.Context) {
	if h.shared != nil {
		h.shared.Start(ctx)
	}
}

// WaitReady returns at once: Redis is not needed for any answer.
func (h *heldAnswers) WaitReady(context.Context) error { return nil }

// Close gives the share back. A memory that nobody holds is forgotten.
func (h *heldAnswers) Close() {
	h.once.Do(func() {
		h.all.mu.Lock()
		defer h.all.mu.Unlock()
		if h.holders--; h.holders == 0 && h.all.known[h.digest] == h.answers {
			delete(h.all.known, h.digest)
			h.end()
		}
	})
}

func (a *answers) end() {
	a.shared.Close()
	a.cache.Close()
}

func (m *memories) closeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.known {
		a.end()
	}
	m.known = nil
}

// samples are the numbers of the memory that serves: of two, while a configuration retires, that which more hold.
func (m *memories) samples() []authz.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	var serving *answers
	for _, a := range m.known {
		if serving == nil || a.holders > serving.holders {
			serving = a
		}
	}
	if serving == nil {
		return nil
	}
	return append(serving.cache.Samples(), serving.shared.Samples()...)
}

// memory reads how answers are shared, and takes the memory for them.
func (c *compiler) memory(m *configv1.Cache, at *path) {
	var config *cache.SharedConfig
	if m.GetRedis() != nil {
		before := len(c.report.faults)
		config = c.redis(m.GetRedis(), at.field("redis"))
		if len(c.report.faults) > before {
			config = nil
		}
	}
	held, err := c.runtime.memories.use(config, c.digestOfRedis(config, m.GetRedis()))
	if err != nil {
		c.faults(at.field("redis"), err)
		held, err = c.runtime.memories.use(nil, [32]byte{})
		if err != nil {
			panic(err) // a memory of a fixed size
		}
	}
	c.answers = held
	c.resources = append(c.resources, held)
}

// digestOfRedis is equal for equal configurations, with equal secrets and certificates in their files.
func (c *compiler) digestOfRedis(s *cache.SharedConfig, m *configv1.Redis) [32]byte {
	if s == nil {
		return [32]byte{}
	}
	parts := []any{m, s.Key, s.Password, s.SentinelPassword}
	for _, file := range []string{m.GetTls().GetCaFile(), m.GetTls().GetCertFile(), m.GetTls().GetKeyFile()} {
		if name := c.relative(file); file != "" {
			data, _ := c.files.read(name, maxNamedSize) // read before
			parts = append(parts, data)
		}
	}
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // texts and numbers
	}
	return sha256.Sum256(text)
}

func (c *compiler) redis(m *configv1.Redis, at *path) *cache.SharedConfig {
	s := &cache.SharedConfig{
		Addresses: m.GetAddresses(), Cluster: m.GetCluster(), Master: m.GetSentinelMaster(), Database: int(m.GetDatabase()),
		Username: m.GetUsername(), Password: c.secret(m.GetPassword(), at.field("password")),
		SentinelUsername: m.GetSentinelUsername(), SentinelPassword: c.secret(m.GetSentinelPassword(), at.field("sentinelPassword")),
		Wait: c.duration(m.GetWait(), at.field("wait"), span{time.Millisecond, maxSharedWait}, 0),
		TLS:  c.redisTLS(m.GetTls(), at.field("tls")),
	}
	key, err := hex.DecodeString(c.secret(m.GetKey(), at.field("key")))
	if err != nil || len(key) != 32 {
		c.ifNew(at.field("key"), "key must be 32 bytes, as 64 hexadecimal digits: openssl rand -hex 32 prints such a key")
	}
	s.Key = key
	return s
}

func (c *compiler) redisTLS(m *configv1.RedisTls, at *path) *tls.Config {
	if m == nil {
		return nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: m.GetServerName()}
	if ca := c.optionalFile(m.GetCaFile(), at.field("caFile")); ca != nil {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(ca) {
			c.ifNew(at.field("caFile"), "caFile must hold certificates in PEM")
		}
	}
	cert, key := c.optionalFile(m.GetCertFile(), at.field("certFile")), c.optionalFile(m.GetKeyFile(), at.field("keyFile"))
	if (cert == nil) != (key == nil) {
		c.ifNew(at, "certFile and keyFile belong together")
	}
	if cert != nil && key != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			c.ifNew(at, "certFile and keyFile must hold a certificate and its private key in PEM")
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t
}

// gatherCache reads the files that the cache names.
func (c *compiler) gatherCache() {
	redis := child(child(c.root, "cache"), "redis")
	c.gatherNamed(child(redis, "tls"), "caFile", "certFile", "keyFile")
	for _, secret := range []string{"password", "sentinelPassword", "key"} {
		c.gatherFile(child(redis, secret), maxSecretSize)
	}
}

// flushable is an authorizer whose answers are remembered.
type flushable struct {
	api  *gateway.API
	name string
}

// Flush makes the remembered answers for a stage of an API count no more, here and in the replicas that share them: those of
// one Lambda authorizer, or of all if its name is empty. Answers are covered, too, that were remembered while the authorizer was
// configured otherwise. found says that there are such authorizers.
func (s *Snapshot) Flush(ctx context.Context, api, stage, authorizer string) (found bool, err error) {
	found = slices.ContainsFunc(s.flushable, func(f flushable) bool {
		return f.api.ID == api && (authorizer == "" || f.name == authorizer) && f.api.HasStage(stage)
	})
	if !found {
		return false, nil
	}
	if err := s.answers.cache.FlushShared(ctx, lambda.FlushScope(api, stage, authorizer)); err != nil {
		return true, fmt.Errorf("the answers are flushed here, and not in the other replicas: %w", err)
	}
	return true, nil
}
