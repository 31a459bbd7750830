// Package document reads values of an OpenAPI document: it follows references, fills texts, and says of a value why it is not known.
//
// A value that is not known is a Trouble, never text: an intrinsic function that nobody has resolved, a ${…} that nobody has replaced, or
// a reference that leads nowhere.
//
// To begin with, read Document.Text in value.go; then Document.Follow in ref.go.
package document
