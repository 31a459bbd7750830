package jwt

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// use is a share in a set that nobody has started: the test fetches by round.
func use(t testing.TB, k *KeySets, s Source) *KeySet {
	t.Helper()
	set, err := k.Use(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Release)
	return set
}

func (h *KeySet) kids() string {
	st := h.usable(time.Now())
	if st == nil {
		return "none"
	}
	var kids []string
	for id := range st.keys {
		kids = append(kids, id.kid)
	}
	slices.Sort(kids)
	return strings.Join(slices.Compact(kids), " ")
}

// Good keys stay after every answer of the issuer, and a first answer that is invalid leaves no keys.
func TestOddAnswers(t *testing.T) {
	elsewhere := newIDP(t, setOf(t, jwkOf(t, rsa2(), "evil", nil)))
	valid := setOf(t, jwkOf(t, rsa1(), "k1", nil))
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = w.Write([]byte(valid)) }
	}
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for name, h := range map[string]http.HandlerFunc{
		"500": status(500), "404": status(404), "201": status(201), "204": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "403": status(403),
		"HTML": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>Sign in</html>"))
		},
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			for range 10_000 {
				if _, err := w.Write([]byte(strings.Repeat(" ", 10_000))); err != nil {
					return
				}
			}
		},
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"silence": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a trickle": func(w http.ResponseWriter, r *http.Request) {
			for i := 0; r.Context().Err() == nil; i++ {
				_, _ = w.Write([]byte{valid[i%len(valid)]})
				w.(http.Flusher).Flush()
				time.Sleep(5 * time.Millisecond)
			}
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(valid)))
			_, _ = w.Write([]byte(valid[:len(valid)/2]))
			panic(http.ErrAbortHandler)
		},
		"a redirect to another host": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/keys", http.StatusFound)
		},
		"a redirect to a file": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		},
		"a redirect to https": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+"/keys", http.StatusFound)
		},
		"redirects in a circle": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newIDP(t, valid)
			s := Source{Issuer: p.URL, HTTP: HTTPConfig{Timeout: 200 * time.Millisecond}}
			k := newKeySets(t)
			fresh := use(t, k, s)
			p.handle(h)
			begun := time.Now()
			fresh.round(t.Context())
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
			if fresh.kids() != "none" {
				t.Errorf("keys %s", fresh.kids())
			}
			s.Interval = time.Minute
			had := use(t, k, s)
			p.serve(valid)
			had.round(t.Context())
			p.handle(h)
			if again := had.round(t.Context()); had.kids() != "k1" || again > time.Minute || again <= 0 {
				t.Errorf("keys %s, again in %v", had.kids(), again)
			}
			if had.state.Load().generation != 1 {
				t.Error("an odd answer counts as a change of the keys")
			}
		})
	}
}

func TestRedirectOnOneHost(t *testing.T) {
	p := newIDP(t, "")
	valid := setOf(t, jwkOf(t, rsa1(), "k1", nil))
	p.handle(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			http.Redirect(w, r, "/keys?x", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(valid))
	})
	set := use(t, newKeySets(t), Source{Issuer: p.URL, JWKSURI: p.URL + "/keys"})
	if set.round(t.Context()); set.kids() != "k1" {
		t.Errorf("keys %s", set.kids())
	}
}

