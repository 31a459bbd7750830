package openapi

import (
	"fmt"
	"testing"
)

// TestPairsOfSchemes takes each two security schemes, in one entry of security and in two, with each x-amazon-apigateway-auth. What
// guards the operation is decided here by counting.
func TestPairsOfSchemes(t *testing.T) {
	guards := map[string]string{"token": "authorizer token", "pool": "authorizer pool", "iam": "authorization AWS_IAM"}
	ignored := map[string]bool{"bearer": true, "basic": true, "query": true, "other": true}
	broken := map[string]bool{"half": true, "two": true, "more": true, "unknown": true, "nobody": true}
	names := []string{"", "NONE", "key", "token", "pool", "iam", "bearer", "basic", "query", "other", "half", "two", "more", "unknown", "nobody"}
	want := func(auth string, asked ...string) string {
		found, key, wants := map[string]bool{}, false, false
		if auth == "AWS_IAM" {
			found[guards["iam"]] = true
		}
		for _, name := range asked {
			if broken[name] {
				return "unresolved"
			}
			if guards[name] != "" {
				found[guards[name]] = true
			}
			key, wants = key || name == "key", wants || ignored[name]
		}
		result := "authorization NONE"
		switch {
		case len(found) > 1, len(found) == 1 && auth == "NONE", len(found) == 0 && wants:
			return "unresolved"
		case len(found) == 1:
			for result = range found {
			}
		}
		if key {
			result += ", apiKeyRequired true"
		}
		return result
	}
	entry := func(name string) string {
		if name == "" {
			return ""
		}
		return name + ": []"
	}
	for _, auth := range []string{"", "NONE", "AWS_IAM"} {
		extension := ""
		if auth != "" {
			extension = ", x-amazon-apigateway-auth: {type: " + auth + "}"
		}
		for _, a := range names {
			for _, b := range names {
				forms := []string{fmt.Sprintf("[{%s}, {%s}]", entry(a), entry(b))}
				if a != b && a != "" && b != "" {
					forms = append(forms, fmt.Sprintf("[{%s, %s}]", entry(a), entry(b)))
				}
				for _, form := range forms {
					op := "{security: " + form + extension + "}"
					check(t, op, read(t, schemes+op, rest), "GET /a: "+want(auth, a, b))
				}
			}
		}
	}
}
