package config

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// notShown stands for a text that may be a secret.
const notShown = `"…"`

// fieldsOfSecrets are the fields of config.proto that hold secrets, or texts in which people write them.
var fieldsOfSecrets = []string{"environment", "headers", "command", "url", "proxy", "password", "sentinelPassword", "key"}

// secretPath matches the paths to such fields, and to all below them.
var secretPath = regexp.MustCompile(
	`^functions\[(?:"(?:[^"\\]|\\.)*")\]\.(?:environment|headers|command|url|proxy)\b|^cache\.redis\.(?:password|sentinelPassword|key)\b`)

// quotedText matches what a message quotes.
var quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// withoutSecrets takes what a message quotes out of it, if it is about a place where that may be a secret. ARNs stay: they tell
// which entry it is.
func (r *report) withoutSecrets(at *path, message string) string {
	if !r.secrets && !placeOfSecrets(at) {
		return message
	}
	return quotedText.ReplaceAllStringFunc(message, func(text string) string {
		if strings.HasPrefix(text, `"arn:`) && !strings.Contains(text, "=") {
			return text
		}
		return notShown
	})
}

func placeOfSecrets(at *path) bool { return secretPath.MatchString(at.String()) }

// nodesOfSecrets are all nodes below fields of secrets.
func nodesOfSecrets(root *yaml.Node) map[*yaml.Node]bool {
	hidden := map[*yaml.Node]bool{}
	var walk func(n *yaml.Node, hide bool)
	walk = func(n *yaml.Node, hide bool) {
		if hide {
			hidden[n] = true
		}
		for i, content := range n.Content {
			isValue := n.Kind == yaml.MappingNode && i%2 == 1
			walk(content, hide || isValue && slices.Contains(fieldsOfSecrets, n.Content[i-1].Value))
		}
	}
	walk(root, false)
	return hidden
}

// plainName matches what looks like a field's name. Keys and passwords mostly do not.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]*[0-9]{0,2}[A-Za-z_-]*$`)

func isPlainName(name string) bool { return len(name) <= 32 && plainName.MatchString(name) }
