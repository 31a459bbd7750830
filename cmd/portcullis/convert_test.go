package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/routes"
)

// hostile are texts that must stay texts in what convert prints.
var hostile = []string{
	"a\n  - route: GET /evil\n    authorization: NONE", "a # b", "# a", "a\u2028- b", "a\u0085b", "\x1b[2J", "'\"", "on", "~", "<<", "!!binary aGk=", "*a", "&a", "%a", "@a", "`", "0123",
	"1_000", "2001-01-01", "{a: b}", "[a]", "a: b", "a:", "- a", "---", "...", "? a", "| a", "> a", " a ", "\t", "", "\ufeffa", "a\r\nb", "é", "\U0001f415",
}

// FuzzConvert has texts stand in a definition, and in its name. What is converted has the same routes, and no others.
func FuzzConvert(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, "pets.json")
		f.Add("x", text)
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > 1000 || len(name) > 100 || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." || name == "" {
			return
		}
		definition := `{"openapi": "3.0.1", "info": {"title": T, "version": T}, "paths": {"/pets": {"get": {"operationId": T, "security": [{"gate": []}],
			"x-amazon-apigateway-integration": {"type": "mock"}}, "post": {"security": [{"users": ["s"]}], "x-amazon-apigateway-integration": {"type": "mock"}}}},
			"x-amazon-apigateway-policy": {"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
				"Resource": "execute-api:/*", "Condition": {"StringEquals": {"aws:UserAgent": [T, "b"]}}}]},
			"x-amazon-apigateway-gateway-responses": {"ACCESS_DENIED": {"responseTemplates": {"application/json": T}}},
			"components": {"securitySchemes": {
				"users": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "cognito_user_pools", "x-amazon-apigateway-authorizer":
					{"type": "cognito_user_pools", "providerARNs": ["arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbCdEfGhI"]}},
				"gate": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "custom", "x-amazon-apigateway-authorizer":
					{"type": "token", "identityValidationExpression": T,
					"authorizerUri": "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:gate/invocations"}}}}}`
		var encoded bytes.Buffer
		e := json.NewEncoder(&encoded)
		e.SetEscapeHTML(false)
		if err := e.Encode(text); err != nil {
			t.Fatal(err)
		}
		quoted := strings.TrimSpace(encoded.String())
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(strings.NewReplacer("T,", quoted+",", "T]", quoted+"]", ": T}", ": "+quoted+"}").Replace(definition)), 0o600); err != nil {
			return // a name that the file system does not take
		}
		in, err := config.Standalone{File: file}.Input()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := config.Convert(in, &out); err != nil {
			if out.Len() > 0 {
				t.Errorf("%v, and it printed %s", err, out.String())
			}
			return
		}
		if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && unicode.IsControl(r) }); i >= 0 {
			t.Errorf("a control character in\n%q", out.String())
		}
		converted := config.Input{Path: filepath.Join(filepath.Dir(file), "portcullis.yaml"), Text: out.Bytes(), Standalone: true}
		if diff := cmp.Diff(listed(t, in), listed(t, converted)); diff != "" {
			t.Errorf("the definition and what it is converted to differ (-want +got):\n%s\n%s", diff, out.String())
		}
	})
}

// listed returns the routes of a configuration, without their places.
func listed(t *testing.T, in config.Input) []routes.Route {
	t.Helper()
	in.Places = true
	s, err := config.LoadInput(in, pool.Dry())
	if err != nil {
		t.Fatalf("%v\n%s", err, in.Text)
	}
	defer s.Close()
	list := routes.List(s.Config)
	for i := range list {
		list[i].DefinedAt = ""
	}
	return list
}
