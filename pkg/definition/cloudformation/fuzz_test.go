package cloudformation

import (
	"strings"
	"testing"
)

// guards are the ways in which a method may state its guard. Of these, only NONE opens it.
var guards = []string{
	"AuthorizationType: NONE", "AuthorizationType: AWS_IAM", "AuthorizationType: CUSTOM, AuthorizerId: !Ref Token", "AuthorizationType: CUSTOM, AuthorizerId: !Ref Maybe",
	"AuthorizationType: COGNITO_USER_POOLS, AuthorizerId: !Ref Pool", "AuthorizationType: !Ref Mode", "AuthorizationType: !If [Undecided, NONE, AWS_IAM]",
	"AuthorizationType: !ImportValue NONE", "AuthorizerId: !Ref Token", "ApiKeyRequired: false", "AuthorizationType: [NONE]", "AuthorizationType: {a: NONE}",
	"AuthorizationType: 'NONE '", "AuthorizationType: !Sub 'NO${Mode}'", "AuthorizationType: !Select [0, [AWS_IAM, NONE]]",
}

// FuzzGuards makes templates of methods with all kinds of guards, conditions and texts. No route is open that does not say NONE.
func FuzzGuards(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, "x", "Undecided")
	f.Add([]byte{0, 0, 1}, "NONE", "Is")
	f.Add([]byte{5, 6, 13}, "NE", "Not")
	f.Fuzz(func(t *testing.T, kinds []byte, mode, condition string) {
		if len(kinds) > len(guards) || strings.ContainsAny(condition, "\n\r{}[],:#&*!|>'\"%@`") {
			t.Skip()
		}
		var text strings.Builder
		text.WriteString(api)
		open := map[string]bool{}
		for i, kind := range kinds {
			guard := guards[int(kind)%len(guards)]
			path := string(rune('a' + i))
			open["GET /"+path] = guard == guards[0] || mode == "NONE" && strings.Contains(guard, "!Ref Mode") || mode == "NE" && strings.Contains(guard, "${Mode}") || mode == "x" && strings.Contains(guard, "!If")
			text.WriteString("  R" + path + ": {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: " + path + "}}\n")
			text.WriteString("  M" + path + ": {Type: AWS::ApiGateway::Method, Condition: \"" + condition + "\", Properties: {RestApiId: !Ref Api, ResourceId: !Ref R" + path + ", HttpMethod: GET, " + guard + "}}\n")
		}
		parameters := map[string]string{}
		if mode != "" {
			parameters["Mode"] = mode
		}
		for line := range strings.Lines(read(text.String(), parameters).routes()) {
			key, says, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if says == "authorization NONE" && !open[key] {
				t.Errorf("%s is open in\n%s", key, text.String())
			}
		}
	})
}

// FuzzRead reads any text as a template.
func FuzzRead(f *testing.F) {
	f.Add(method("AuthorizationType: NONE"))
	f.Add(httpAPIText)
	f.Fuzz(func(_ *testing.T, text string) { read(text, nil).routes() })
}
