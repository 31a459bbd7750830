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

// A secret that was written where a name belongs is told by no fault.
func TestSecretInPlaceOfAName(t *testing.T) {
	const secret = "hunter2hunter2"
	const function = `functions: {"arn:aws:lambda:eu-west-1:111122223333:function:f": `
	for name, written := range map[string]string{
		"a variable as in a shell":            function + `{command: [/bin/sh], environment: {A=hunter2hunter2: x}}}`,
		"a variable without a value":          function + `{command: [/bin/sh], environment: {A=hunter2hunter2}}}`,
		"a secret in place of a variable":     function + `{command: [/bin/sh], environment: {hunter2hunter2}}}`,
		"fields in place of a value":          function + `{command: [/bin/sh], environment: {hunter2hunter2: {a: b}}}}`,
		"a variable twice":                    function + `{command: [/bin/sh], environment: {hunter2hunter2: a, hunter2hunter2: b}}}`,
		"a value with a NUL":                  function + `{command: [/bin/sh], environment: {hunter2hunter2: "\0"}}}`,
		"a list of variables":                 function + `{command: [/bin/sh], environment: [A=hunter2hunter2]}}`,
		"a text":                              function + `{command: [/bin/sh], environment: A=hunter2hunter2}}`,
		"a variable before a command":         function + `{command: [A=hunter2hunter2, ./run]}}`,
		"a secret before a command":           function + `{command: [hunter2hunter2]}}`,
		"a path before a command":             function + `{command: [./hunter2hunter2]}}`,
		"a secret with a NUL":                 function + `{command: ["hunter2hunter2\0"]}}`,
		"a variable beside the fields":        function + `{command: [/bin/sh], A=hunter2hunter2: x}}`,
		"a secret beside the fields":          function + `{command: [/bin/sh], hunter2hunter2: x}}`,
		"a header in one":                     function + `{url: "http://127.0.0.1:1", headers: {"authorization: hunter2hunter2": {value: x}}}}`,
		"a header's value as a field":         function + `{url: "http://127.0.0.1:1", headers: {authorization: {hunter2hunter2}}}}`,
		"a header's value as a field with it": function + `{url: "http://127.0.0.1:1", headers: {authorization: {hunter2hunter2: x}}}}`,
		"a header twice":                      function + `{url: "http://127.0.0.1:1", headers: {hunter2hunter2: {value: x}, hunter2hunter2: {value: x}}}}`,
		"a header without a value":            function + `{url: "http://127.0.0.1:1", headers: {hunter2hunter2: }}}`,
		"an address with a password":          function + `{url: "http://a:hunter2hunter2@127.0.0.1:1"}}`,
		"an invalid address":                  function + `{url: "hunter2hunter2"}}`,
		"an invalid proxy":                    function + `{url: "http://127.0.0.1:1", proxy: "hunter2hunter2"}}`,
		"a password of Redis as a field":      `cache: {redis: {addresses: ["127.0.0.1:1"], password: {hunter2hunter2}, key: {hunter2hunter2: x}}}`,
		"a password of Redis as a text":       `cache: {redis: {addresses: ["127.0.0.1:1"], key: hunter2hunter2, password: [hunter2hunter2]}}`,
		"an address of Redis with a password": `cache: {redis: {addresses: ["redis://a:hunter2hunter2@127.0.0.1:1"]}}`,
		"fields of secrets in a wrong place":  `environment: {hunter2hunter2: x, hunter2hunter2: y}`,
		"an unknown field":                    `hunter2hunter2: x`,
		"an unknown field with an equal sign": `A=hunter2hunter2: x`,
		"an issuer with a password":           `issuers: {"https://a:hunter2hunter2@id.example.com": {jwksUri: "https://a:hunter2hunter2@id.example.com"}}`,
	} {
		got := tell(t, []txtar.File{{Name: "portcullis.yaml", Data: []byte(good + written + "\n")}})
		if got == "" || strings.Contains(got, secret) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A fault about an access key file does not quote one either, wherever in the file it is.
func TestSecretAnywhereInAKeyFile(t *testing.T) {
	for name, key := range map[string]string{
		"id":             `{id: hunter2hunter2/, secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}`,
		"an id twice":    `{id: hunter2hunter2, secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}, {id: hunter2hunter2, secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}`,
		"user":           `{id: AKIAX, secret: {value: x}, user: hunter2hunter2}`,
		"role":           `{id: ASIAX, secret: {value: x}, sessionToken: {value: x}, role: hunter2hunter2, sessionName: "hunter2hunter2/"}`,
		"secret":         `{id: AKIAX, secret: {hunter2hunter2}, user: "arn:aws:iam::111122223333:user/alice"}`,
		"field":          `{id: AKIAX, hunter2hunter2: x, secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}`,
		"status":         `{id: AKIAX, status: hunter2hunter2, secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}`,
		"expires":        `{id: AKIAX, expires: hunter2hunter2, secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}`,
		"tag":            `{id: AKIAX, sessionTags: {hunter2hunter2: x, Hunter2hunter2: x}, secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}`,
		"tag's value":    `{id: AKIAX, sessionTags: {hunter2hunter2: [x]}, secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}`,
		"session policy": `{id: AKIAX, sessionPolicies: [{file: hunter2hunter2}], secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}`,
		"twice":          `{id: AKIAX, hunter2hunter2: x, hunter2hunter2: x, secret: {value: x}, user: "arn:aws:iam::111122223333:user/alice"}`,
	} {
		dir := signing(t, "portcullis.yaml", signedAPI, "iam/keys.yaml", "accessKeys: ["+key+"]")
		_, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
		if err == nil || strings.Contains(strings.ToLower(err.Error()), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
