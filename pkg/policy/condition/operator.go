package condition

import (
	"slices"
	"strings"
)

// family is a group of condition operators that read values alike.
type family uint8

const (
	familyString family = iota
	familyStringFold
	familyStringLike
	familyNumeric
	familyDate
	familyBool
	familyBinary
	familyAddress
	familyARN
	familyNull
)

// comparison is how a Numeric or Date operator compares the request's value with the policy's.
type comparison uint8

const (
	equal comparison = iota
	less
	lessEqual
	greater
	greaterEqual
)

// holds reports whether the operator holds for the result of comparing the request's value with the policy's.
func (c comparison) holds(order int) bool {
	switch c {
	case less:
		return order < 0
	case lessEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterEqual:
		return order >= 0
	case equal:
	}
	return order == 0
}

// quantifier is a condition set operator, for multivalued keys.
type quantifier uint8

const (
	single quantifier = iota
	forAllValues
	forAnyValue
)

// Operator is a condition operator as the IAM User Guide's page "Condition operators" has them.
type Operator struct {
	family     family
	comparison comparison
	negated    bool
	ifExists   bool
	quantifier quantifier
}

var baseOperators = map[string]Operator{
	"StringEquals":              {family: familyString},
	"StringNotEquals":           {family: familyString, negated: true},
	"StringEqualsIgnoreCase":    {family: familyStringFold},
	"StringNotEqualsIgnoreCase": {family: familyStringFold, negated: true},
	"StringLike":                {family: familyStringLike},
	"StringNotLike":             {family: familyStringLike, negated: true},
	"NumericEquals":             {family: familyNumeric},
	"NumericNotEquals":          {family: familyNumeric, negated: true},
	"NumericLessThan":           {family: familyNumeric, comparison: less},
	"NumericLessThanEquals":     {family: familyNumeric, comparison: lessEqual},
	"NumericGreaterThan":        {family: familyNumeric, comparison: greater},
	"NumericGreaterThanEquals":  {family: familyNumeric, comparison: greaterEqual},
	"DateEquals":                {family: familyDate},
	"DateNotEquals":             {family: familyDate, negated: true},
	"DateLessThan":              {family: familyDate, comparison: less},
	"DateLessThanEquals":        {family: familyDate, comparison: lessEqual},
	"DateGreaterThan":           {family: familyDate, comparison: greater},
	"DateGreaterThanEquals":     {family: familyDate, comparison: greaterEqual},
	"Bool":                      {family: familyBool},
	"BinaryEquals":              {family: familyBinary},
	"IpAddress":                 {family: familyAddress},
	"NotIpAddress":              {family: familyAddress, negated: true},
	"ArnEquals":                 {family: familyARN},
	"ArnLike":                   {family: familyARN},
	"ArnNotEquals":              {family: familyARN, negated: true},
	"ArnNotLike":                {family: familyARN, negated: true},
	"Null":                      {family: familyNull},
}

// ParseOperator reads [ForAllValues:|ForAnyValue:]Base[IfExists], or says what is wrong with it.
//
// Choice: the spelling is exact; AWS's documents do not say whether case matters.
func ParseOperator(text string) (Operator, string) {
	base, quantifier := text, single
	if rest, ok := strings.CutPrefix(text, "ForAllValues:"); ok {
		base, quantifier = rest, forAllValues
	} else if rest, ok := strings.CutPrefix(text, "ForAnyValue:"); ok {
		base, quantifier = rest, forAnyValue
	}
	base, ifExists := strings.CutSuffix(base, "IfExists")
	op, ok := baseOperators[base]
	if !ok {
		return Operator{}, "is not a condition operator; " + suggestOperator(text)
	}
	if op.family == familyNull && (ifExists || quantifier != single) {
		return Operator{}, "is not a condition operator: Null asks whether a key exists, with nothing before or after it; write Null"
	}
	op.quantifier, op.ifExists = quantifier, ifExists
	return op, ""
}

func suggestOperator(text string) string {
	for base := range baseOperators {
		for _, prefix := range []string{"", "ForAllValues:", "ForAnyValue:"} {
			for _, suffix := range []string{"", "IfExists"} {
				if strings.EqualFold(text, prefix+base+suffix) {
					return "write " + prefix + base + suffix
				}
			}
		}
	}
	known := make([]string, 0, len(baseOperators))
	for base := range baseOperators {
		known = append(known, base)
	}
	slices.Sort(known)
	return "there are " + strings.Join(known, ", ") + ", with ForAllValues: or ForAnyValue: before and IfExists after them"
}
