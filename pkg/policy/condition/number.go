package condition

import (
	"cmp"
	"strconv"
	"strings"
)

// number is a decimal number of any length, as digits without zeros that mean nothing; nothing rounds. Integers of up to 18
// digits are kept as such, too.
type number struct {
	negative    bool
	whole, frac string
	small       int64
	isSmall     bool
}

// parseNumber reads an integer or a decimal: digits with an optional sign and point.
func parseNumber(text string) (number, bool) {
	n := number{}
	switch {
	case strings.HasPrefix(text, "-"):
		n.negative, text = true, text[1:]
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	whole, frac, point := strings.Cut(text, ".")
	if digits(whole) != len(whole) || digits(frac) != len(frac) || whole == "" || point && frac == "" {
		return number{}, false
	}
	n.whole, n.frac = strings.TrimLeft(whole, "0"), strings.TrimRight(frac, "0")
	n.negative = n.negative && (n.whole != "" || n.frac != "")
	if n.frac == "" && len(n.whole) <= 18 {
		n.small, n.isSmall = n.integer(), true
	}
	return n, true
}

func (n number) integer() int64 {
	var v int64
	for _, c := range []byte(n.whole) {
		v = v*10 + int64(c-'0')
	}
	if n.negative {
		return -v
	}
	return v
}

// compare orders two numbers.
func (n number) compare(m number) int {
	if n.isSmall && m.isSmall {
		return cmp.Compare(n.small, m.small)
	}
	n, m = n.spelled(), m.spelled()
	if n.negative != m.negative {
		if n.negative {
			return -1
		}
		return 1
	}
	c := cmp.Or(cmp.Compare(len(n.whole), len(m.whole)), strings.Compare(n.whole, m.whole), strings.Compare(n.frac, m.frac))
	if n.negative {
		return -c
	}
	return c
}

// asNumber reads a request's value as a number.
func (v Value) asNumber() (number, bool) {
	switch v.kind {
	case stringValue:
		return parseNumber(v.text)
	case numberValue:
		return integerNumber(v.n), true
	default:
		return number{}, false
	}
}

// integerNumber has its digits only where an integer comparison does not suffice.
func integerNumber(v int64) number { return number{small: v, isSmall: true} }

// spelled is the number with its digits.
func (n number) spelled() number {
	if n.isSmall && n.small != 0 && n.whole == "" {
		n, _ = parseNumber(strconv.FormatInt(n.small, 10))
	}
	return n
}

// digits counts the decimal digits that s begins with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}
