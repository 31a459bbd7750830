package answer

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Custom is an API's own form of a response type ("Gateway responses in API Gateway").
type Custom struct {
	// Status replaces the type's unless it is zero.
	Status  int
	Headers []MappedHeader
	// ContentType and Body replace the default body unless ContentType is empty.
	ContentType string
	Body        Template
	// Escape is the default body's format.
	Escape Format
}

// appendHeaders adds the customized headers, which replace headers of the same name. It omits values that a header cannot carry.
func (c *Custom) appendHeaders(headers []authz.Field, values Values) []authz.Field {
	for _, h := range c.Headers {
		value, ok := values.Value(h.Value)
		if !ok || !IsHeaderValue(value) {
			continue
		}
		same := func(f authz.Field) bool { return strings.EqualFold(f.Name, h.Name) }
		if i := slices.IndexFunc(headers, same); i >= 0 {
			headers[i].Value = value
			continue
		}
		headers = append(headers, authz.Field{Name: h.Name, Value: value})
	}
	return headers
}
