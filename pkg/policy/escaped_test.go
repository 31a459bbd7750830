package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// kept is a policy as API Gateway keeps it: aws apigateway get-rest-api --query policy --output text prints this.
func kept(policy string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `/`, `\/`, "\n", `\n`).Replace(policy)
}

// printed is the output of --output json for it.
func printed(t testing.TB, policy string) string {
	text, err := json.Marshal(kept(policy))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var apiOptions = Options{Name: "resource-policy", Kind: Resource, Format: FormatJSON, ExpandPrefix: "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5"}

func TestPoliciesAsTheCLIPrintsThem(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[{"Sid":"é","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/*","Condition":{"StringEquals":{"aws:UserAgent":["a\"b","c\\d"]}}}]}`
	want, faults := Parse([]byte(policy), apiOptions)
	if want == nil {
		t.Fatal(faults)
	}
	once, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"text": kept(policy) + "\n", "json": printed(t, policy) + "\n", "quoted once": string(once), "blanks": " \n " + printed(t, policy) + " \n",
		"lines": kept("{\n  " + policy[1:]), "real lines": "{\n  " + kept(policy)[1:],
	} {
		p, faults := Parse([]byte(text), apiOptions)
		if p == nil || len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
			continue
		}
		for _, agent := range []string{`a"b`, `c\d`, "a", ""} {
			r := &Request{Action: "execute-api:Invoke", Resource: apiOptions.ExpandPrefix + "/prod/GET/x", Context: agentContext(agent)}
			if got, wanted := p.Evaluate(r), want.Evaluate(r); got.Decision != wanted.Decision {
				t.Errorf("%s, user agent %s: %v, want %v", name, agent, got, wanted)
			}
		}
	}
}

// agentContext has aws:UserAgent and nothing else.
type agentContext string

func (a agentContext) Lookup(k *Key) (Value, bool) {
	if k.String() != "aws:UserAgent" {
		return Value{}, false
	}
	return StringValue(string(a)), true
}

// Positions are those of the text as it stands.
func TestPositionsInEscapedPolicies(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"é","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"},{"Effect":"Alow"}]}`
	for name, text := range map[string]string{"plain": policy, "text": kept(policy), "json": printed(t, policy), "a line down": "\n  " + kept(policy), "lines": "{\n " + kept(policy)[1:]} {
		_, faults := Parse([]byte(text), apiOptions)
		i := slices.IndexFunc(faults, func(f fault.Fault) bool { return strings.Contains(f.Message, `"Alow"`) })
		if i < 0 {
			t.Errorf("%s: %v", name, faults)
			continue
		}
		lines := strings.Split(text, "\n")
		line := []rune(lines[faults[i].Line-1])
		if rest := string(line[faults[i].Column-1:]); !strings.HasPrefix(strings.TrimLeft(rest, `\"`), "Alow") || strings.TrimLeft(string(rest[0]), `\"`) != "" {
			t.Errorf("%s: %v is at %s", name, faults[i], rest)
		}
	}
}

func TestBadEscapedPolicies(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[]}`
	for text, want := range map[string]string{
		`"{`:                           "1:3: the policy stands in quotes",
		printed(t, policy)[:30]:        "1:31: the policy stands in quotes",
		`"{}" "y"`:                     "1:4: the policy stands in quotes",
		`{\"Version\":\"\q\"}`:         `1:16: the policy stands with its quotes escaped`,
		`{\"Version\"`:                 "found the end of the document",
		`"policy"`:                     "the document is text",
		`{\`:                           "no such escape",
		kept(policy) + "x":             "text after the end of the document",
		printed(t, kept(kept(policy))): "instead of a key in double quotes",
		`"\"{}\""`:                     "the document is text",
	} {
		p, faults := Parse([]byte(text), apiOptions)
		if p != nil || !slices.ContainsFunc(faults, func(f fault.Fault) bool { return strings.Contains(f.Text(), want) }) {
			t.Errorf("%s: %v, want %s", text, faults, want)
		}
	}
}

func TestEscapedPoliciesOfFunctionsAreRefused(t *testing.T) {
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	for _, text := range []string{kept(policy), printed(t, policy)} {
		if p, faults := Parse([]byte(text), Options{Kind: Authorizer, Format: FormatJSON}); p != nil || len(faults) == 0 {
			t.Errorf("%s: %v", text, faults)
		}
	}
}

// Any document reads the same with its quotes escaped as without.
func TestEscapedIsPlain(t *testing.T) {
	piece := rapid.SampledFrom([]string{`{`, `}`, `[`, `]`, `"`, `\`, `:`, `,`, `é`, "\n", `Version`, `"Version":"2012-10-17"`, `"Statement":[]`, `\u00e9`, `/`})
	rapid.Check(t, func(r *rapid.T) {
		text := `{"a":` + strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(r, "pieces"), "")
		messages := func(text string) (list []string) {
			_, faults := Parse([]byte(text), apiOptions)
			for _, f := range faults {
				list = append(list, f.Message)
			}
			return list
		}
		if diff := cmp.Diff(messages(text), messages(kept(text))); diff != "" {
			r.Fatalf("%s: %s", text, diff)
		}
	})
}
