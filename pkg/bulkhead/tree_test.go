package bulkhead

import (
	"math"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// take enters until it is refused, and says how often it was let in.
func take(t *Tree, path ...ID) (n int64, held []Place) {
	for {
		p, ok := t.Enter(1, path...)
		if !ok {
			return n, held
		}
		n, held = n+1, append(held, p)
	}
}

func leave(held []Place) {
	for _, p := range held {
		p.Leave()
	}
}

func TestNobodyGetsAll(t *testing.T) {
	tree := New(Shares{Limit: 1000, Levels: []string{"api"}})
	for i, want := range []int64{500, 250, 125} {
		if n, _ := take(tree, ID(i)); n != want {
			t.Errorf("the %d. group took %d, want %d", i, n, want)
		}
	}
}

// However many groups take all they get, one after the other, another one gets what it is guaranteed.
func TestLateComersGetWhatIsGuaranteed(t *testing.T) {
	for _, limit := range []int64{153, 1536} {
		tree := New(Shares{Limit: limit, Levels: []string{"api"}})
		tree.Expect(71)
		var held []Place
		for i := range 70 {
			n, places := take(tree, ID(i))
			if n < limit/2/71 || n > limit/2 {
				t.Errorf("of %d, the %d. group took %d", limit, i, n)
			}
			held = append(held, places...)
		}
		if n, _ := take(tree, 70); n < limit/2/71 {
			t.Errorf("of %d, the last group took %d", limit, n)
		}
		leave(held)
	}
}

// One group that is alone gets most of the places, and its only member a third.
func TestAloneGetsMost(t *testing.T) {
	tree := New(Shares{Limit: 1536, Levels: []string{"api", "authorizer", "caller"}})
	tree.Expect(1)
	n, held := take(tree, 1, 1, 1)
	if n != 512 {
		t.Errorf("one caller took %d", n)
	}
	leave(held)
	n = 0
	for caller := range ID(1536) {
		if _, ok := tree.Enter(1, 1, 1, caller); ok {
			n++
		}
	}
	if n != 768 {
		t.Errorf("one authorizer took %d", n)
	}
	if m, _ := take(tree, 1, 2); m < 100 {
		t.Errorf("another one took %d", m)
	}
}

func TestSizes(t *testing.T) {
	tree := New(Shares{Limit: 100, Levels: []string{"api"}})
	whole, ok := tree.Enter(100, 1)
	if !ok {
		t.Fatal("what is as large as everything does not fit where there is nothing else")
	}
	if _, ok := tree.Enter(1, 2); ok {
		t.Error("more than everything")
	}
	whole.Leave()
	if _, ok := tree.Enter(60, 1); !ok {
		t.Fatal("60 of 100")
	}
	for _, tt := range []struct {
		size int64
		id   ID
		ok   bool
	}{{0, 2, false}, {-1, 2, false}, {math.MaxInt64, 2, false}, {41, 2, false}, {1, 1, false}, {40, 2, true}, {1, 3, false}} {
		if _, ok := tree.Enter(tt.size, tt.id); ok != tt.ok {
			t.Errorf("%d for %d: %v", tt.size, tt.id, ok)
		}
	}
}

// What cannot count refuses.
func TestZeroValueRefuses(t *testing.T) {
	var tree *Tree
	if _, ok := tree.Enter(1); ok || tree.Held() != 0 || tree.Samples() != nil {
		t.Error("no tree lets in")
	}
	if _, ok := new(Tree).Enter(1); ok {
		t.Error("an empty tree lets in")
	}
	Place{}.Leave()
	New(Shares{Limit: -1}).Resize(-1)
}

func TestResizeKeepsWhatIsHeld(t *testing.T) {
	tree := New(Shares{Limit: 10, Levels: []string{"api"}})
	tree.Expect(1)
	_, held := take(tree, 1)
	tree.Resize(2)
	if _, ok := tree.Enter(1, 1); ok {
		t.Error("more than there are")
	}
	leave(held)
	if n, _ := take(tree, 1); n != 2 {
		t.Errorf("%d of 2", n)
	}
}

func TestSamples(t *testing.T) {
	tree := New(Shares{Name: "waits", Limit: 4, Levels: []string{"api"}})
	take(tree, 1)
	take(tree)
	want := map[string]float64{"portcullis_share_held waits": 4, "portcullis_share_limit waits": 4, "portcullis_share_refused_total waits total": 1, "portcullis_share_refused_total waits api": 1}
	got := map[string]float64{}
	for _, s := range tree.Samples() {
		name := s.Name
		for _, l := range s.Labels {
			name += " " + l.Value
		}
		got[name] = s.Value
	}
	for name, n := range want {
		if got[name] != n || len(got) != len(want) {
			t.Errorf("%s: %v, want %v of %v", name, got[name], n, got)
		}
	}
}

func TestIDs(t *testing.T) {
	again := NewID("a", "b")
	if NewID("a", "b") != again || NewID("a", "b") == NewID("ab") || NewID("ab", "") == NewID("a", "b") || NewID() == NewID("") {
		t.Error("texts do not tell groups apart")
	}
}

// For any sequence of requests: no more places are held than there are, each group that is expected gets what it is guaranteed, and in the end
// nothing is left behind.
func TestSharesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 60).Draw(t, "limit")
		expected := rapid.IntRange(0, 6).Draw(t, "expected")
		tree := New(Shares{Limit: limit, Levels: []string{"api", "authorizer"}, Multiple: rapid.Int64Range(0, 3).Draw(t, "multiple")})
		tree.Expect(expected)
		var held []Place
		perAPI := map[ID]int64{}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			if len(held) > 0 && rapid.IntRange(0, 3).Draw(t, "leaves") == 0 {
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				perAPI[held[i].leaf.parent.id] -= held[i].size
				held[i].Leave()
				held = append(held[:i], held[i+1:]...)
				continue
			}
			api := ID(rapid.IntRange(0, max(expected-1, 3)).Draw(t, "api"))
			if expected > 0 {
				api %= ID(expected)
			}
			p, ok := tree.Enter(rapid.Int64Range(1, 3).Draw(t, "size"), api, ID(rapid.IntRange(0, 3).Draw(t, "authorizer")))
			if ok {
				held, perAPI[api] = append(held, p), perAPI[api]+p.size
			}
			if tree.Held() > limit {
				t.Fatalf("%d of %d are held", tree.Held(), limit)
			}
		}
		guaranteed := limit
		if expected > 1 {
			guaranteed = limit / 2 / int64(expected)
		}
		for api := range ID(expected) {
			for ; perAPI[api] < guaranteed; perAPI[api]++ {
				p, ok := tree.Enter(1, api)
				if !ok {
					t.Fatalf("API %d holds %d of %d: %+v", api, perAPI[api], limit, tree)
				}
				held = append(held, p)
			}
		}
		leave(held)
		if tree.Held() != 0 || tree.over != 0 || len(tree.root.groups) != 0 {
			t.Fatalf("left behind: %+v", tree)
		}
	})
}

func TestAtTheSameTime(t *testing.T) {
	tree := New(Shares{Limit: 50, Levels: []string{"api"}})
	tree.Expect(8)
	var all sync.WaitGroup
	for i := range ID(8) {
		all.Go(func() {
			for range 2000 {
				if p, ok := tree.Enter(1, i); ok {
					p.Leave()
				} else {
					t.Error("the first place of a group is guaranteed")
				}
			}
		})
	}
	all.Wait()
	if tree.Held() != 0 {
		t.Errorf("%d are held", tree.Held())
	}
}

func BenchmarkEnter(b *testing.B) {
	tree := New(Shares{Limit: 1536, Levels: []string{"api", "authorizer", "caller"}})
	for b.Loop() {
		p, _ := tree.Enter(1, 1, 2, 3)
		p.Leave()
	}
}
