package strictjson

// Places turns offsets into lines and columns. For ascending offsets, it reads the text once.
type Places[T string | []byte] struct {
	text         T
	at           int
	line, column int // passed before at
}

// NewPlaces returns the Places of a text.
func NewPlaces[T string | []byte](text T) Places[T] { return Places[T]{text: text} }

// At returns the line and column of an offset. Both start at 1; columns count characters.
func (p *Places[T]) At(offset int) (line, column int) {
	if offset < p.at {
		p.at, p.line, p.column = 0, 0, 0
	}
	for ; p.at < offset && p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '\n':
			p.line, p.column = p.line+1, 0
		case c&0xc0 != 0x80: // the first byte of a character
			p.column++
		}
	}
	return p.line + 1, p.column + 1
}
