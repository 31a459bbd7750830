package server

import (
	"cmp"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/meter"
)

// The results of reading a configuration or the TLS files.
const (
	resultLoaded    = "loaded"
	resultUnchanged = "unchanged"
	resultRefused   = "refused"
)

// metrics are the metrics of /metrics. No label has text that a client sent.
type metrics struct {
	registry *prometheus.Registry

	meters *meter.Meters

	reloads     *prometheus.CounterVec
	tlsReloads  *prometheus.CounterVec
	watchErrors prometheus.Counter
	lastSuccess prometheus.Gauge
	lastGood    prometheus.Gauge
	lastRefused prometheus.Gauge
	config      *prometheus.GaugeVec
	apis        prometheus.Gauge
	routes      prometheus.Gauge
}

func newMetrics(version string, meters *meter.Meters, others func() []authz.Sample, inFlight func() float64) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		meters:      cmp.Or(meters, meter.New()),
		reloads:     counters("portcullis_reloads_total", "Times that the configuration was read, by result (loaded, unchanged, refused).", "result"),
		tlsReloads:  counters("portcullis_tls_reloads_total", "Times that the TLS files were read, by result (loaded, unchanged, refused).", "result"),
		watchErrors: counter("portcullis_watch_errors_total", "Errors of watching files; changes may have been seen late."),
		lastSuccess: gauge("portcullis_config_last_success_timestamp_seconds", "When a configuration was last read that serves or could serve."),
		lastGood:    gauge("portcullis_config_last_reload_successful", "1 if the configuration on disk serves; 0 if it was refused and an older one serves."),
		lastRefused: gauge("portcullis_config_last_refused_timestamp_seconds", "When a configuration was last refused; 0 for never."),
		config: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "portcullis_config_info",
			Help: "The configuration that serves, by its digest; always 1.",
		}, []string{"digest"}),
		apis:   gauge("portcullis_config_apis", "APIs of the configuration that serves."),
		routes: gauge("portcullis_config_routes", "Routes of the configuration that serves."),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "portcullis_build_info",
		Help:        "The version; always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.reloads, m.tlsReloads, m.watchErrors, m.lastSuccess, m.lastGood, m.lastRefused, m.config, m.apis, m.routes, build,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "portcullis_checks_in_flight", Help: "Checks at work."}, inFlight),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.registry.MustRegister(samples(m.meters.Samples))
	if others != nil {
		m.registry.MustRegister(samples(others))
	}
	for _, result := range []string{resultLoaded, resultUnchanged, resultRefused} {
		m.reloads.WithLabelValues(result)
		m.tlsReloads.WithLabelValues(result)
	}
	return m
}

func (m *metrics) check(d *authz.Decision, took time.Duration) {
	if d.Meter == nil {
		m.meters.None().Count(d, took)
		return
	}
	d.Meter.Count(d, took)
}

// read counts one reading of the configuration.
func (m *metrics) read(result string) {
	m.reloads.WithLabelValues(result).Inc()
	if result == resultRefused {
		m.lastGood.Set(0)
		m.lastRefused.SetToCurrentTime()
		return
	}
	m.lastGood.Set(1)
	m.lastSuccess.SetToCurrentTime()
}

// serving shows what serves from now on.
func (m *metrics) serving(l *Loaded) {
	m.config.Reset()
	m.config.WithLabelValues(l.Digest).Set(1)
	m.apis.Set(float64(l.APIs))
	m.routes.Set(float64(l.Routes))
}

// samples are numbers of other packages. They describe nothing beforehand: which there are depends on the configuration.
type samples func() []authz.Sample

// Describe implements prometheus.Collector.
func (samples) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s samples) Collect(metrics chan<- prometheus.Metric) {
	for _, sample := range s() {
		names, values := make([]string, len(sample.Labels)), make([]string, len(sample.Labels))
		for i, label := range sample.Labels {
			names[i], values[i] = label.Name, strings.ToValidUTF8(label.Value, "?")
		}
		desc := prometheus.NewDesc(sample.Name, sample.Help, names, nil)
		if h := sample.Histogram; h != nil {
			metrics <- prometheus.MustNewConstHistogram(desc, h.Count, h.Sum, h.Buckets, values...)
			continue
		}
		kind := prometheus.GaugeValue
		if strings.HasSuffix(sample.Name, "_total") {
			kind = prometheus.CounterValue
		}
		metrics <- prometheus.MustNewConstMetric(desc, kind, sample.Value, values...)
	}
}
