package routes

import (
	"iter"
	"slices"
	"strings"
)

// fresh is a path part that no route names.
const fresh = "portcullis-sample"

// samples yields paths of requests for each meeting of two paths of the stages.
func samples(before, after *stage) iter.Seq[string] {
	return func(yield func(string) bool) {
		all, depth := paths(before, after)
		for i, a := range all {
			for _, b := range all[i:] {
				parts, ok := meet(a, b)
				if !ok {
					continue
				}
				for _, sample := range lengths(parts, depth, before.kind == "HTTP") {
					if !yield(sample) {
						return
					}
				}
			}
		}
	}
}

// paths returns the parts of each path of the stages once, and how many parts the longest has. A default route has every path.
func paths(stages ...*stage) (all [][]string, depth int) {
	for _, s := range stages {
		for i := range s.routes {
			if s.routes[i].Path == "" {
				all = append(all, []string{})
			}
			all = append(all, s.routes[i].parts())
		}
	}
	slices.SortFunc(all, slices.Compare)
	all = slices.CompactFunc(all, slices.Equal)
	for _, parts := range all {
		depth = max(depth, len(parts))
	}
	return all, depth
}

// parts returns the parts of a route's path, nil for no route.
func (r *Route) parts() []string {
	switch {
	case r == nil:
		return nil
	case r.Path == "":
		return []string{"{proxy+}"}
	case r.Path == "/":
		return []string{}
	default:
		return strings.Split(r.Path[1:], "/")
	}
}

// meet returns the path of the requests that match two paths, if there are any.
func meet(a, b []string) (parts []string, ok bool) {
	for i := 0; ; i++ {
		switch {
		case i == len(a) || i == len(b):
			return parts, len(a) == len(b)
		case greedy(a[i]):
			return append(parts, b[i:]...), true
		case greedy(b[i]):
			return append(parts, a[i:]...), true
		case a[i] == b[i] || variable(b[i]):
			parts = append(parts, a[i])
		case variable(a[i]):
			parts = append(parts, b[i])
		default:
			return nil, false
		}
	}
}

func variable(part string) bool { return strings.HasPrefix(part, "{") }

func greedy(part string) bool { return strings.HasSuffix(part, "+}") }

// lengths returns a path for each length that a {name+} at the end can have before it is longer than every route. On an HTTP API it can
// be empty, and a slash at the end counts.
func lengths(parts []string, depth int, http bool) []string {
	var way []string
	for _, part := range parts {
		if variable(part) {
			part = fresh
		}
		way = append(way, part)
	}
	all := []string{"/" + strings.Join(way, "/")}
	if n := len(parts); n > 0 && greedy(parts[n-1]) {
		if http && n > 1 {
			all = append(all, "/"+strings.Join(way[:n-1], "/"))
		}
		for len(way) <= depth {
			way = append(way, fresh)
			all = append(all, "/"+strings.Join(way, "/"))
		}
	}
	if http {
		for _, path := range all {
			all = append(all, strings.TrimSuffix(path, "/")+"/")
		}
	}
	return all
}
