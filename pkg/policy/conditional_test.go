package policy

import (
	"strings"
	"testing"
)

// An Allow with conditions is warned of where a Lambda authorizer's own Allow is enough, unless a Deny narrows it down.
func TestConditionalAllow(t *testing.T) {
	const everybody = `"Principal": "*", "Action": "execute-api:Invoke", `
	allowed := func(resource, condition string) string {
		return `{"Effect": "Allow", ` + everybody + `"Resource": "` + resource + `", "Condition": {` + condition + `}}`
	}
	const address = `"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}`
	for statements, want := range map[string]string{
		allowed("execute-api:/*", address):                                                     "keep others from GET /trades/{proxy+}, whose Lambda authorizer's own Allow is enough; write a statement with Effect Deny and the opposite condition, NotIpAddress on aws:SourceIp",
		allowed("execute-api:/*/GET/trades/7", address):                                        "NotIpAddress on aws:SourceIp",
		allowed("execute-api:/*", `"StringLike": {"aws:UserAgent": "x*"}`):                     "StringNotLike on aws:UserAgent",
		allowed("execute-api:/*", `"StringNotEquals": {"aws:Referer": "x"}`):                   "StringEquals on aws:Referer",
		allowed("execute-api:/prod/GET/pets", address):                                         "",
		`{"Effect": "Deny", ` + everybody + `"Resource": "*", "Condition": {` + address + `}}`: "",
		allowed("execute-api:/*", address) + `, {"Effect": "Deny", ` + everybody + `"Resource": "execute-api:/*", "Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}`: "",
	} {
		target := lintTarget()
		target.LambdaRoutes = []TargetRoute{{Method: "GET", Resource: "/trades/{proxy+}"}}
		target.Routes = append(target.Routes, target.LambdaRoutes...)
		var got []string
		for _, f := range lintPolicy(t, statements).Lint(target) {
			if strings.Contains(f.Message, "this condition does not keep others") && f.Warning {
				got = append(got, f.Message)
			}
		}
		if len(got) > 1 || (len(got) == 1) != (want != "") || want != "" && !strings.HasSuffix(got[0], want) {
			t.Errorf("%s: %q, want %q", statements, got, want)
		}
	}
}

// A network of every address is warned of, in an Allow and in a Deny.
func TestEveryAddress(t *testing.T) {
	for network, warned := range map[string]bool{"0.0.0.0/0": true, "::/0": true, "192.0.2.7/0": true, "0.0.0.0/1": false, "10.0.0.0/8": false} {
		for _, effect := range []string{"Allow", "Deny"} {
			faults := lintPolicy(t, `{"Effect": "`+effect+`", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*", "Condition": {"IpAddress": {"aws:SourceIp": ["192.0.2.1", "`+network+`"]}}}`).Lint(lintTarget())
			got := false
			for _, f := range faults {
				got = got || f.Warning && strings.HasPrefix(f.Message, network+" is every address of its kind")
			}
			if got != warned {
				t.Errorf("%s %s: %v", effect, network, faults)
			}
		}
	}
}

// What does not exist is named.
func TestMissingRoutes(t *testing.T) {
	for resource, want := range map[string]string{
		"execute-api:/prod/GET/office":   "there is no route GET /office in stage prod",
		"execute-api:/prod/GET/office/*": "there is no route GET /office/* in stage prod",
		"execute-api:/*/GET/office":      "there is no route GET /office",
		"execute-api:/dev/GET/pets":      "there is no stage dev; there is prod",
		"arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/DELETE/office": "there is no route DELETE /office in stage prod",
	} {
		target := lintTarget()
		target.Stages, target.Routes = []string{"prod"}, []TargetRoute{{Method: "GET", Resource: "/pets"}}
		faults := lintPolicy(t, `{"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "`+resource+`"}`).Lint(target)
		if len(faults) != 1 || faults[0].Warning || !strings.HasSuffix(faults[0].Message, want) {
			t.Errorf("%s: %v, want %s", resource, faults, want)
		}
	}
}
