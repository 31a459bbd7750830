package template

import (
	"strings"
	"testing"
)

func TestFunctions(t *testing.T) {
	for _, test := range []struct{ name, expression, want string }{
		{"Ref of a parameter without a value", "!Ref Stage", "<?Ref Stage>"},
		{"Ref of a default", "!Ref Env", `"dev"^Env`},
		{"Ref of a list", "!Ref Nets", `["10.0.0.0/8"^Nets, "10.1.0.0/16"^Nets]^Nets`},
		{"Ref of a number", "!Ref Size", "3^Size"},
		{"Ref of SSM", "!Ref Path", "<?Ref Path>"},
		{"Ref of a resource", "!Ref Pool", "<Pool>"},
		{"Ref of the API", "!Ref Api", "<Api>"},
		{"Ref of a function", "!Ref Fn", `"Fn"`},
		{"account", "!Ref AWS::AccountId", `"111122223333"`},
		{"region", "!Ref AWS::Region", `"eu-west-1"`},
		{"partition", "!Ref AWS::Partition", `"aws"`},
		{"suffix", "!Ref AWS::URLSuffix", `"amazonaws.com"`},
		{"stack", "!Ref AWS::StackName", "<?Ref AWS::StackName>"},
		{"stack id", "!Ref AWS::StackId", "<?Ref AWS::StackId>"},
		{"topics", "!Ref AWS::NotificationARNs", "<?Ref AWS::NotificationARNs>"},
		{"no value", "{a: !Ref AWS::NoValue, b: [!Ref AWS::NoValue, c]}", `{b: ["c"]}`},

		{"GetAtt of a pool", "!GetAtt Pool.Arn", "<Pool.Arn>"},
		{"GetAtt as a list", "{'Fn::GetAtt': [Pool, Arn]}", "<Pool.Arn>"},
		{"GetAtt as a text", "{'Fn::GetAtt': Pool.Arn}", "<Pool.Arn>"},
		{"GetAtt by a function", "{'Fn::GetAtt': [!Sub 'Po${!x}ol', Arn]}", ""},
		{"ARN of a function", "!GetAtt Fn.Arn", `"arn:aws:lambda:eu-west-1:111122223333:function:Fn"`},
		{"ARN of a function with a name", "!GetAtt Named.Arn", `"arn:aws:lambda:eu-west-1:111122223333:function:dev-named"^Env`},
		{"ARN of an alias", "!Ref Alias", `"arn:aws:lambda:eu-west-1:111122223333:function:Fn:live"`},
		{"ARN of a version", "!Ref Version", `"arn:aws:lambda:eu-west-1:111122223333:function:dev-named"^Env`},
		{"root of the API", "!GetAtt Api.RootResourceId", "<Api.RootResourceId>"},

		{"Sub", "!Sub 'a-${Env}-${AWS::Region}'", `"a-dev-eu-west-1"^Env`},
		{"Sub with variables", "!Sub ['${x}${y}', {x: 1, y: !Ref Env}]", `"1dev"^Env`},
		{"Sub with a literal", "!Sub '${!Literal}${Env}'", `"${Literal}dev"^Env`},
		{"Sub of an attribute", "!Sub 'arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations'",
			`"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:Fn/invocations"`},
		{"Sub of the API", "!Sub 'execute-api:${Api}'", `"execute-api:a1b2c3d4e5"`},
		{"Sub of a resource", "!Sub 'https://${Pool}'", "<?Ref Pool>"},
		{"Sub of a resource alone", "!Sub '${Pool}'", "<Pool>"},
		{"Sub of an attribute alone", "!Sub '${Api.RootResourceId}'", "<Api.RootResourceId>"},
		{"Sub of a variable alone", "!Sub ['${x}', {x: !Ref Pool}]", "<Pool>"},
		{"Sub of what is not given", "!Sub '${Stage}/x'", "<?Ref Stage>"},
		{"Sub without an end", "!Sub 'a${b'", `"a${b"`},
		{"Sub with blanks", "!Sub '${ Env }'", `"dev"^Env`},
		{"Sub of a list", "!Sub '${Nets}'", `"10.0.0.0/8,10.1.0.0/16"^Nets`},

		{"Join", "!Join ['-', [a, !Ref Env, 1, true]]", `"a-dev-1-true"^Env`},
		{"Join of a list", "!Join ['|', !Ref Nets]", `"10.0.0.0/8|10.1.0.0/16"^Nets`},
		{"Join of a resource", "!Join ['/', [a, !Ref Pool]]", "<?Ref Pool>"},
		{"Join of a resource alone", "!Join ['', [!Ref Pool]]", "<Pool>"},
		{"Join without a value", "!Join ['-', [a, !Ref AWS::NoValue]]", `"a"`},

		{"Select", "!Select [1, [a, b]]", `"b"`},
		{"Select by text", "!Select ['0', !Ref Nets]", `"10.0.0.0/8"^Nets`},
		{"Select of what is known", "!Select [1, [!Ref Pool, b]]", `"b"`},
		{"Select of what is not known", "!Select [0, [!Ref Pool, b]]", "<Pool>"},
		{"Select of zones", "!Select [0, !GetAZs '']", "<?Fn::GetAZs eu-west-1>"},
		{"Split", "!Split [',', 'a,b']", `["a", "b"]`},
		{"Split of a default", "!Select [1, !Split ['e', !Ref Env]]", `"v"^Env`},
		{"Split of an attribute", "!Select [5, !Split [':', !GetAtt Pool.Arn]]", "<?Fn::GetAtt Pool.Arn>"},
		{"Split of a function's ARN", "!Select [6, !Split [':', !GetAtt Fn.Arn]]", `"Fn"`},

		{"FindInMap", "!FindInMap [ByRegion, !Ref AWS::Region, Pool]", `"p1"`},
		{"FindInMap of a list", "!FindInMap [ByRegion, eu-west-1, List]", `["a", "b"]`},
		{"FindInMap by a default", "!FindInMap [ByEnv, !Ref Env, Auth]", `"open"^Env`},
		{"FindInMap with a default value", "!FindInMap [ByEnv, x, Auth, {DefaultValue: !Ref Env}]", `"dev"^Env`},
		{"FindInMap without a value", "!FindInMap [ByEnv, x, Auth]", "<?Fn::FindInMap ByEnv.x.Auth>"},
		{"FindInMap by what is not known", "!FindInMap [ByEnv, !Ref Stage, Auth]", "<?Ref Stage>"},

		{"ImportValue", "!ImportValue pool-arn", "<?Fn::ImportValue pool-arn>"},
		{"ImportValue of a Sub", "{'Fn::ImportValue': !Sub '${Env}-arn'}", "<?Fn::ImportValue dev-arn>"},
		{"ImportValue of a part that is not known", "{'Fn::ImportValue': !Sub '${AWS::StackName}-arn'}", "<?Fn::ImportValue ${AWS::StackName}-arn>"},
		{"ImportValue of a Join", "{'Fn::ImportValue': !Join [':', [!Ref Stage, arn]]}", "<?Fn::ImportValue ${Stage}:arn>"},

		{"Base64", "{'Fn::Base64': !Ref Env}", `"ZGV2"^Env`},
		{"Cidr", "!Cidr [192.168.0.0/24, 3, 5]", `["192.168.0.0/27", "192.168.0.32/27", "192.168.0.64/27"]`},
		{"Cidr across bytes", "!Cidr [10.0.0.0/8, 2, 16]", `["10.0.0.0/16", "10.1.0.0/16"]`},
		{"Cidr of IPv6", "!Cidr ['2001:db8::/56', 2, 64]", `["2001:db8::/64", "2001:db8:0:1::/64"]`},
		{"ToJsonString", `{"Fn::ToJsonString": {a: !Ref Env, b: [1, true, null, "<"], c: {}}}`, `"{\"a\":\"dev\",\"b\":[1,true,null,\"\\u003c\"],\"c\":{}}"^Env`},
		{"Length", "{'Fn::Length': !Ref Nets}", "2^Nets"},

		{"If", "!If [Always, a, b]", `"a"`},
		{"If not", "!If [Never, a, b]", `"b"`},
		{"If by a default", "!If [IsDev, {a: [b]}, c]", `{a: ["b"^Env]^Env}^Env`},
		{"If not decided", "!If [IsProd, a, b]", "<?Ref Stage>"},
		{"If not decided between equals", "!If [IsProd, [a, 1], [a, '1']]", `["a", 1]`},
		{"If takes a property away", "{a: !If [IsDev, !Ref AWS::NoValue, NONE], b: c}", `{b: "c"}^Env`},
		{"If takes an item away", "[!If [IsDev, !Ref AWS::NoValue, NONE], c]", `["c"]^Env`},

		{"a dynamic reference", "'{{resolve:ssm:/a/b}}'", "<?{{resolve:ssm:/a/b}}>"},
		{"a dynamic reference by Sub", "!Sub '{{resolve:secretsmanager:${Env}:SecretString:key}}'", "<?{{resolve:secretsmanager:dev:SecretString:key}}>^Env"},
		{"an unknown function", "{'Fn::New': x}", "<?>"},
		{"Condition of a policy", "{Condition: {StringEquals: {a: b}}}", `{Condition: {StringEquals: {a: "b"}}}`},
		{"a property that is called Ref", "{Ref: a, b: c}", `{Ref: "a", b: "c"}`},
	} {
		got, faults := value(t, test.expression, inputs())
		if test.want == "" {
			if !faults.Fatal() {
				t.Errorf("%s: got %s, want a fault", test.name, show(got))
			}
			continue
		}
		if faults.Fatal() {
			t.Errorf("%s: %v", test.name, faults)
		} else if show(got) != test.want {
			t.Errorf("%s: got %s, want %s", test.name, show(got), test.want)
		}
	}
}

