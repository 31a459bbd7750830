package server

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminServer serves operators and probes.
func (p *process) adminServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", p.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// readyz is about taking traffic. A refused reload does not end it, for the last good configuration serves, but is told: it
// may have been the one that revokes.
func (p *process) readyz(w http.ResponseWriter, _ *http.Request) {
	switch refused := p.reloader.refused.Load(); {
	case p.draining.Load():
		http.Error(w, "draining", http.StatusServiceUnavailable)
	case p.gate.serving.Load() == nil:
		http.Error(w, "no configuration is loaded yet", http.StatusServiceUnavailable)
	case refused != nil:
		fmt.Fprintln(w, "ready, with an old configuration:", *refused)
	default:
		fmt.Fprintln(w, "ready")
	}
}
