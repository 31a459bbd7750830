// Package session makes and reads the session tokens of temporary credentials. A token holds its session, sealed under a key that all
// replicas share, so that no replica stores sessions.
package session
