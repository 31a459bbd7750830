// Package document reads a policy document, in JSON or YAML, into one kind of tree in which every value has its position. It knows
// nothing of policies: their grammar is in package policy.
//
// # Decisions
//
// 2026-11-23: a document is read into a small tree of its own, the same one for both notations. encoding/json hides duplicate
// keys, positions and invalid UTF-8, and the YAML library hides duplicate keys and turns account numbers into floats.
//
// 2026-11-28: a policy may stand as the AWS CLI prints an API's, with its quotes escaped once or twice. No JSON document begins so.
package document
