package tree

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// The largest files that AWS takes: CloudFormation templates, and OpenAPI definitions that API Gateway imports.
const (
	maxTemplate = 1 << 20
	maxOpenAPI  = 6 << 20
)

// tooLarge refuses a file by its size, before it is parsed.
func tooLarge(file string, data []byte) fault.List {
	switch {
	case len(data) > maxOpenAPI:
		return fault.List{{File: file, Message: fmt.Sprintf("the file has %d bytes: API Gateway imports at most 6 MB; remove schemas and examples", len(data))}}
	case len(data) > maxTemplate && !isOpenAPI(source.WithoutMark(data)):
		return fault.List{{File: file, Message: fmt.Sprintf("the file has %d bytes: a template has at most 1 MB; move definitions to files of their own", len(data))}}
	}
	return nil
}

// maxEntries is how many lines, list items and nested values a YAML file may have. The YAML library takes about 6 µs and 600 bytes for each.
const maxEntries = 600_000

// tooMany refuses a YAML file by its entries, before it is parsed. Texts with commas count too, which is far from the bound.
func tooMany(file string, data []byte) fault.List {
	entries := bytes.Count(data, []byte("- "))
	for _, c := range []byte("\n,[{") {
		entries += bytes.Count(data, []byte{c})
	}
	if entries <= maxEntries {
		return nil
	}
	return fault.List{{File: file, Message: fmt.Sprintf("the file has about %d lines and list items, and may have %d: remove schemas and examples, or bring it as JSON", entries, maxEntries)}}
}

var (
	yamlVersion = regexp.MustCompile(`(?m)^["']?(?:openapi|swagger)["']?[ \t]*:`)
	jsonVersion = regexp.MustCompile(`^"(?:openapi|swagger)"\s*:`)
)

// isOpenAPI reports whether a file that is not parsed has an OpenAPI version on its top level.
func isOpenAPI(data []byte) bool {
	if text := bytes.TrimSpace(data); len(text) == 0 || text[0] != '{' {
		return yamlVersion.Match(data)
	}
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			if depth == 1 && jsonVersion.Match(data[i:min(i+64, len(data))]) {
				return true
			}
			i = closingQuote(data, i)
		}
	}
	return false
}

// closingQuote returns where the text ends that begins at a quote.
func closingQuote(data []byte, at int) int {
	for at++; at < len(data) && data[at] != '"'; at++ {
		if data[at] == '\\' {
			at++
		}
	}
	return at
}
