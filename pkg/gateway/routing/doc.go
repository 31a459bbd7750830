// Package routing finds the route of a canonical path and a method, as REST APIs and HTTP APIs do. What a route holds is the caller's:
// a Table keeps pointers to it, and nil is not a route. The time of a look-up is bounded by the routes, whatever the path.
//
// Start with Table.
package routing
