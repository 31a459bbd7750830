package authz

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// CompileExpression compiles an identityValidationExpression, which must match a whole value. API Gateway uses Java's syntax.
// CompileExpression returns an error for what Go does not support, and for what Go and Java read differently, because such an expression
// would accept other callers than in API Gateway.
func CompileExpression(expression string) (*regexp.Regexp, error) {
	_, err := regexp.Compile(expression) // without the group, in which "a)|(b" would be valid
	compiled, errWhole := regexp.Compile(`^(?:` + expression + `)$`)
	if err = cmp.Or(err, errWhole); err != nil {
		var syntaxErr *syntax.Error
		if errors.As(err, &syntaxErr) { // its text repeats the expression, which may contain a secret
			err = errors.New(string(syntaxErr.Code))
		}
		return nil, fmt.Errorf("%w; write the expression without look-around and back-references, which are not supported", err)
	}
	if err := readsAsInJava(expression); err != nil {
		return nil, err
	}
	return compiled, nil
}

var (
	errNestedClass  = errors.New(`[ within a class begins a nested class in Java, but is a character here; write \[, or all characters in one class`)
	errIntersection = errors.New(`&& within a class intersects classes in Java, but is a character here; write & once, or all characters in one class`)
)

// readsAsInJava returns an error for character classes that Java and Go read differently. The expression must be valid in Go.
func readsAsInJava(expression string) error {
	class := -1 // where the class begins
	for i := 0; i < len(expression); i++ {
		switch c := expression[i]; {
		case c == '\\':
			i = escapeEnd(expression, i)
		case class < 0 && c == '[':
			class = i
			if i+1 < len(expression) && expression[i+1] == '^' {
				i++
			}
			if i+1 < len(expression) && expression[i+1] == ']' { // in the first place it does not end the class
				i++
			}
		case class < 0:
		case c == ']':
			class = -1
		case c == '[':
			return errNestedClass
		case c == '&' && expression[i-1] == '&':
			return errIntersection
		}
	}
	return nil
}

// escapeEnd returns the end of the escape that begins at a backslash. \Q extends to \E.
func escapeEnd(expression string, at int) int {
	if at+1 == len(expression) || expression[at+1] != 'Q' {
		return at + 1
	}
	for i := at + 2; i+1 < len(expression); i++ {
		if expression[i] == '\\' && expression[i+1] == 'E' {
			return i + 1
		}
	}
	return len(expression)
}
