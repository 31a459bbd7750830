package source

import (
	"regexp"
	"slices"
	"strings"
)

// instead returns what to write in place of an unknown name.
func instead(meant string, names []string) string {
	if meant != "" {
		return "did you mean " + meant + "?"
	}
	return "write " + OneOf(names)
}

// OneOf joins names: a, b or c.
func OneOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// suggest is Suggest for a field, and also knows its names elsewhere.
func (s *Schema) suggest(given string, names []string) string {
	if ours := s.Elsewhere[letters(given)]; slices.Contains(names, ours) {
		return ours
	}
	return Suggest(given, names)
}

// Suggest returns the one of names that was probably meant, or "". It accepts a name with at most a third of its
// letters wrong, or with the same letters in another order.
func Suggest(given string, names []string) string {
	given = letters(given)
	best, meant := len(given)/3+1, ""
	for _, name := range names {
		if n := distance(given, letters(name), best); n < best {
			best, meant = n, name
		}
	}
	if meant == "" {
		if i := slices.IndexFunc(names, func(name string) bool { return sorted(letters(name)) == sorted(given) }); i >= 0 {
			meant = names[i]
		}
	}
	return meant
}

// sorted returns the bytes of a name in order, to find letters typed in the wrong order.
func sorted(name string) string {
	b := []byte(name)
	slices.Sort(b)
	return string(b)
}

// letters returns a name in lower case, without hyphens and underscores.
func letters(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
}

// distance returns the edit distance from a to b in bytes, or limit if it is not less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return min(row[len(b)], limit)
}

// plainName matches what looks like a field's name. Keys and passwords mostly do not.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]*[0-9]{0,2}[A-Za-z_-]*$`)

func isPlainName(name string) bool { return len(name) <= 32 && plainName.MatchString(name) }
