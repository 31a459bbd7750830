package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// What a review shows as the rest of a comment is never a route, in portcullis.yaml and in the files that it names.
func TestNothingHidesInAComment(t *testing.T) {
	hidden := "      - {route: GET /admin, authorization: NONE}\n"
	for _, c := range []rune{'\r', 0x85, 0x2028, 0x2029, 0x202e, 0x2066, 0x2069} {
		data := good + "      # pets are open" + string(c) + hidden
		got := tell(t, []txtar.File{{Name: "portcullis.yaml", Data: []byte(data)}})
		if want := fmt.Sprintf("portcullis.yaml:9:22: %U ", c); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%U: %q, want one fault at %s", c, got, want)
		}
	}
	for _, name := range []string{"policy.yaml", "policy.txt"} {
		story := []txtar.File{
			{Name: "portcullis.yaml", Data: []byte(strings.Replace(good, "    routes:", "    resourcePolicy: {file: "+name+"}\n    routes:", 1))},
			{Name: name, Data: []byte("Version: '2012-10-17'\nStatement: # nothing yet\u2028  {Effect: Allow, Principal: '*', Action: 'execute-api:Invoke', Resource: '*'}\n")},
		}
		if got := tell(t, story); !strings.HasPrefix(got, name+":2:25: U+2028 ") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := tell(t, []txtar.File{{Name: "portcullis.yaml", Data: []byte(good + `    gatewayResponses: {ACCESS_DENIED: {responseTemplates: {text/plain: "\u2028\u202e\r\N"}}}` + "\n")}}); got != "" {
		t.Errorf("written as escapes they are refused: %s", got)
	}
}

// A name that holds a line break makes no line of its own among the faults.
func TestNoFaultIsForged(t *testing.T) {
	const forged = `"a\nportcullis.yaml:1:1: forged"`
	for _, broken := range []string{
		"    authorizers: {" + forged + ": {jwt: {issuer: \"https://id.example.com\", audiences: [a]}}}\n    routes: [{route: GET /, authorizer: b}]\n",
		"    routes: [{route: GET /, authorization: NONE}]\n    resourcePolicy: {file: " + forged + "}\n",
	} {
		before, _, _ := strings.Cut(good, "    routes:")
		got := tell(t, []txtar.File{{Name: "portcullis.yaml", Data: []byte(before + broken)}})
		if strings.Contains("\n"+got, "\nportcullis.yaml:1:1: forged") {
			t.Errorf("forged: %q", got)
		}
		if !strings.Contains(got, "forged") {
			t.Errorf("nothing is told of the name: %q", got)
		}
	}
}

// A secret that was written where the name of its file or variable belongs is told by no fault.
func TestSecretInPlaceOfItsName(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	for _, place := range []string{"file", "env"} {
		written := "{" + place + ": " + secret + "}"
		redis := "cache: {redis: {addresses: [\"127.0.0.1:1\"], key: " + written + ", password: " + written + "}}\n"
		dir := signing(t,
			"portcullis.yaml", signedAPI+redis,
			"iam/keys.yaml", `accessKeys: [{id: ASIAX, secret: `+written+`, sessionToken: `+written+`, user: "arn:aws:iam::111122223333:user/alice"}]`)
		_, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
		if err == nil {
			t.Fatalf("%s: a secret that is not there was loaded", place)
		}
		if text := err.Error(); strings.Contains(text, "wJalr") || strings.Count(text, "\n") != 3 {
			t.Errorf("%s: want four faults that do not tell it:\n%s", place, text)
		}
	}
}
