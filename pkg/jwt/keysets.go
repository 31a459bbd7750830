package jwt

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

// KeySets are the key sets of a process. They outlive configurations: a reload that names a source again finds its keys there.
type KeySets struct {
	logger *slog.Logger
	// waiting has a place for each request that waits for a key.
	waiting *bulkhead.Tree

	mu      sync.Mutex
	sets    map[[32]byte]*keySet
	issuers map[string]int // how many sets each has
	fetches map[fetchCount]uint64
	// fetching is the time that the fetches of an issuer took together.
	fetching map[string]time.Duration
	closed   bool
	running  sync.WaitGroup
}

type fetchCount struct{ issuer, result string }

// NewKeySets makes a registry without sets. A nil logger stands for slog's default.
func NewKeySets(logger *slog.Logger) *KeySets {
	if logger == nil {
		logger = slog.Default()
	}
	waiting := bulkhead.New(bulkhead.Shares{Name: "waiting_for_keys", Levels: []string{"api", "issuer"}, Limit: defaultWaiting})
	return &KeySets{
		logger: logger, waiting: waiting, sets: map[[32]byte]*keySet{}, issuers: map[string]int{},
		fetches: map[fetchCount]uint64{}, fetching: map[string]time.Duration{},
	}
}

// defaultWaiting is how many requests wait for keys where nothing says otherwise.
const defaultWaiting = 512

// Bound says how many requests may wait for keys in all. Without it there are 512.
func (k *KeySets) Bound(most int64) { k.waiting.Resize(most) }

// Expect says how many APIs have authorizers that need keys: each has places that no other gets.
func (k *KeySets) Expect(apis int) { k.waiting.Expect(apis) }

// KeySet is one holder's share in a set of keys. Nothing is fetched before Start.
type KeySet struct {
	*keySet
	release sync.Once
}

// Use returns the key set of a source, the same one for equal sources. It is held until Release.
func (k *KeySets) Use(s Source) (*KeySet, error) {
	s, err := s.complete()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	digest := s.digest()
	set := k.sets[digest]
	if set == nil {
		set = &keySet{
			registry: k, source: s, digest: digest, share: bulkhead.NewID(string(digest[:])), limiter: rate.NewLimiter(rate.Every(refetchEvery), 1),
			kick: make(chan struct{}, 1), landed: make(chan struct{}), fetch: newFetcher(s),
		}
		rand.Read(set.id[:]) // never fails, says its documentation
		k.sets[digest] = set
		k.issuers[s.Issuer]++
	}
	set.holders++
	return &KeySet{keySet: set}, nil
}

// Release gives the share back. A set without holders is fetched no more. Releasing twice is releasing once.
func (h *KeySet) Release() {
	h.release.Do(func() {
		k := h.registry
		k.mu.Lock()
		defer k.mu.Unlock()
		if h.holders--; h.holders > 0 {
			return
		}
		if k.sets[h.digest] == h.keySet {
			delete(k.sets, h.digest)
			k.leave(h.source.Issuer)
		}
		if h.stop != nil {
			h.stop()
		}
	})
}

// Start lets the set fetch its keys, now and in the background, until the last holder releases it. It returns at once; of ctx
// only the values are used, because the set outlives who starts it.
func (h *KeySet) Start(ctx context.Context) {
	k := h.registry
	k.mu.Lock()
	defer k.mu.Unlock()
	if h.stop != nil || k.closed || h.holders == 0 {
		return
	}
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.begun.Store(time.Now().UnixNano())
	k.running.Go(func() { h.run(ctx) })
}

// Close ends all fetching and returns when it has ended. The keys that were fetched stay as they are.
func (k *KeySets) Close() {
	k.mu.Lock()
	k.closed = true
	for _, s := range k.sets {
		if s.stop != nil {
			s.stop()
		}
	}
	k.mu.Unlock()
	k.running.Wait()
}

// count counts a fetch. One that ends when its issuer is gone would bring the series back.
func (k *KeySets) count(issuer, result string, took time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.issuers[issuer] > 0 {
		k.fetches[fetchCount{issuer, result}]++
		k.fetching[issuer] += took
	}
}

// leave drops the counts of an issuer with its last set. Should it come back they begin anew, which to Prometheus is what a
// restart is.
func (k *KeySets) leave(issuer string) {
	if k.issuers[issuer]--; k.issuers[issuer] == 0 {
		delete(k.issuers, issuer)
		delete(k.fetching, issuer)
		maps.DeleteFunc(k.fetches, func(c fetchCount, _ uint64) bool { return c.issuer == issuer })
	}
}

// WaitSamples are the numbers of the requests that wait for keys.
func (k *KeySets) WaitSamples() []authz.Sample { return k.waiting.Samples() }

// Samples are the numbers of the sets that were started: by issuer, of which the oldest set counts.
func (k *KeySets) Samples() []authz.Sample {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	age, keys := map[string]float64{}, map[string]float64{}
	for _, s := range k.sets {
		if s.begun.Load() == 0 {
			continue
		}
		issuer := s.source.Issuer
		age[issuer] = max(age[issuer], s.age(now).Seconds())
		n := 0
		if st := s.usable(now); st != nil {
			n = st.count
		}
		if had, ok := keys[issuer]; ok {
			keys[issuer] = min(had, float64(n))
		} else {
			keys[issuer] = float64(n)
		}
	}
	samples := byIssuer(nil, "portcullis_jwks_age_seconds", "Time since an issuer's keys were last fetched, or first asked for.", age)
	samples = byIssuer(samples, "portcullis_jwks_keys", "Keys of an issuer that can be used.", keys)
	seconds := map[string]float64{}
	for issuer, took := range k.fetching {
		seconds[issuer] = took.Seconds()
	}
	samples = byIssuer(samples, "portcullis_jwks_fetch_seconds_total", "The time that the fetches of an issuer's keys took together.", seconds)
	return append(samples, k.fetchSamples()...)
}

func byIssuer(samples []authz.Sample, name, help string, values map[string]float64) []authz.Sample {
	for issuer, v := range values {
		samples = append(samples, authz.Sample{Name: name, Help: help, Labels: []authz.Field{{Name: "issuer", Value: issuer}}, Value: v})
	}
	return sorted(samples)
}

func (k *KeySets) fetchSamples() (samples []authz.Sample) {
	for c, n := range k.fetches {
		samples = append(samples, authz.Sample{
			Name: "portcullis_jwks_fetches_total", Help: "Fetches of an issuer's keys by what came of them.",
			Labels: []authz.Field{{Name: "issuer", Value: c.issuer}, {Name: "result", Value: c.result}}, Value: float64(n),
		})
	}
	return sorted(samples)
}

func sorted(samples []authz.Sample) []authz.Sample {
	slices.SortFunc(samples, func(a, b authz.Sample) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), slices.CompareFunc(a.Labels, b.Labels, func(a, b authz.Field) int {
			return cmp.Compare(a.Value, b.Value)
		}))
	})
	return samples
}
