package policy

import (
	"strings"
	"testing"
)

// An Allow for everybody is warned of where it opens routes whose callers have policies of their own, and nowhere else.
func TestAllowForEverybody(t *testing.T) {
	const invoke = `"Action": "execute-api:Invoke", `
	for statement, want := range map[string]string{
		`"Effect": "Allow", "Principal": "*", ` + invoke + `"Resource": "execute-api:/*"`:                                                "both",
		`"Effect": "Allow", "Principal": {"AWS": "*"}, ` + invoke + `"Resource": "*"`:                                                    "both",
		`"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"`:                                                            "both",
		`"Effect": "Allow", "Principal": "*", ` + invoke + `"Resource": "execute-api:/prod/GET/trades/7"`:                                "Lambda",
		`"Effect": "Allow", "Principal": "*", ` + invoke + `"Resource": "execute-api:/prod/PUT/orders/*"`:                                "AWS_IAM",
		`"Effect": "Allow", "Principal": "*", ` + invoke + `"NotResource": "execute-api:/prod/GET/orders"`:                               "both",
		`"Effect": "Allow", "Principal": "*", ` + invoke + `"Resource": "execute-api:/prod/GET/pets"`:                                    "",
		`"Effect": "Allow", "Principal": "*", ` + invoke + `"Resource": "execute-api:/prod/PUT/trades/7"`:                                "",
		`"Effect": "Allow", "Principal": "*", "Action": "execute-api:InvalidateCache", "Resource": "*"`:                                  "",
		`"Effect": "Deny", "Principal": "*", ` + invoke + `"Resource": "execute-api:/*"`:                                                 "",
		`"Effect": "Allow", "Principal": {"AWS": "111122223333"}, ` + invoke + `"Resource": "execute-api:/*"`:                            "",
		`"Effect": "Allow", "Principal": "*", ` + invoke + `"Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`: "",
	} {
		target := lintTarget()
		target.AWSPrincipals = true
		target.LambdaRoutes = []TargetRoute{{Method: "GET", Resource: "/trades/{proxy+}"}}
		target.SignedRoutes = []TargetRoute{{Method: "ANY", Resource: "/orders/{proxy+}"}}
		target.Routes = append(target.Routes, target.LambdaRoutes...)
		var lambda, signed int
		for _, f := range lintPolicy(t, "{"+statement+"}").Lint(target) {
			isLambda, isSigned := strings.Contains(f.Message, "where a Lambda authorizer"), strings.Contains(f.Message, "on routes with AWS_IAM this Allow")
			if !isLambda && !isSigned {
				continue
			}
			if !f.Warning || f.Line != 2 || f.Statement == "" {
				t.Errorf("%s: %+v", statement, f)
			}
			if isLambda {
				lambda++
			} else {
				signed++
			}
		}
		wantLambda, wantSigned := want == "both" || want == "Lambda", want == "both" || want == "AWS_IAM"
		if (lambda == 1) != wantLambda || (signed == 1) != wantSigned {
			t.Errorf("%s: %d and %d warnings, want %q", statement, lambda, signed, want)
		}
	}
}
