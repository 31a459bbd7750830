package template

import (
	"fmt"
	"path"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// body puts the definition of an API in the place of the name of its file, or of the place in S3 where it lies.
func (s *resolver) body(id string, properties *tree.Node) *tree.Node {
	location := properties.Get("BodyS3Location")
	if location == nil {
		return properties
	}
	name, named := s.bodyFile(id, location)
	body, why := s.files.parse("", name)
	switch {
	case !named:
		if body = s.uploaded(location); body == nil {
			return properties
		}
	case body == nil:
		body = &tree.Node{Kind: tree.Unresolved, At: location.At, Unknown: &tree.Unknown{Message: why}}
	}
	made := *properties
	made.Pairs = nil
	for _, p := range properties.Pairs {
		if p.Key != "BodyS3Location" {
			made.Pairs = append(made.Pairs, p)
		}
	}
	return made.Set("Body", body)
}

// BodyKey returns the key of the value that names the file with the definition of an API.
func BodyKey(id string) string { return "BodyS3Location " + id }

// bodyFile returns the name of the file with the definition of an API, as the template or a value gives it.
func (s *resolver) bodyFile(id string, location *tree.Node) (string, bool) {
	if name, ok := location.Scalar(); ok && !strings.Contains(name, "://") {
		return name, true
	}
	if bucket, key, known := stored(location); known {
		if name, given := s.given("s3://" + bucket + "/" + key); given {
			return name, true
		}
	}
	return s.given(BodyKey(id))
}

// stored returns the bucket and the key of a place in S3, if they are known.
func stored(location *tree.Node) (bucket, key string, known bool) {
	bucket, isText := location.Get("Bucket").Scalar()
	key, known = location.Get("Key").Scalar()
	return bucket, key, isText && known
}

// uploaded returns the file that a tool has uploaded to a place in S3, if it lies beside the template: under the key or the last parts of
// it, or under the name that the AWS CDK gives what it uploads.
func (s *resolver) uploaded(location *tree.Node) *tree.Node {
	_, key, known := stored(location)
	if !known {
		return nil
	}
	names := append(withLastParts(key), "asset."+path.Base(key))
	for _, name := range names {
		body, why := s.files.parse("", name)
		switch {
		case body != nil:
			s.report.Approximate(location.At, "BodyS3Location", fmt.Sprintf("read from the file %s, which lies beside the template", body.At.File))
			return body
		case s.files.faults[name] != nil:
			return &tree.Node{Kind: tree.Unresolved, At: location.At, Unknown: &tree.Unknown{Message: why}}
		}
	}
	return nil
}

// withLastParts returns a path and its last parts, the longest first.
func withLastParts(name string) []string {
	var names []string
	for name != "" {
		names = append(names, name)
		_, name, _ = strings.Cut(name, "/")
	}
	return names
}
