package authz

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// CompileExpression compiles an identityValidationExpression, which has to match the whole of a value. API Gateway's are Java's:
// what Go's cannot say is refused, and so is what both take and read differently, for it would let other callers through than it
// does there.
func CompileExpression(expression string) (*regexp.Regexp, error) {
	_, err := regexp.Compile(expression) // alone, for "a)|(b" is none and would be one within the brackets
	compiled, errWhole := regexp.Compile(`^(?:` + expression + `)$`)
	if err = cmp.Or(err, errWhole); err != nil {
		var syntaxErr *syntax.Error
		if errors.As(err, &syntaxErr) { // whose text repeats the expression, which may hold a secret
			err = errors.New(string(syntaxErr.Code))
		}
		return nil, fmt.Errorf("%w; look-around and back-references are not known here: write it without", err)
	}
	if err := readsAsInJava(expression); err != nil {
		return nil, err
	}
	return compiled, nil
}

var (
	errNestedClass  = errors.New(`a bracket that opens within brackets begins a class of its own in Java, and is itself here: write \[, or the characters in one class`)
	errIntersection = errors.New(`&& within brackets means what both classes have in Java, and itself here: write & once, or the characters in one class`)
)

// readsAsInJava refuses character classes that Java and Go read differently. The expression is one of Go's.
func readsAsInJava(expression string) error {
	class := -1 // where the class began
	for i := 0; i < len(expression); i++ {
		switch c := expression[i]; {
		case c == '\\':
			i = escapeEnd(expression, i)
		case class < 0 && c == '[':
			class = i
			if i+1 < len(expression) && expression[i+1] == '^' {
				i++
			}
			if i+1 < len(expression) && expression[i+1] == ']' { // not the end, when it comes first
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

// escapeEnd returns where the escape ends that a backslash begins: \Q goes on to \E.
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
