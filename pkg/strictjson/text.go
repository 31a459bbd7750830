package strictjson

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads the text or name that begins here.
func (r *Reader[T]) str() (string, error) {
	text, err := r.decode()
	if err == nil && r.Each != nil {
		r.Each(text)
	}
	return text, err
}

// decode returns the value of a text. Without escapes, it is a part of the document.
func (r *Reader[T]) decode() (string, error) {
	r.at++
	from := r.at
	if err := r.plain(); err != nil {
		return "", err
	}
	if r.text[r.at] == '"' {
		r.at++
		return string(r.text[from : r.at-1]), nil
	}
	var b strings.Builder
	for {
		b.WriteString(string(r.text[from:r.at]))
		if r.next('"') {
			return b.String(), nil
		}
		c, err := r.escape()
		if err != nil {
			return "", err
		}
		b.WriteRune(c)
		from = r.at
		if err := r.plain(); err != nil {
			return "", err
		}
	}
}

// plain skips the characters up to the next quotation mark or backslash.
func (r *Reader[T]) plain() error {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"' || c == '\\':
			return nil
		case c < ' ':
			return r.fail(Syntax, "the text contains a control character; write it as an escape such as \\n")
		case c < utf8.RuneSelf:
			r.at++
		default:
			decoded, size := r.rune()
			if decoded == utf8.RuneError && size == 1 {
				return r.fail(NotUTF8, "the text is not UTF-8")
			}
			r.at += size
		}
	}
	return r.fail(Truncated, "the text has no closing quote")
}

// rune decodes the character that comes next.
func (r *Reader[T]) rune() (rune, int) {
	return utf8.DecodeRuneInString(string(r.text[r.at:min(r.at+utf8.UTFMax, len(r.text))]))
}

// Escape reads the escape, or both of a surrogate pair, at an offset of a text. It returns the character and the end of
// the escape, or false if JSON does not have the escape.
func Escape[T string | []byte](text T, offset int) (c rune, end int, ok bool) {
	r := Reader[T]{text: text, at: offset}
	c, err := r.escape()
	return c, r.at, err == nil
}

// escape reads an escape, or both of a surrogate pair.
func (r *Reader[T]) escape() (rune, error) {
	if len(r.text)-r.at < 2 {
		r.at = len(r.text)
		return 0, r.fail(Truncated, "the text has no closing quote")
	}
	c := r.text[r.at+1]
	if c == 'u' {
		return r.unicodeEscape()
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return 0, r.fail(Syntax, "not an escape of JSON; write a backslash as \\\\")
	}
	r.at += 2
	return rune("\"\\/\b\f\n\r\t"[i]), nil
}

func (r *Reader[T]) unicodeEscape() (rune, error) {
	const size = len(`\uXXXX`)
	c, ok := r.hex(r.at)
	switch {
	case !ok:
		return 0, r.fail(Syntax, "\\u needs four hexadecimal digits")
	case !utf16.IsSurrogate(c):
		r.at += size
		return c, nil
	}
	low, _ := r.hex(r.at + size)
	if c = utf16.DecodeRune(c, low); c == utf8.RuneError {
		return 0, r.fail(NotUnicode, "half of a surrogate pair is missing")
	}
	r.at += 2 * size
	return c, nil
}

// hex reads \uXXXX at an offset.
func (r *Reader[T]) hex(at int) (n rune, ok bool) {
	if len(r.text)-at < len(`\uXXXX`) || r.text[at] != '\\' || r.text[at+1] != 'u' {
		return 0, false
	}
	for i := at + 2; i < at+6; i++ {
		switch c := r.text[i]; {
		case '0' <= c && c <= '9':
			n = n<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
