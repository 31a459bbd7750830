package cli

import (
	"errors"
	"fmt"
	"strings"
)

// Pairs are the values of a flag that is given several times.
type Pairs []string

func (p *Pairs) String() string { return strings.Join(*p, " ") }

func (p *Pairs) Set(text string) error {
	*p = append(*p, text)
	return nil
}

// Split reads each value of a flag as name=value.
func (p Pairs) Split(flag string) (map[string]string, error) {
	split := map[string]string{}
	for _, text := range p {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s: %q must be a name and a value with = between", flag, text)
		}
		if _, twice := split[name]; twice {
			return nil, fmt.Errorf("%s: %s is given twice", flag, name)
		}
		split[name] = value
	}
	return split, nil
}

// Number parses a whole number above 0; 0 means that the flag is not given.
func Number(to *int) func(string) error {
	return func(s string) error {
		var n int
		if _, err := fmt.Sscanf(s+"\n", "%d\n", &n); err != nil || n <= 0 {
			return errors.New("must be a whole number above 0")
		}
		*to = n
		return nil
	}
}
