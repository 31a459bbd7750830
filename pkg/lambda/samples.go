package lambda

import (
	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// appendSamples appends what the gate has counted. The label is the function's ARN, of which there are as many as are
// configured.
func (g *gate) appendSamples(all []authz.Sample, function string) []authz.Sample {
	g.mu.Lock()
	defer g.mu.Unlock()
	label := authz.Field{Name: "function", Value: function}
	add := func(name, help string, value float64, labels ...authz.Field) {
		all = append(all, authz.Sample{Name: "portcullis_function_" + name, Help: help, Labels: append([]authz.Field{label}, labels...), Value: value})
	}
	for _, result := range results {
		add("invocations_total", "Invocations of authorizer functions, by result.", float64(g.counts[result]), authz.Field{Name: "result", Value: result})
	}
	add("invocations_ended_total", "Invocations that ran and have ended, whatever came of them.", float64(g.ended))
	add("invocation_seconds_total", "The time that those invocations took together.", g.took.Seconds())
	add("invocations_in_flight", "Invocations that run.", float64(g.running.Held()))
	add("invocations_queued", "Invocations that wait for their turn.", float64(len(g.queue)))
	add("unreachable_in_a_row", "Failures in a row to reach the function.", float64(g.failures))
	open := 0.0
	if g.leftAlone() {
		open = 1
	}
	add("breaker_open", "1 while a function that could not be reached is left alone.", open)
	return all
}
