// Package source turns strict YAML or JSON files into a message, and tells of each value where it stands.
//
// It knows no message by its name: what a reader knows of its own messages beyond their descriptors is a Schema. What it makes of a
// file is a Document, whose values have Places (package fault); another reader may give values other Places.
//
// The way of a file: files.go reads the set so that it is of one moment, syntax.go parses YAML, plain.go refuses what YAML can say
// and a configuration must not, document.go finds values by their Places, decode.go fills a message, and rules.go checks the rules
// that stand in its .proto file.
package source
