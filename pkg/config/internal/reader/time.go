package reader

import (
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Span is the range of allowed times.
type Span struct{ Least, Most time.Duration }

// examples returns allowed times, as they are written.
func (s Span) examples() string {
	var fit []string
	for _, text := range []string{"100ms", "1s", "30s", "5m", "1h"} {
		if d, err := time.ParseDuration(text); err == nil && s.Least <= d && d <= s.Most {
			fit = append(fit, text)
		}
	}
	return source.OneOf(fit)
}

// Duration reads a time such as 300s. It returns otherwise if there is no value.
func (r *Reader) Duration(text string, at *fault.Place, within Span, otherwise time.Duration) time.Duration {
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < within.Least || d > within.Most {
		r.IfNew(at, at.Label()+" must be a time from "+shortest(within.Least)+" to "+shortest(within.Most)+", with its unit, such as "+within.examples())
		return otherwise
	}
	return d
}

// shortest formats a time as people write it: 5m, not 5m0s.
func shortest(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Instant reads a point in time. It returns the zero time if there is no value.
func (r *Reader) Instant(text string, at *fault.Place) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.IfNew(at, at.Label()+" must be a time such as 2027-01-01T00:00:00Z")
	}
	return t
}
