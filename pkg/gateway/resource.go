package gateway

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// anyMethod stands for each of anyMethods.
const anyMethod = "ANY"

var (
	literalShape   = regexp.MustCompile(`^[A-Za-z0-9._:,~@$-]+$`)
	parameters     = regexp.MustCompile(`\{[^}]*\}`)
	parameterShape = regexp.MustCompile(`^\{([A-Za-z0-9._:$-]+)(\+?)\}$`)
)

// parseResource splits a resource path into its path parts and refuses what API Gateway refuses.
func parseResource(resource string) ([]string, error) {
	if resource == "/" {
		return nil, nil
	}
	if !strings.HasPrefix(resource, "/") {
		return nil, fmt.Errorf("%q is no resource path: it begins with a slash", resource)
	}
	parts := strings.Split(resource[1:], "/")
	var names []string
	for i, part := range parts {
		parameter := parameterShape.FindStringSubmatch(part)
		switch {
		case part == "":
			return nil, fmt.Errorf("%q has an empty path part: write it without doubled and trailing slashes", resource)
		case isDotSegment(part):
			return nil, fmt.Errorf("%q has a path part that no request can match: write it without dot segments", resource)
		case parameter == nil && !literalShape.MatchString(part):
			return nil, fmt.Errorf("%q has a path part %q that is not allowed; write letters, digits and ._:,~@$-, or {name}, or {name+} at the end", resource, part)
		case parameter == nil:
			continue
		case parameter[2] != "" && i != len(parts)-1:
			return nil, fmt.Errorf("%q goes on behind %s, which takes the rest of the path: write it last", resource, part)
		case slices.Contains(names, parameter[1]):
			return nil, fmt.Errorf("%q has two parameters of the name %q", resource, parameter[1])
		}
		names = append(names, parameter[1])
	}
	return parts, nil
}

// add puts a route into the resource tree.
func (t *router) add(parts []string, r *route) error {
	n := &t.root
	for _, part := range parts {
		child, err := n.child(part)
		if err != nil {
			return err
		}
		n = child
	}
	t.depth = max(t.depth, len(parts))
	if slices.ContainsFunc(n.routes, func(other *route) bool { return other.method == r.method }) {
		return fmt.Errorf("the route %s is written twice", r.key)
	}
	n.routes = append(n.routes, r)
	return nil
}

// foldRouter makes the router that looks paths up as if case did not count. Two resources that differ in case alone cannot be told apart
// there, nor by an upstream that ignores case: strictPaths refuses them.
func (a *api) foldRouter(routes []*route, at string, f *faults) {
	if !a.strictPaths {
		return
	}
	a.upper = slices.ContainsFunc(routes, func(r *route) bool { return hasUpper(parameters.ReplaceAllString(r.resource, "")) })
	spelled := map[string]string{}
	for i, r := range routes {
		parts, err := parseResource(r.resource)
		if err != nil { // $default, or a fault already
			continue
		}
		for i, part := range parts {
			if parameter := parameterShape.FindStringSubmatch(part); parameter == nil {
				parts[i] = lower(part)
			} else {
				parts[i] = "{x" + parameter[2] + "}"
			}
		}
		folded := strings.Join(parts, "/")
		if other, taken := spelled[folded]; taken && other != r.resource {
			f.add(routeAt(at, i)+".route", "strictPaths: %s differs from %s in case alone, and an upstream that ignores case takes one for the other: write it as %[2]s", r.resource, other)
		}
		spelled[folded] = r.resource
		_ = a.folded.add(parts, r) // that the route is written twice is a fault already
	}
	a.folded.folds = true
}

// child returns the child of a path part, and makes it if need be. A resource has one child of each kind of variable: with
// two, API Gateway could not tell which one a request means.
func (n *node) child(part string) (*node, error) {
	parameter := parameterShape.FindStringSubmatch(part)
	if parameter == nil {
		i, ok := slices.BinarySearchFunc(n.literals, part, byPart)
		if !ok {
			n.literals = slices.Insert(n.literals, i, &node{part: part})
		}
		return n.literals[i], nil
	}
	place := &n.variable
	if parameter[2] != "" {
		place = &n.greedy
	}
	if *place == nil {
		*place = &node{part: part}
	}
	if (*place).part != part {
		return nil, fmt.Errorf("%s stands beside %s: a resource can have one such child, write the same name", part, (*place).part)
	}
	return *place, nil
}
