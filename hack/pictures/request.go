package main

import "fmt"

// controls are the four ways in which a route can ask who calls, and what each looks at.
var controls = [...]struct{ name, looksAt string }{
	{"NONE", "nobody is asked"},
	{"AWS_IAM", "the signature"},
	{"JWT, Cognito", "the token"},
	{"CUSTOM", "your function's answer"},
}

// request draws the way of a request.
func request(t theme) *canvas {
	c := &canvas{theme: t, height: 372, title: "The way of a request",
		desc: "A client sends a request to Envoy. Envoy asks portcullis by ext_authz. portcullis finds the API, the stage and the route. " +
			"The route names one of four controls: NONE, AWS_IAM, a token (JWT or Cognito), or CUSTOM, which is a function. Then policies allow or deny. " +
			"Envoy sends an allowed request on to your service, and answers a denied one with portcullis' error."}
	c.labelled(16, 24, 130, 56, c.line, "Client", "")
	c.labelled(290, 24, 250, 56, c.line, "Envoy", "")
	c.labelled(684, 24, 130, 56, c.line, "Your service", "")
	note := style{c.muted, "middle", 13, false}
	c.arrow("M146 42H288")
	c.text(217, 34, note, "request")
	c.arrow("M290 64H148")
	c.text(217, 84, note, "if denied: 401, 403")
	c.arrow("M540 52H682")
	c.text(611, 44, note, "if allowed")

	c.rect(16, 148, 798, 208, c.panel, "")
	c.text(415, 174, style{c.accent, "middle", 15, true}, "portcullis")
	c.labelled(36, 226, 150, 76, c.accent, "Find", "API, stage, route")
	c.labelled(644, 226, 150, 76, c.accent, "Decide", "by the policies")
	c.arrow("M350 80V118H111V224")
	c.text(230, 111, note, "ext_authz check")
	c.arrow("M719 226V118H480V82")
	c.text(600, 111, note, "allow or deny")
	for i, control := range controls {
		y := 190 + 40*float64(i)
		middle := y + 16
		c.rect(258, y, 314, 32, c.box, c.line)
		c.text(272, middle+5, style{c.ink, "start", 14, true}, control.name)
		c.text(558, middle+5, style{c.muted, "end", 13, false}, control.looksAt)
		c.path(fmt.Sprintf("M186 264C222 264 222 %g 258 %g", middle, middle))
		c.path(fmt.Sprintf("M572 %gC608 %g 608 264 644 264", middle, middle))
	}
	return c
}
