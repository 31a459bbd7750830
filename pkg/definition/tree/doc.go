// Package tree holds the values of an API definition: of an OpenAPI file, a SAM or a CloudFormation template. Each value knows the
// file, line and column where it is written, through includes, aliases and intrinsic functions.
//
// Parse reads YAML or JSON. Package template replaces intrinsic functions by their values; what nothing decides stays in the tree as
// an Unresolved value, and what names a resource of the template as a Reference. So a value that no part of an API asks for may stay
// unknown, and one that guards may not.
//
// To begin with, read Node in node.go; then Parse in parse.go.
package tree
