package routing

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

const (
	// Any is the method of a route for every method: each of Methods on a REST API, each method in capitals on an HTTP API.
	Any = "ANY"
	// Default is the method of an HTTP API's route for requests that no other route matches. It has no resource.
	Default = "$default"
)

// Methods lists the methods that a route can have, besides Any and Default.
var Methods = [...]string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// Key names a route of an API.
type Key struct {
	// Method is one of Methods, Any, or Default.
	Method string
	// Resource is the resource path, such as "/", "/pets/{petId}" or "/{proxy+}"; empty with Default.
	Resource string
}

// String returns the route key as API Gateway writes it: "GET /pets/{petId}" or "$default".
func (k Key) String() string {
	if k.Method == Default {
		return Default
	}
	return k.Method + " " + k.Resource
}

// HasMethod reports whether a route can have the key's method.
func (k Key) HasMethod() bool {
	return k.Method == Any || k.Method == Default || slices.Contains(Methods[:], k.Method)
}

var (
	literalShape   = regexp.MustCompile(`^[A-Za-z0-9._:,~@$-]+$`)
	variables      = regexp.MustCompile(`\{[^}]*\}`)
	parameterShape = regexp.MustCompile(`^\{([A-Za-z0-9._:$-]+)(\+?)\}$`)
)

// parts splits the resource path into its path parts. It returns an error for a resource path that API Gateway refuses.
//
// 2026-11-23: a part may contain letters, digits and ._:,~@$-, a few characters more than in API Gateway.
func (k Key) parts() ([]string, error) {
	resource := k.Resource
	if resource == "/" {
		return nil, nil
	}
	if !strings.HasPrefix(resource, "/") {
		return nil, fmt.Errorf("%q is not a resource path, which begins with a slash; write one such as /pets/{petId}", resource)
	}
	parts := strings.Split(resource[1:], "/")
	var names []string
	for i, part := range parts {
		parameter := parameterShape.FindStringSubmatch(part)
		switch {
		case part == "":
			return nil, fmt.Errorf("%q has an empty path part; write it without doubled and trailing slashes", resource)
		case canon.IsDotSegment(part):
			return nil, fmt.Errorf("%q has a path part that no request can match; write it without dot segments", resource)
		case parameter == nil && !literalShape.MatchString(part):
			return nil, fmt.Errorf("%q has a path part %q that is not allowed; write letters, digits and ._:,~@$-, or {name}, or {name+} at the end", resource, part)
		case parameter == nil:
			continue
		case parameter[2] != "" && i != len(parts)-1:
			return nil, fmt.Errorf("%q continues after %s, which matches the rest of the path; write %[2]s last", resource, part)
		case slices.Contains(names, parameter[1]):
			return nil, fmt.Errorf("%q has two parameters with the name %q; write different names", resource, parameter[1])
		}
		names = append(names, parameter[1])
	}
	return parts, nil
}

// hasUpper reports whether a fixed path part contains a letter from A to Z.
func (k Key) hasUpper() bool { return canon.HasUpper(variables.ReplaceAllString(k.Resource, "")) }

// fold changes the fixed path parts to lower case and the parameters to one name. It returns the path.
func fold(parts []string) string {
	for i, part := range parts {
		if parameter := parameterShape.FindStringSubmatch(part); parameter == nil {
			parts[i] = canon.Lower(part)
		} else {
			parts[i] = "{x" + parameter[2] + "}"
		}
	}
	return strings.Join(parts, "/")
}

// Parameters returns the values of the path parameters in a canonical path that the route was found for.
func (k Key) Parameters(path string) []authz.Field {
	var values []authz.Field
	for part := range strings.SplitSeq(k.Resource, "/") {
		m := parameterShape.FindStringSubmatch(part)
		if m == nil {
			continue
		}
		if value, ok := k.Parameter(m[1], path); ok {
			values = append(values, authz.Field{Name: m[1], Value: value})
		}
	}
	return values
}

// Parameter returns the value of a path parameter in a canonical path that the route was found for.
func (k Key) Parameter(name, path string) (string, bool) {
	rest := canon.TrimTrailing(path)
	for part := range strings.SplitSeq(strings.TrimPrefix(k.Resource, "/"), "/") {
		if part == "{"+name+"+}" {
			return strings.TrimPrefix(rest, "/"), true
		}
		end := strings.IndexByte(rest[min(1, len(rest)):], '/') + 1
		if end == 0 {
			end = len(rest)
		}
		if part == "{"+name+"}" {
			return rest[1:end], true
		}
		rest = rest[end:]
	}
	return "", false
}
