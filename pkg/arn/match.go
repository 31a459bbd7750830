package arn

import (
	"strings"
	"unicode/utf8"
)

// TokenKind is the kind of a token of a pattern.
type TokenKind uint8

const (
	// Literal matches its text.
	Literal TokenKind = iota
	// AnyRun is "*": any number of characters, including none.
	AnyRun
	// AnyOne is "?": one character.
	AnyOne
)

// Token is one element of a pattern. Text is empty unless Kind is Literal.
type Token struct {
	Kind TokenKind
	Text string
}

// Tokens compiles a pattern with the wildcards "*" and "?".
func Tokens(pattern string) []Token {
	var tokens []Token
	for pattern != "" {
		wild := strings.IndexAny(pattern, "*?")
		switch {
		case wild < 0:
			return append(tokens, Token{Text: pattern})
		case wild > 0:
			tokens = append(tokens, Token{Text: pattern[:wild]})
		}
		kind := AnyOne
		if pattern[wild] == '*' {
			kind = AnyRun
		}
		tokens = append(tokens, Token{Kind: kind})
		pattern = pattern[wild+1:]
	}
	return tokens
}

// Match reports whether the whole text fits the pattern.
func Match(tokens []Token, text string) bool {
	head := untilRun(tokens)
	n, ok := matchAt(tokens[:head], text)
	if !ok {
		return false
	}
	if head == len(tokens) {
		return n == len(text)
	}
	text, tokens = text[n:], tokens[head+1:]
	for {
		piece := untilRun(tokens)
		if piece == len(tokens) {
			return matchEnd(tokens, text)
		}
		end, ok := find(tokens[:piece], text)
		if !ok {
			return false
		}
		text, tokens = text[end:], tokens[piece+1:]
	}
}

// untilRun returns the number of tokens before the first "*".
func untilRun(tokens []Token) int {
	for i := range tokens {
		if tokens[i].Kind == AnyRun {
			return i
		}
	}
	return len(tokens)
}

// matchAt matches tokens without "*" at the beginning of text and returns the length of the match.
func matchAt(tokens []Token, text string) (int, bool) {
	n := 0
	for i := range tokens {
		if tokens[i].Kind == Literal {
			if !strings.HasPrefix(text[n:], tokens[i].Text) {
				return 0, false
			}
			n += len(tokens[i].Text)
			continue
		}
		_, size := utf8.DecodeRuneInString(text[n:])
		if size == 0 {
			return 0, false
		}
		n += size
	}
	return n, true
}

// matchEnd matches tokens without "*" at the end of text.
func matchEnd(tokens []Token, text string) bool {
	for i := len(tokens) - 1; i >= 0; i-- {
		if tokens[i].Kind == Literal {
			if !strings.HasSuffix(text, tokens[i].Text) {
				return false
			}
			text = text[:len(text)-len(tokens[i].Text)]
			continue
		}
		_, size := utf8.DecodeLastRuneInString(text)
		if size == 0 {
			return false
		}
		text = text[:len(text)-size]
	}
	return true
}

// find returns the end of the first match of tokens without "*".
func find(tokens []Token, text string) (int, bool) {
	if len(tokens) == 1 && tokens[0].Kind == Literal {
		at := strings.Index(text, tokens[0].Text)
		return at + len(tokens[0].Text), at >= 0
	}
	for at := 0; at <= len(text); {
		if n, ok := matchAt(tokens, text[at:]); ok {
			return at + n, true
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		at += max(size, 1)
	}
	return 0, false
}
