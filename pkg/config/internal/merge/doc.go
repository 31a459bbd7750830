// Package merge replaces each API of portcullis.yaml that names a definition by what the definition says and what
// stands beside it.
//
// merge.go reads the definitions, beside.go merges a definition with the fields beside it, and invent.go adds what a
// definition without a portcullis.yaml lacks.
package merge
