// Package routing finds the route of a canonical path and a method, as REST APIs and HTTP APIs do. The caller chooses the type of a route;
// a Table keeps pointers to routes, and nil is not a route. The routes bound the time of a look-up, whatever the path.
//
// Start with Table.
package routing
