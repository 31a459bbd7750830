// Command bench measures what a check costs, as a multiple of the floor: a plain grpc-go server that decodes CheckRequest
// with the generated code and allows everything.
//
// There are two units. The default is the CPU time of the server process for each check, user and system, of all threads. Other load
// affects it far less than throughput or latency. With -instructions, the unit is instructions in user mode on one processor, which
// repeat within a few percent. QEMU's user emulation (qemu-user) counts them with the plugin in count/, which gcc compiles. Floor and
// portcullis are measured in turns, a ratio is computed within a round, and the table has the median of the rounds with their range.
// README.md shows the results.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
)

// maxChecks limits the checks of a round.
const maxChecks = 50_000

func main() {
	floorAt := flag.String("floor", "", "serve the floor on this address (the benchmark starts itself so)")
	rounds := flag.Int("rounds", 3, "rounds")
	checks := flag.Int("checks", 15000, "checks measured in a round")
	instructions := flag.Bool("instructions", false, "count instructions, with QEMU")
	many := flag.Bool("many", false, "also the rows that take long: 100,000 users, 100,000 tokens")
	only := flag.String("only", "", "only the rows, beside the floor, whose name matches this expression")
	binary := flag.String("portcullis", "", "the portcullis binary; built when empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, options{*floorAt, *binary, *only, *rounds, *checks, *instructions, *many}); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	floor, binary, only string
	rounds, checks      int
	instructions, many  bool
}

func run(ctx context.Context, o options) error {
	if o.floor != "" {
		return serveFloor(ctx, o.floor)
	}
	dir, err := os.MkdirTemp("", "portcullis-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.checks > maxChecks {
		return fmt.Errorf("-checks may be at most %d: every check of some rows has a key or a token of its own", maxChecks)
	}
	if o.binary == "" {
		o.binary = filepath.Join(dir, "portcullis")
		if err := build(ctx, o.binary); err != nil {
			return err
		}
	}
	targets, err := targets(ctx, dir, o.binary, o.checks, o.many)
	if err != nil {
		return err
	}
	if targets, err = selected(targets, o.only); err != nil {
		return err
	}
	var c *counter
	if o.instructions {
		if c, err = newCounter(ctx, dir); err != nil {
			return err
		}
	}
	results := map[string][]measurement{}
	for round := range o.rounds {
		for _, t := range targets {
			m, err := measure(ctx, t, o.checks, c)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			results[t.name] = append(results[t.name], m)
		}
		fmt.Fprintf(os.Stderr, "round %d of %d done\n", round+1, o.rounds)
	}
	report(targets, results, o.instructions)
	return nil
}

// selected are the floor and the rows whose name matches an expression.
func selected(list []target, only string) ([]target, error) {
	expression, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	other := func(t target) bool { return !expression.MatchString(t.name) }
	return append(list[:1:1], slices.DeleteFunc(list[1:], other)...), nil
}

func report(targets []target, results map[string][]measurement, instructions bool) {
	unit, cost := "CPU us", func(m measurement) float64 { return m.cpuMicros }
	if instructions {
		unit, cost = "thousand", func(m measurement) float64 { return m.instructions / 1000 }
	}
	floor := results[targets[0].name]
	fmt.Printf("%-44s %10s %8s %15s %9s\n", "decision", unit, "x floor", "range", "RSS MiB")
	for _, t := range targets {
		var costs, ratio, rss []float64
		for i, m := range results[t.name] {
			costs = append(costs, cost(m))
			ratio = append(ratio, cost(m)/cost(floor[i]))
			rss = append(rss, m.rssMiB)
		}
		fmt.Printf("%-44s %10.1f %8.2f %15s %9.0f\n", t.name, median(costs), median(ratio),
			fmt.Sprintf("%.2f-%.2f", slices.Min(ratio), slices.Max(ratio)), median(rss))
	}
}

func median(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s[len(s)/2]
}
