package canon

import "strings"

// Spell returns the ARN of a path: a stage's prefix, a method and the path. It appends to others the ARNs of the same path without a slash
// and with one slash at its end. All of them share one string. The root has no others.
func Spell(prefix, method, path string, others []string) (arn string, all []string) {
	trimmed := TrimTrailing(path)
	if trimmed == "" {
		return prefix + method + "/", others
	}
	var b strings.Builder
	b.Grow(len(prefix) + len(method) + len(path) + 1)
	b.WriteString(prefix)
	b.WriteString(method)
	b.WriteString(path)
	length, bare := b.Len(), b.Len()-len(path)+len(trimmed)
	if length == bare {
		b.WriteByte('/')
	}
	text := b.String()
	for _, end := range [...]int{bare, bare + 1} {
		if end != length {
			others = append(others, text[:end])
		}
	}
	return text[:length], others
}
