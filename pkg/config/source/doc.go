// Package source reads strict YAML or JSON files into messages, and knows the position of each value.
//
// It does not know any message by name. A Schema describes messages beyond their descriptors. A file becomes a
// Document, whose values have Places (package fault). Another reader may give values other Places.
//
// files.go reads a consistent set of files. syntax.go parses YAML. plain.go refuses YAML features that a configuration
// must not use. document.go finds values by their Places. decode.go fills a message. rules.go checks the rules in its
// .proto file.
package source
