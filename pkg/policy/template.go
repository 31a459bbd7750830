package policy

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
)

// template is text of a policy in which wildcards and policy variables may stand, compiled.
//
// What a variable stands for is data: it is put in place as literal text at evaluation, so that a "*" or "${" in a tag or a
// name is never a wildcard or a variable. (AWS's documents are silent on wildcards in values; this is the safe reading.)
type template struct {
	// literal is the whole text where there is neither wildcard nor variable: tokens is nil then.
	literal string
	tokens  []arn.Token
	// variables are the variables among the tokens, by position; their tokens' own text is empty.
	variables []variable
}

// variable is ${key} or ${key, 'default'}.
type variable struct {
	token       int
	key         *Key
	otherwise   string
	hasDefault  bool
	placeholder string // as written
}

// special are the three characters that a policy variable writes literally.
var special = map[string]string{"*": "*", "?": "?", "$": "$"}

// compileTemplate compiles text; with variables set, ${…} is a policy variable, with wildcards set, "*" and "?" are wildcards.
// It returns what is wrong with the text.
func compileTemplate(text string, variables, wildcards bool) (template, string) {
	c := templateCompiler{wildcards: wildcards}
	for variables {
		start := strings.Index(text, "${")
		if start < 0 {
			break
		}
		c.text(text[:start])
		inner, rest, problem := cutVariable(text[start:])
		if problem != "" {
			return template{}, problem
		}
		if problem := c.variable(inner); problem != "" {
			return template{}, problem
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
	t         template
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
	last := len(c.t.tokens) - 1
	if token.Kind == arn.Literal && last >= 0 && c.t.tokens[last].Kind == arn.Literal && !c.isVariable(last) {
		c.t.tokens[last].Text += token.Text
		return
	}
	c.t.tokens = append(c.t.tokens, token)
}

func (c *templateCompiler) isVariable(token int) bool {
	n := len(c.t.variables)
	return n > 0 && c.t.variables[n-1].token == token
}

func (c *templateCompiler) variable(inner string) (problem string) {
	if literal, ok := special[inner]; ok {
		c.add(arn.Token{Text: literal})
		return ""
	}
	v := variable{placeholder: "${" + inner + "}"}
	name, otherwise, hasDefault := strings.Cut(inner, ",")
	if hasDefault {
		quoted, ok := strings.CutPrefix(otherwise, " '")
		if v.otherwise, v.hasDefault = strings.CutSuffix(quoted, "'"); !ok || !v.hasDefault {
			return "has the variable " + v.placeholder + ", which cannot be read; write ${key, 'default'}"
		}
	}
	if problem := keyProblem(name); problem != "" {
		return "has the variable " + v.placeholder + ", whose key " + problem
	}
	v.key = NewKey(name)
	c.t.tokens = append(c.t.tokens, arn.Token{})
	v.token = len(c.t.tokens) - 1
	c.t.variables = append(c.t.variables, v)
	return ""
}

func (c *templateCompiler) finish() template {
	t := c.t
	switch {
	case len(t.tokens) == 0:
		return template{}
	case len(t.tokens) == 1 && t.tokens[0].Kind == arn.Literal && len(t.variables) == 0:
		return template{literal: t.tokens[0].Text}
	}
	return t
}

func (t *template) isLiteral() bool { return t.tokens == nil }

// tokenBuffer holds the tokens of most templates while their variables are resolved.
type tokenBuffer [16]arn.Token

// resolve returns the tokens with the variables' values in place; false where a variable has neither value nor default: such
// text is null, which equals nothing.
func (t *template) resolve(ctx Context, buffer *tokenBuffer) ([]arn.Token, bool) {
	if len(t.variables) == 0 {
		return t.tokens, true
	}
	tokens := append(buffer[:0], t.tokens...)
	for i := range t.variables {
		text, ok := t.variables[i].value(ctx)
		if !ok {
			return nil, false
		}
		tokens[t.variables[i].token].Text = text
	}
	return tokens, true
}

// value is what the variable stands for: the key's single value if it is not empty, else the default.
func (v *variable) value(ctx Context) (string, bool) {
	if got, ok := lookup(ctx, v.key); ok && got.kind != listValue {
		if text := got.String(); text != "" {
			return text, true
		}
	}
	return v.otherwise, v.hasDefault
}

// match reports whether the text fits.
func (t *template) match(ctx Context, text string) bool {
	if t.isLiteral() {
		return t.literal == text
	}
	var buffer tokenBuffer
	tokens, ok := t.resolve(ctx, &buffer)
	return ok && arn.Match(tokens, text)
}

// lookup asks a context that may be nil.
func lookup(ctx Context, key *Key) (Value, bool) {
	if ctx == nil {
		return Value{}, false
	}
	return ctx.Lookup(key)
}
