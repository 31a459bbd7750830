package main

// word is the effect of a policy on a request.
type word int

const (
	allow word = iota
	silent
	deny
)

var words = [...]string{"Allow", "silent", "Deny"}

// sameAccount reports whether a request passes by Table A of API Gateway's authorization flow: the API's own account, and
// functions. Either's Allow is enough.
func sameAccount(caller, resource word) bool {
	return caller != deny && resource != deny && (caller == allow || resource == allow)
}

// otherAccount reports whether a request passes by Table B, for callers of another account. Both must allow.
func otherAccount(caller, resource word) bool { return caller == allow && resource == allow }

// policies draws which policies combine for which authorization.
func policies(t theme) *canvas {
	c := &canvas{theme: t, height: 330, title: "Which policies decide",
		desc: "For NONE, JWT and Cognito the resource policy alone decides: a request passes if there is none, or if it says Allow. " +
			"For AWS_IAM within the API's account, and for CUSTOM, one Allow is enough: of the caller's side or of the resource policy. " +
			"For AWS_IAM of another account, both must say Allow. A Deny of either side always denies."}
	c.panelAt(8, 200, "NONE, JWT, Cognito", "the resource policy decides")
	for i, row := range [...]struct {
		says   string
		passes bool
	}{{"no policy", true}, {"Allow", true}, {"silent", false}, {"Deny", false}} {
		y := 112 + 44*float64(i)
		c.text(92, y+24, style{c.ink, "end", 14, false}, row.says)
		c.result(104, y, 92, row.passes)
	}
	c.table(220, "CUSTOM; AWS_IAM, same account", "one Allow is enough", sameAccount)
	c.table(526, "AWS_IAM, another account", "both must allow", otherAccount)
	c.text(415, 318, style{c.muted, "middle", 13, false}, "Deny always wins. Silent: no statement matches. In the tables, a missing policy is silent too.")
	return c
}

// panelAt draws the ground of one part, with its headings.
func (c *canvas) panelAt(x, w float64, title, subtitle string) {
	c.rect(x, 8, w, 286, c.panel, "")
	c.text(x+w/2, 34, style{c.ink, "middle", 14, true}, title)
	c.text(x+w/2, 56, style{c.accent, "middle", 13, false}, subtitle)
}

// table draws what two policies come to: the caller's side by rows, the resource policy by columns.
func (c *canvas) table(x float64, title, subtitle string, passes func(caller, resource word) bool) {
	c.panelAt(x, 296, title, subtitle)
	c.text(x+180, 82, style{c.muted, "middle", 13, false}, "resource policy")
	c.text(x+12, 82, style{c.muted, "start", 13, false}, "caller's policy")
	for i, says := range words {
		c.text(x+108+72*float64(i), 104, style{c.ink, "middle", 14, false}, says)
		c.text(x+12, 142+60*float64(i), style{c.ink, "start", 14, false}, says)
		for j := range words {
			c.result(x+76+72*float64(j), 112+60*float64(i), 64, passes(word(i), word(j)))
		}
	}
}

// result draws whether a request passes.
func (c *canvas) result(x, y, w float64, passes bool) {
	fill, ink, says := c.deny, c.denyInk, "denied"
	if passes {
		fill, ink, says = c.allow, c.allowInk, "passes"
	}
	h := 52.0
	if w > 64 {
		h = 36
	}
	c.rect(x, y, w, h, fill, "")
	c.text(x+w/2, y+h/2+5, style{ink, "middle", 14, passes}, says)
}
