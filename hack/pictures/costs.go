package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// cost is the cost of one kind of check, as a multiple of the floor.
type cost struct {
	decision string
	ratio    float64
}

// tableRow is a row of the table that hack/bench/README.md has of what hack/bench printed.
var tableRow = regexp.MustCompile(`(?m)^\| (.+) \| ([0-9.]+) \| [0-9]+ MiB \|$`)

// readCosts reads the costs from the table of a README.
func readCosts(file string) ([]cost, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rows []cost
	for _, found := range tableRow.FindAllStringSubmatch(string(text), -1) {
		ratio, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, found[1], err)
		}
		rows = append(rows, cost{found[1], ratio})
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: there is no table of costs", file)
	}
	return rows, nil
}

const (
	costsTop  = 84
	costsRow  = 26
	costsLeft = 408
	// unit is how wide the floor is.
	unit = 168
)

// costs draws what a check costs, a bar for each kind.
func costs(t theme, rows []cost) *canvas {
	c := &canvas{theme: t, height: costsTop + costsRow*len(rows) + 12, title: "What a check costs",
		desc: "Instructions of one check, as a multiple of a plain gRPC server that allows everything."}
	c.text(16, 28, style{c.ink, "start", 15, true}, "Instructions of one check")
	c.text(16, 48, style{c.muted, "start", 13, false}, "as a multiple of a gRPC server that allows everything; less is better")
	bottom := costsTop + costsRow*float64(len(rows))
	for i, row := range rows {
		y := costsTop + costsRow*float64(i)
		fill := c.bar
		if row.ratio > 1 {
			fill = c.barMax
		}
		c.text(costsLeft-56, y+16, style{c.ink, "end", 13, false}, row.decision)
		c.text(costsLeft-10, y+16, style{c.ink, "end", 13, true}, strconv.FormatFloat(row.ratio, 'f', 2, 64))
		c.rect(costsLeft, y+3, row.ratio*unit, costsRow-8, fill, "")
		c.desc += fmt.Sprintf(" %s: %.2f.", row.decision, row.ratio)
	}
	c.path(fmt.Sprintf("M%d %dV%g", costsLeft+unit, costsTop-6, bottom))
	c.text(costsLeft+unit, costsTop-12, style{c.muted, "middle", 13, false}, "1: that server")
	return c
}