// What is given in values takes the place of what is not known.
func TestValues(t *testing.T) {
	in := inputs()
	in.Values = map[string]string{
		"Ref AWS::StackName": "pets", "Fn::ImportValue pets-arn": "arn:x", "{{resolve:ssm:/a}}": "A", "Fn::GetAZs eu-west-1": "eu-west-1a, eu-west-1b",
		"Ref Pool": "eu-west-1_AbC", "Ref Path": "arn:pool", "Condition IsProd": "true", "Fn::FindInMap ByEnv.x.Auth": "m", "Ref Fn": "pets-Fn-X1",
		"Fn::GetAtt Http.ApiEndpoint": "https://x", "Ref Other": "given",
	}
	for _, test := range []struct{ expression, want string }{
		{"!Ref AWS::StackName", `"pets"`},
		{"{'Fn::ImportValue': !Sub '${AWS::StackName}-arn'}", `"arn:x"`},
		{"'a {{resolve:ssm:/a}} b'", `"a A b"`},
		{"!Select [1, !GetAZs '']", `"eu-west-1b"`},
		{"!Ref Pool", `"eu-west-1_AbC"`},
		{"!GetAtt Pool.Arn", `"arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbC"`},
		{"!GetAtt Pool.ProviderURL", `"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"`},
		{"!Sub 'https://cognito-idp.${AWS::Region}.amazonaws.com/${Pool}'", `"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"`},
		{"!Ref Path", `"arn:pool"`},
		{"!If [IsProd, a, b]", `"a"`},
		{"!FindInMap [ByEnv, x, Auth]", `"m"`},
		{"!GetAtt Fn.Arn", `"arn:aws:lambda:eu-west-1:111122223333:function:pets-Fn-X1"`},
		{"!Ref Other", `"given"`},
	} {
		got, faults := value(t, test.expression, in)
		if faults.Fatal() {
			t.Errorf("%s: %v", test.expression, faults)
		} else if show(got) != test.want {
			t.Errorf("%s: got %s, want %s", test.expression, show(got), test.want)
		}
	}
}

