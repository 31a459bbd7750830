package simulate

import "strings"

// ParseContextEntry reads a context entry in the AWS CLI's shorthand syntax,
//
//	ContextKeyName=aws:TagKeys,ContextKeyValues=a,b,ContextKeyType=stringList
//
// where values may stand in quotes and a list in brackets.
func ParseContextEntry(text string) (ContextEntry, error) {
	fields := map[string][]string{}
	name := ""
	for _, piece := range splitShorthand(text) {
		field, value, _ := strings.Cut(piece, "=")
		switch {
		case field == "ContextKeyName" || field == "ContextKeyValues" || field == "ContextKeyType":
			if _, twice := fields[field]; twice {
				return ContextEntry{}, invalid("%s: %s stands twice", quote(text), field)
			}
			name, piece = field, value
		case name != "ContextKeyValues":
			return ContextEntry{}, invalid("%s: %s is not a field; write ContextKeyName=KEY,ContextKeyValues=VALUE,ContextKeyType=TYPE", quote(text), quote(piece))
		}
		fields[name] = append(fields[name], piece)
	}
	values := fields["ContextKeyValues"]
	if len(fields) != 3 {
		return ContextEntry{}, invalid("%s: write ContextKeyName=KEY,ContextKeyValues=VALUE,ContextKeyType=TYPE", quote(text))
	}
	if last := len(values) - 1; strings.HasPrefix(values[0], "[") && strings.HasSuffix(values[last], "]") {
		values[0] = values[0][1:]
		values[last] = values[last][:len(values[last])-1]
	}
	return ContextEntry{fields["ContextKeyName"][0], values, fields["ContextKeyType"][0]}, nil
}

// splitShorthand splits at the commas outside of quotes, and takes the quotes away. A backslash keeps a quote.
func splitShorthand(text string) []string {
	var pieces []string
	var piece strings.Builder
	var quoted byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text) && (text[i+1] == '\'' || text[i+1] == '"'):
			i++
			piece.WriteByte(text[i])
		case quoted != 0 && c == quoted:
			quoted = 0
		case quoted == 0 && (c == '\'' || c == '"'):
			quoted = c
		case quoted == 0 && c == ',':
			pieces = append(pieces, piece.String())
			piece.Reset()
		default:
			piece.WriteByte(c)
		}
	}
	return append(pieces, piece.String())
}
