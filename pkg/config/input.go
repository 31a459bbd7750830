package config

import "github.com/portcullis-authz/portcullis/pkg/definition"

// Input says what to load.
type Input struct {
	// Path is the configuration's file.
	Path string
	// Text, if any, is the configuration: Path is not read. Files that it names are relative to the folder of Path.
	Text []byte
	// Standalone is for a definition without a portcullis.yaml. It may lack what only serving needs, such as access keys.
	Standalone bool
	// Others are APIs of a Standalone's file that are not loaded. They are among the Snapshot's Definitions.
	Others []*definition.Definition
	// Places keeps the position of each value in Snapshot.Config. Positions need much memory.
	Places bool
}
