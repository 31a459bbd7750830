package probe

import (
	"testing"
	"testing/synctest"
	"time"
)

// A token counts once, until it expires, and few exist.
func TestTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var none *Tokens
		all := &Tokens{}
		if none.Any() || all.Any() || all.Use("") || all.Use("a") {
			t.Error("there are none")
		}
		made, err := all.Make(2)
		if err != nil || len(made) != 2 || made[0] == made[1] || len(made[0]) < 40 || !all.Any() {
			t.Fatalf("%q, %v", made, err)
		}
		if !all.Use(made[0]) || all.Use(made[0]) || all.Use(made[1]+"x") {
			t.Error("a token counts once, and no other text does")
		}
		time.Sleep(Lifetime + time.Second)
		if all.Use(made[1]) || all.Any() {
			t.Error("it has expired")
		}
		for range MaxLive / MaxBatch {
			if _, err := all.Make(MaxBatch); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range []int{1, 0, -1, MaxBatch + 1} {
			if _, err := all.Make(n); err == nil {
				t.Errorf("%d more", n)
			}
		}
		time.Sleep(Lifetime + time.Second)
		if _, err := all.Make(1); err != nil {
			t.Error(err)
		}
	})
}
