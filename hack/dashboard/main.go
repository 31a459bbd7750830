// Command dashboard decodes a Grafana dashboard with Grafana's own schema, and prints the expressions of its panels and variables, one a
// line. An unknown field is an error. It is a module of its own, so that portcullis does not depend on Grafana's.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("write one file")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	known := cog.NewRuntime()
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	var d dashboard.Dashboard
	// The error of a good dashboard is an empty list, and the panels are not kept.
	if err := d.UnmarshalJSONStrict(data); len(faults(err)) > 0 {
		return err
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	if err := d.Validate(); len(faults(err)) > 0 {
		return err
	}
	if err := checkFields(data); err != nil {
		return err
	}
	for _, p := range d.Panels {
		if p.Panel == nil {
			continue
		}
		if p.Panel.Type != "stat" && p.Panel.Type != "timeseries" {
			return fmt.Errorf("the panel %q has the type %q; write stat or timeseries, or add it here", *p.Panel.Title, p.Panel.Type)
		}
		for _, t := range p.Panel.Targets {
			q, ok := t.(*prometheus.Dataquery)
			if !ok {
				return fmt.Errorf("the panel %q has a target of type %T", *p.Panel.Title, t)
			}
			fmt.Println(q.Expr)
		}
	}
	return nil
}

func faults(err error) cog.BuildErrors {
	var list cog.BuildErrors
	if err != nil && !errors.As(err, &list) {
		list = cog.MakeBuildErrors("dashboard", err)
	}
	return list
}

// checkFields checks the field configuration of the panels, in which the decoder of a dashboard accepts unknown fields.
func checkFields(data []byte) error {
	var d struct {
		Panels []struct {
			Title       string
			FieldConfig json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	for _, p := range d.Panels {
		var config dashboard.FieldConfigSource
		if err := config.UnmarshalJSONStrict(p.FieldConfig); len(faults(err)) > 0 {
			return fmt.Errorf("the panel %q: %w", p.Title, err)
		}
	}
	return nil
}