func TestDiscovery(t *testing.T) {
	var document atomic.Pointer[string]
	var asked atomic.Pointer[string]
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if strings.HasSuffix(path, "/keys") {
			_, _ = w.Write([]byte(setOf(t, jwkOf(t, rsa1(), "k1", nil))))
			return
		}
		asked.Store(&path)
		_, _ = w.Write([]byte(*document.Load()))
	})
	plain, secure := httptest.NewServer(mux), httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	for name, row := range map[string]struct {
		issuer, document, path, want string
	}{
		"plain":               {plain.URL, `{"issuer":"PLAIN","jwks_uri":"PLAIN/keys"}`, "/.well-known/openid-configuration", "k1"},
		"a slash":             {plain.URL + "/", `{"issuer":"PLAIN/","jwks_uri":"PLAIN/keys"}`, "/.well-known/openid-configuration", "k1"},
		"a path":              {plain.URL + "/realms/a", `{"issuer":"PLAIN/realms/a","jwks_uri":"PLAIN/keys"}`, "/realms/a/.well-known/openid-configuration", "k1"},
		"TLS":                 {secure.URL, `{"issuer":"SECURE","jwks_uri":"SECURE/keys"}`, "/.well-known/openid-configuration", "k1"},
		"plain, keys by TLS":  {plain.URL, `{"issuer":"PLAIN","jwks_uri":"SECURE/keys"}`, "", "k1"},
		"TLS, keys in plain":  {secure.URL, `{"issuer":"SECURE","jwks_uri":"PLAIN/keys"}`, "", "none"},
		"TLS, keys in HTTP":   {secure.URL, `{"issuer":"SECURE","jwks_uri":"HTTP://127.0.0.1/keys"}`, "", "none"},
		"another issuer":      {plain.URL, `{"issuer":"https://other.example","jwks_uri":"PLAIN/keys"}`, "", "none"},
		"a slash less":        {plain.URL + "/", `{"issuer":"PLAIN","jwks_uri":"PLAIN/keys"}`, "", "none"},
		"a slash more":        {plain.URL, `{"issuer":"PLAIN/","jwks_uri":"PLAIN/keys"}`, "", "none"},
		"no issuer":           {plain.URL, `{"jwks_uri":"PLAIN/keys"}`, "", "none"},
		"issuer twice":        {plain.URL, `{"issuer":"x","issuer":"PLAIN","jwks_uri":"PLAIN/keys"}`, "", "none"},
		"no keys":             {plain.URL, `{"issuer":"PLAIN"}`, "", "none"},
		"keys in a file":      {plain.URL, `{"issuer":"PLAIN","jwks_uri":"file:///etc/passwd"}`, "", "none"},
		"keys on the network": {plain.URL, `{"issuer":"PLAIN","jwks_uri":"http://169.254.169.254/keys"}`, "", "none"},
		"keys nowhere":        {plain.URL, `{"issuer":"PLAIN","jwks_uri":"/keys"}`, "", "none"},
		"keys is a list":      {plain.URL, `{"issuer":"PLAIN","jwks_uri":["PLAIN/keys"]}`, "", "none"},
		"HTML":                {plain.URL, `<html>`, "", "none"},
		"large":               {plain.URL, `{"issuer":"PLAIN","jwks_uri":"PLAIN/keys","x":"` + strings.Repeat("x", maxSetBytes) + `"}`, "", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("PLAIN", plain.URL, "SECURE", secure.URL).Replace(row.document)
			document.Store(&text)
			set := use(t, newKeySets(t), Source{Issuer: row.issuer, HTTP: HTTPConfig{RootCAs: roots}})
			set.round(t.Context())
			if set.kids() != row.want || row.path != "" && *asked.Load() != row.path {
				t.Errorf("keys %s, asked at %s", set.kids(), *asked.Load())
			}
		})
	}
	t.Run("an unknown certificate", func(t *testing.T) {
		set := use(t, newKeySets(t), Source{Issuer: secure.URL, JWKSURI: secure.URL + "/keys"})
		if set.round(t.Context()); set.kids() != "none" || !strings.Contains(set.lastErr.Error(), "certificate") {
			t.Errorf("keys %s, %v", set.kids(), set.lastErr)
		}
	})
}

func TestProxy(t *testing.T) {
	var asked atomic.Pointer[string]
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(&r.RequestURI)
		_, _ = w.Write([]byte(setOf(t, jwkOf(t, rsa1(), "k1", nil))))
	}))
	defer proxy.Close()
	set := use(t, newKeySets(t), Source{Issuer: "https://id.example.com", JWKSURI: "http://127.0.0.1:1/keys", HTTP: HTTPConfig{ProxyURL: proxy.URL}})
	if set.round(t.Context()); set.kids() != "k1" || *asked.Load() != "http://127.0.0.1:1/keys" {
		t.Errorf("keys %s", set.kids())
	}
}

// An error names the issuer and never what may be a secret: a proxy's password, a key in a URL's query.
func TestErrorsHoldNoSecret(t *testing.T) {
	set := use(t, newKeySets(t), Source{
		Issuer: "https://id.example.com", JWKSURI: "http://127.0.0.1:1/keys?code=hunter2",
		HTTP: HTTPConfig{ProxyURL: "http://me:hunter2@127.0.0.1:1"},
	})
	set.round(t.Context())
	if set.lastErr == nil || strings.Contains(set.lastErr.Error(), "hunter2") {
		t.Errorf("%v", set.lastErr)
	}
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "keys.json")
	set := use(t, newKeySets(t), Source{Issuer: "http://anything.example", File: name})
	for _, step := range []struct{ text, want string }{
		{"", "none"},
		{setOf(t, jwkOf(t, rsa1(), "k1", nil)), "k1"},
		{"{", "k1"},
		{strings.Repeat(" ", maxSetBytes+1), "k1"},
		{setOf(t, jwkOf(t, rsa2(), "k2", nil)), "k2"},
	} {
		if err := os.WriteFile(name, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if set.round(t.Context()); set.kids() != step.want {
			t.Errorf("keys %s, want %s", set.kids(), step.want)
		}
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if set.round(t.Context()); set.kids() != "k2" {
		t.Errorf("keys %s after the file was removed", set.kids())
	}
}

func TestPanicInAFetch(t *testing.T) {
	set := use(t, newKeySets(t), Source{Issuer: "http://anything.example", File: "x"})
	set.fetch = nil
	if again := set.round(t.Context()); set.lastErr == nil || again <= 0 || set.kids() != "none" {
		t.Errorf("%v, again in %v", set.lastErr, again)
	}
}
