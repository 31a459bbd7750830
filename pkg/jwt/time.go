package jwt

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// farthest is the last second that is told apart, in the year 2255. What is later is this.
const farthest = 9_000_000_000

const second = 1_000_000_000

// numericDate reads a NumericDate (RFC 7519, section 2) in nanoseconds since 1970. A fraction finer than that is rounded down, or
// up: towards what refuses.
func numericDate(literal string, up bool) (int64, bool) {
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return clamp(n) * second, true
	}
	if len(literal) > 40 || !smallExponent(literal) {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(literal)
	if !ok {
		return 0, false
	}
	if limit := new(big.Rat).SetInt64(farthest); r.Cmp(limit) > 0 {
		return farthest * second, true
	} else if r.Cmp(limit.Neg(limit)) < 0 {
		return -farthest * second, true
	}
	r.Mul(r, new(big.Rat).SetInt64(second))
	quotient, rest := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int)) // towards negative infinity
	if up && rest.Sign() != 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient.Int64(), quotient.IsInt64()
}

func clamp(n int64) int64 { return max(min(n, farthest), -farthest) }

// smallExponent keeps a short text from standing for an enormous number.
func smallExponent(literal string) bool {
	i := strings.IndexAny(literal, "eE")
	if i < 0 {
		return true
	}
	n, err := strconv.Atoi(literal[i+1:])
	return err == nil && math.Abs(float64(n)) <= 30
}
