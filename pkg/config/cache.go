package config

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

const maxSharedWait = time.Second

// memory reads how answers are shared and gets the cache for them.
func (c *compiler) memory(m *configv1.Cache, at *fault.Place) {
	var config *cache.SharedConfig
	if m.GetRedis() != nil {
		before := c.Count()
		config = c.redis(m.GetRedis(), at.Field("redis"))
		if c.Count() > before {
			config = nil
		}
	}
	if err := c.lease.Remember(config, c.digestOfRedis(config, m.GetRedis())); err != nil {
		c.Faults(at.Field("redis"), err)
		if err := c.lease.Remember(nil, [32]byte{}); err != nil {
			panic(err) // the size is a constant
		}
	}
}

// digestOfRedis returns the same digest for equal configurations whose secrets and certificate files are equal.
func (c *compiler) digestOfRedis(s *cache.SharedConfig, m *configv1.Redis) [32]byte {
	if s == nil {
		return [32]byte{}
	}
	parts := []any{m, s.Key, s.Password, s.SentinelPassword}
	for _, file := range []string{m.GetTls().GetCaFile(), m.GetTls().GetCertFile(), m.GetTls().GetKeyFile()} {
		if name := c.Relative(file); file != "" {
			data, _ := c.Files.Read(name, reader.MaxNamedSize) // already read
			parts = append(parts, data)
		}
	}
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return sha256.Sum256(text)
}

func (c *compiler) redis(m *configv1.Redis, at *fault.Place) *cache.SharedConfig {
	s := &cache.SharedConfig{
		Addresses: m.GetAddresses(), Cluster: m.GetCluster(), Master: m.GetSentinelMaster(), Database: int(m.GetDatabase()),
		Username: m.GetUsername(), Password: c.Secret(m.GetPassword(), at.Field("password")),
		SentinelUsername: m.GetSentinelUsername(), SentinelPassword: c.Secret(m.GetSentinelPassword(), at.Field("sentinelPassword")),
		Wait: c.Duration(m.GetWait(), at.Field("wait"), reader.Span{Least: time.Millisecond, Most: maxSharedWait}, 0),
		TLS:  c.redisTLS(m.GetTls(), at.Field("tls")),
	}
	key, err := hex.DecodeString(c.Secret(m.GetKey(), at.Field("key")))
	if err != nil || len(key) != 32 {
		c.IfNew(at.Field("key"), "key must be 32 bytes, as 64 hexadecimal digits: create it with openssl rand -hex 32")
	}
	s.Key = key
	return s
}

func (c *compiler) redisTLS(m *configv1.RedisTls, at *fault.Place) *tls.Config {
	if m == nil {
		return nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: m.GetServerName()}
	if ca := c.OptionalFile(m.GetCaFile(), at.Field("caFile")); ca != nil {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(ca) {
			c.IfNew(at.Field("caFile"), "caFile must hold certificates in PEM")
		}
	}
	cert, key := c.OptionalFile(m.GetCertFile(), at.Field("certFile")), c.OptionalFile(m.GetKeyFile(), at.Field("keyFile"))
	if (cert == nil) != (key == nil) {
		c.IfNew(at, "certFile and keyFile must be set together")
	}
	if cert != nil && key != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			c.IfNew(at, "certFile and keyFile must hold a certificate and its private key in PEM")
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t
}

// gatherCache reads the files that the cache names.
func (c *compiler) gatherCache() {
	redis := c.Doc.Root().Field("cache").Field("redis")
	c.GatherNamed(redis.Field("tls"), "caFile", "certFile", "keyFile")
	for _, secret := range []string{"password", "sentinelPassword", "key"} {
		c.GatherFile(redis.Field(secret), reader.MaxSecretSize)
	}
}
