package server

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/portcullis-authz/portcullis/pkg/probe"
)

// adminServer serves operators and probes.
func (p *process) adminServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", p.readyz)
	mux.Handle("DELETE /restapis/{api}/stages/{stage}/cache/authorizers", p.withToken(p.flush(http.StatusAccepted)))
	mux.Handle("DELETE /v2/apis/{api}/stages/{stage}/cache/authorizers", p.withToken(p.flush(http.StatusNoContent)))
	mux.Handle("POST /explain", p.withToken(p.explain))
	mux.Handle("POST /probes", p.withToken(p.makeProbes))
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	return &http.Server{
		Handler:           p.withoutPanics(mux),
		ErrorLog:          slog.NewLogLogger(p.config.Log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// withoutPanics answers 500 for a panic, whose value net/http would log and which may hold a secret.
func (p *process) withoutPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				p.config.Log.Error("an admin request panicked", "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
				http.Error(w, "internal error; the log has the stack", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// readyz is about taking traffic. A refused reload does not end it, because the last good configuration serves, but is reported: it
// may have been the one that revokes. The same holds for what keeps a flush from arriving.
func (p *process) readyz(w http.ResponseWriter, _ *http.Request) {
	serving := p.gate.serving.Load()
	switch refused := p.reloader.refused.Load(); {
	case p.draining.Load():
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	case serving == nil:
		http.Error(w, "no configuration is loaded yet", http.StatusServiceUnavailable)
		return
	case refused != nil:
		fmt.Fprintln(w, "ready, with an old configuration:", *refused)
	default:
		fmt.Fprintln(w, "ready")
	}
	if p.tls != nil {
		if refused := p.tls.refused.Load(); refused != nil {
			fmt.Fprintln(w, *refused)
		}
	}
	if serving.Trouble != nil {
		for _, line := range serving.Trouble() {
			fmt.Fprintln(w, line)
		}
	}
}

// withToken lets in who knows the token of AdminTokenFile, which is read anew each time. Loopback is no reason to believe
// anybody: a page in a browser reaches it too.
func (p *process) withToken(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !p.isAdminToken(shown) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this request needs the token of --admin-token-file, as in Authorization: Bearer <token>", http.StatusUnauthorized)
			return
		}
		next(w, r)
	})
}

// minAdminToken keeps an empty file, or one that holds a word, from being a token.
const minAdminToken = 16

func (p *process) isAdminToken(shown string) bool {
	if p.config.AdminTokenFile == "" {
		return false
	}
	token := p.config.adminToken()
	if token == "" {
		if !p.badToken.Allow() { // every request without a token would write a line
			return false
		}
		p.config.Log.Error("the admin token cannot be used", "file", p.config.AdminTokenFile, "needs", fmt.Sprintf("a readable file with at least %d characters", minAdminToken))
		return false
	}
	return subtle.ConstantTimeCompare([]byte(token), []byte(shown)) == 1
}

// adminToken reads the token of AdminTokenFile; empty if it cannot be used.
func (c *Config) adminToken() string {
	data, err := os.ReadFile(c.AdminTokenFile)
	token := strings.TrimSpace(string(data))
	if err != nil || len(token) < minAdminToken {
		return ""
	}
	return token
}

// flush is API Gateway's FlushStageAuthorizersCache, and ResetAuthorizersCache for HTTP APIs.
func (p *process) flush(done int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		loaded, users := p.gate.use()
		if loaded != nil {
			defer users.Add(-1)
		}
		if loaded == nil || loaded.Flush == nil {
			http.Error(w, "nothing is remembered", http.StatusNotFound)
			return
		}
		api, stage, authorizer := r.PathValue("api"), r.PathValue("stage"), r.URL.Query().Get("authorizer")
		switch found, err := loaded.Flush(r.Context(), api, stage, authorizer); {
		case err != nil:
			p.config.Log.Error("the authorizers' answers were not flushed everywhere", "api", api, "stage", stage, "authorizer", authorizer, "error", err.Error())
			http.Error(w, err.Error(), http.StatusBadGateway)
		case !found:
			p.config.Log.Warn("answers were flushed that no authorizer here gives", "api", api, "stage", stage, "authorizer", authorizer)
			http.Error(w, "there is no such API, stage or Lambda authorizer here; what replicas remember of one by this name is flushed all the same", http.StatusNotFound)
		default:
			p.config.Log.Info("the authorizers' answers were flushed", "api", api, "stage", stage, "authorizer", authorizer)
			w.WriteHeader(done)
		}
	}
}

// The limits of explanations: the bytes of a question, those at once, and the time of one.
const (
	maxQuestion     = 16 << 20
	maxExplanations = 2
	explainTime     = 12 * time.Second
)

// explain answers a question of portcullis explain --against. Explanations cost more than checks, and few may run at once.
func (p *process) explain(w http.ResponseWriter, r *http.Request) {
	select {
	case p.explanations <- struct{}{}:
		defer func() { <-p.explanations }()
	default:
		http.Error(w, "too many explanations at once; ask again", http.StatusTooManyRequests)
		return
	}
	question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil {
		http.Error(w, "the question is too long, or ended early", http.StatusRequestEntityTooLarge)
		return
	}
	loaded, users := p.gate.use()
	if loaded != nil {
		defer users.Add(-1)
	}
	if loaded == nil || loaded.Explain == nil {
		http.Error(w, "no configuration is loaded", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), explainTime)
	defer cancel()
	report, err := loaded.Explain(ctx, question)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(report) // the client has gone
}

// makeProbes answers with tokens for probes of portcullis doctor --live, as many as the query's count.
func (p *process) makeProbes(w http.ResponseWriter, r *http.Request) {
	count, err := strconv.Atoi(r.URL.Query().Get("count"))
	if err != nil || count < 1 || count > probe.MaxBatch {
		http.Error(w, fmt.Sprintf("count must be 1 to %d", probe.MaxBatch), http.StatusBadRequest)
		return
	}
	tokens, err := p.probes.Make(count)
	if err != nil {
		http.Error(w, err.Error(), http.StatusTooManyRequests)
		return
	}
	p.config.Log.Info("tokens for probes were given out", "count", count)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(tokens) // the client has gone
}
