package main

import (
	"fmt"
	"html"
	"strings"
)

// theme is the colours of a picture.
type theme struct {
	name                       string
	ink, muted, line, panel    string
	box, accent                string
	allow, allowInk            string
	deny, denyInk, bar, barMax string
}

// The pages are those of GitHub. Text has a contrast of at least 4.5 to what is behind it.
var (
	light = theme{
		name: "light", ink: "#1f2328", muted: "#59636e", line: "#8c959f", panel: "#f6f8fa", box: "#ffffff", accent: "#0969da",
		allow: "#dafbe1", allowInk: "#116329", deny: "#ffebe9", denyInk: "#a40e26", bar: "#54aeff", barMax: "#bf8700",
	}
	dark = theme{
		name: "dark", ink: "#f0f6fc", muted: "#9198a1", line: "#656c76", panel: "#151b23", box: "#0d1117", accent: "#4493f8",
		allow: "#12261e", allowInk: "#56d364", deny: "#2d1617", denyInk: "#ff9492", bar: "#1f6feb", barMax: "#9e6a03",
	}
)

// width is that of every picture, about what GitHub shows, so that text keeps its size.
const width = 830

// canvas is a picture that is being drawn.
type canvas struct {
	theme
	height      int
	title, desc string
	body        strings.Builder
}

// svg returns the whole file.
func (c *canvas) svg() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title desc" font-family="sans-serif" font-size="14">
<title id="title">%s</title>
<desc id="desc">%s</desc>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="%s"/></marker></defs>
%s</svg>
`, width, c.height, width, c.height, html.EscapeString(c.title), html.EscapeString(c.desc), c.line, c.body.String())
}

// rect draws a rectangle with round corners. Without a stroke it has no outline.
func (c *canvas) rect(x, y, w, h float64, fill, stroke string) {
	outline := ""
	if stroke != "" {
		outline = fmt.Sprintf(` stroke="%s" stroke-width="1.5"`, stroke)
	}
	fmt.Fprintf(&c.body, `<rect x="%g" y="%g" width="%g" height="%g" rx="6" fill="%s"%s/>`+"\n", x, y, w, h, fill, outline)
}

// style is how a text looks. Its anchor is start, middle or end.
type style struct {
	fill, anchor string
	size         float64
	bold         bool
}

// text writes a line whose baseline is y.
func (c *canvas) text(x, y float64, s style, line string) {
	weight := ""
	if s.bold {
		weight = ` font-weight="600"`
	}
	fmt.Fprintf(&c.body, `<text x="%g" y="%g" fill="%s" text-anchor="%s" font-size="%g"%s>%s</text>`+"\n",
		x, y, s.fill, s.anchor, s.size, weight, html.EscapeString(line))
}

// path draws a line along an SVG path.
func (c *canvas) path(d string) { c.stroke(d, "") }

// arrow draws a line along an SVG path, with a head at its end.
func (c *canvas) arrow(d string) { c.stroke(d, ` marker-end="url(#head)"`) }

func (c *canvas) stroke(d, head string) {
	fmt.Fprintf(&c.body, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5" stroke-linejoin="round"%s/>`+"\n", d, c.line, head)
}

// labelled draws a box with one or two centred lines, the first of them bold.
func (c *canvas) labelled(x, y, w, h float64, stroke, first, second string) {
	c.rect(x, y, w, h, c.box, stroke)
	middle := y + h/2 + 5
	if second == "" {
		c.text(x+w/2, middle, style{c.ink, "middle", 15, true}, first)
		return
	}
	c.text(x+w/2, middle-10, style{c.ink, "middle", 15, true}, first)
	c.text(x+w/2, middle+11, style{c.muted, "middle", 13, false}, second)
}
