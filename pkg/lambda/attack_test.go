package lambda

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// One client whose event the function dies of does not close the function for others, also where a proxy stands before it and
// answers 502 in its place.
func TestPoisonBehindAProxy(t *testing.T) {
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if event, _ := io.ReadAll(r.Body); bytes.Contains(event, []byte("poison")) {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, allowAll)
	}))
	defer function.Close()
	target, err := url.Parse(function.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	for _, status := range []int{502, 503, 504} {
		proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(status) }
		front := httptest.NewServer(proxy)
		u, err := NewURL(URLConfig{URL: front.URL})
		if err != nil {
			t.Fatal(err)
		}
		var g Guards
		guarded, err := g.Guard("f", u, GuardLimits{})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if _, err := guarded.Invoke(t.Context(), "f", []byte("poison")); err == nil {
				t.Fatal("no error")
			}
		}
		if _, err := guarded.Invoke(t.Context(), "f", []byte("good")); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		u.Close()
		front.Close()
	}
}