// A value stands where its function does; one that Fn::If chooses, where it is written.
func TestPositionsOfValues(t *testing.T) {
	for _, test := range []struct{ expression, want string }{
		{"!Ref Env", "t.yaml:1:4"},
		{"{'Fn::Sub': '${Env}'}", "t.yaml:1:4"},
		{"{a: !Sub '${Env}'}", "t.yaml:1:11"},
		{"!If [Always, [a, b], c]", "t.yaml:1:24"},
		{"!Select [1, !Split [',', 'a,b']]", "t.yaml:1:19"},
		{"{a: {b: !ImportValue x}}", "t.yaml:1:15"},
		{"!FindInMap [ByEnv, dev, Auth]", "t.yaml:10:23"},
		{"[a, !GetAtt Pool.Arn]", "t.yaml:1:11"},
	} {
		n, faults := value(t, test.expression, inputs())
		for n != nil && len(n.Pairs)+len(n.Items) > 0 {
			if len(n.Pairs) > 0 {
				n = n.Pairs[0].Value
			} else {
				n = n.Items[len(n.Items)-1]
			}
		}
		if got := n.Position().String(); got != test.want {
			t.Errorf("%s: got %s, want %s; %v", test.expression, got, test.want, faults)
		}
	}
}

func TestFunctionFaults(t *testing.T) {
	for _, test := range []struct{ expression, want string }{
		{"!Ref Stge", `t.yaml:1:4: "Stge" is neither a parameter nor a resource of the template: did you mean Stage?`},
		{"!Ref AWS::Regin", `there is no pseudo parameter "AWS::Regin"`},
		{"!GetAtt Pol.Arn", `"Pol" is neither a parameter nor a resource of the template: did you mean Pool?`},
		{"!Sub '${Nothing}'", `"Nothing" is neither`},
		{"!If [Alwys, a, b]", `there is no condition "Alwys": did you mean Always?`},
		{"!If [Always, a]", "Fn::If must have a list of a condition's name and two values"},
		{"!Join [a, b, c]", "Fn::Join must have a list of a delimiter and a list of texts"},
		{"!Join ['', b]", "Fn::Join must have"},
		{"!Join ['', [{a: b}]]", "this must be a text, and is a map"},
		{"!Select [5, [a]]", "Fn::Select asks for the value at index 5 of 1"},
		{"!Select [x, [a]]", "Fn::Select must have"},
		{"!Split ['', a]", "a delimiter that is not empty"},
		{"!FindInMap [ByRegin, a, b]", `there is no map "ByRegin" in Mappings: did you mean ByRegion?`},
		{"!Cidr [10.0.0.0/24, 300, 4]", "Fn::Cidr must have"},
		{"!Cidr [10.0.0.0/24, 2, 8]", "Fn::Cidr must have"},
		{"{'Fn::Sub': [a, b, c]}", "Fn::Sub must have"},
		{"{'Fn::GetAtt': Pool}", "Fn::GetAtt must have"},
		{"{'Fn::Length': x}", "Fn::Length must have a list"},
		{"{'Fn::If': [Always, a, b], c: d}", "Fn::If stands beside other keys"},
		{"!Ref {a: b}", "Ref must have the name"},
	} {
		_, faults := value(t, test.expression, inputs())
		if !faults.Fatal() || !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.expression, faults, test.want)
		}
		if faults.Fatal() && faults[0].Line != 1 {
			t.Errorf("%s: the fault stands in line %d, want 1", test.expression, faults[0].Line)
		}
	}
}
