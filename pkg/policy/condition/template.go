package condition

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
)

// Template is text of a policy in which wildcards and policy variables may stand, compiled.
//
// What a variable stands for is data: it is put in place as literal text at evaluation, so that a "*" or "${" in a tag or a
// name is never a wildcard or a variable. (AWS's documents are silent on wildcards in values; this is the safe reading.)
type Template struct {
	// Literal is the whole text where there is neither wildcard nor variable: tokens is nil then.
	Literal string
	Tokens  []arn.Token
	// Variables are the variables among the tokens, by position; their tokens' own text is empty.
	Variables []Variable
}

// Variable is ${key} or ${key, 'default'}.
type Variable struct {
	Token       int
	Key         *Key
	otherwise   string
	HasDefault  bool
	placeholder string // as written
}

// special are the three characters that a policy variable writes literally.
var special = map[string]string{"*": "*", "?": "?", "$": "$"}

// CompileTemplate compiles text; with variables set, ${…} is a policy variable, with wildcards set, "*" and "?" are wildcards.
// It returns what is wrong with the text.
func CompileTemplate(text string, variables, wildcards bool) (Template, string) {
	c := templateCompiler{wildcards: wildcards}
	for variables {
		start := strings.Index(text, "${")
		if start < 0 {
			break
		}
		c.text(text[:start])
		inner, rest, problem := cutVariable(text[start:])
		if problem != "" {
			return Template{}, problem
		}
		if problem := c.variable(inner); problem != "" {
			return Template{}, problem
		}
		text = rest
	}
	c.text(text)
	return c.finish(), ""
}

// cutVariable splits text that begins with a variable into what stands in its braces, and the rest.
func cutVariable(text string) (inner, rest, problem string) {
	end := strings.IndexByte(text, '}')
	if comma := strings.IndexByte(text, ','); comma >= 0 && comma < end {
		// The default may hold a closing brace itself.
		if close := strings.Index(text[comma:], "'}"); close >= 0 {
			end = comma + close + 1
		}
	}
	if end < 0 {
		return "", "", "has ${ without a closing brace; write ${$} for a dollar sign that is meant as text"
	}
	return text[len("${"):end], text[end+1:], ""
}

type templateCompiler struct {
	wildcards bool
	t         Template
}

func (c *templateCompiler) text(s string) {
	switch {
	case s == "":
	case c.wildcards:
		for _, token := range arn.Tokens(s) {
			c.add(token)
		}
	default:
		c.add(arn.Token{Text: s})
	}
}

// add appends a token, joining literals.
func (c *templateCompiler) add(token arn.Token) {
	last := len(c.t.Tokens) - 1
	if token.Kind == arn.Literal && last >= 0 && c.t.Tokens[last].Kind == arn.Literal && !c.isVariable(last) {
		c.t.Tokens[last].Text += token.Text
		return
	}
	c.t.Tokens = append(c.t.Tokens, token)
}

func (c *templateCompiler) isVariable(token int) bool {
	n := len(c.t.Variables)
	return n > 0 && c.t.Variables[n-1].Token == token
}

func (c *templateCompiler) variable(inner string) (problem string) {
	if literal, ok := special[inner]; ok {
		c.add(arn.Token{Text: literal})
		return ""
	}
	v := Variable{placeholder: "${" + inner + "}"}
	name, otherwise, hasDefault := strings.Cut(inner, ",")
	if hasDefault {
		quoted, ok := strings.CutPrefix(otherwise, " '")
		if v.otherwise, v.HasDefault = strings.CutSuffix(quoted, "'"); !ok || !v.HasDefault {
			return "has the variable " + v.placeholder + ", which cannot be read; write ${key, 'default'}"
		}
	}
	if problem := KeyProblem(name); problem != "" {
		return "has the variable " + v.placeholder + ", whose key " + problem
	}
	v.Key = NewKey(name)
	c.t.Tokens = append(c.t.Tokens, arn.Token{})
	v.Token = len(c.t.Tokens) - 1
	c.t.Variables = append(c.t.Variables, v)
	return ""
}

func (c *templateCompiler) finish() Template {
	t := c.t
	switch {
	case len(t.Tokens) == 0:
		return Template{}
	case len(t.Tokens) == 1 && t.Tokens[0].Kind == arn.Literal && len(t.Variables) == 0:
		return Template{Literal: t.Tokens[0].Text}
	}
	return t
}

func (t *Template) IsLiteral() bool { return t.Tokens == nil }

// tokenBuffer holds the tokens of most templates while their variables are resolved.
type tokenBuffer [16]arn.Token

// resolve returns the tokens with the variables' values in place; false where a variable has neither value nor default: such
// text is null, which equals nothing.
func (t *Template) resolve(ctx Context, buffer *tokenBuffer) ([]arn.Token, bool) {
	if len(t.Variables) == 0 {
		return t.Tokens, true
	}
	tokens := append(buffer[:0], t.Tokens...)
	for i := range t.Variables {
		text, ok := t.Variables[i].Value(ctx)
		if !ok {
			return nil, false
		}
		tokens[t.Variables[i].Token].Text = text
	}
	return tokens, true
}

// Value returns the value of the variable: the key's single value if it is not empty, else the default.
func (v *Variable) Value(ctx Context) (string, bool) {
	if got, ok := Lookup(ctx, v.Key); ok && got.kind != listValue {
		if text := got.String(); text != "" {
			return text, true
		}
	}
	return v.otherwise, v.HasDefault
}

// Match reports whether the text fits.
func (t *Template) Match(ctx Context, text string) bool {
	if t.IsLiteral() {
		return t.Literal == text
	}
	var buffer tokenBuffer
	tokens, ok := t.resolve(ctx, &buffer)
	return ok && arn.Match(tokens, text)
}

// Lookup asks a context that may be nil.
func Lookup(ctx Context, key *Key) (Value, bool) {
	if ctx == nil {
		return Value{}, false
	}
	return ctx.Lookup(key)
}
