package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A condition is true, false or not decided (?), whatever part of it is not known.
func TestConditions(t *testing.T) {
	for _, test := range []struct{ expression, want string }{
		{"!Equals [a, a]", "true"},
		{"!Equals [a, b]", "false"},
		{"!Equals ['1', 1]", "true"},
		{"!Equals ['true', true]", "true"},
		{"!Equals [a, [a]]", "false"},
		{"!Equals [!Ref Stage, a]", "?"},
		{"!Equals [!Ref Pool, a]", "?"},
		{"!Equals [!Ref Env, dev]", "true^Env"},
		{"!Not [!Equals [!Ref Env, dev]]", "false^Env"},
		{"!Not [!Condition IsProd]", "?"},
		{"!And [!Condition Always, !Condition IsProd]", "?"},
		{"!And [!Condition Never, !Condition IsProd]", "false"},
		{"!And [!Condition IsProd, !Condition Never]", "false"},
		{"!And [!Condition Always, !Condition IsDev]", "true^Env"},
		{"!Or [!Condition IsProd, !Condition Always]", "true"},
		{"!Or [!Condition IsProd, !Condition Never]", "?"},
		{"!Or [!Condition Never, !Not [!Condition IsDev]]", "false^Env"},
		{"!Condition IsDev", "true^Env"},
		{"!Equals [!FindInMap [ByEnv, !Ref Env, Auth], open]", "true^Env"},
		{"!Equals [!Select [0, !Ref Nets], 10.0.0.0/8]", "true^Nets"},
		{"!Equals [!Join ['', [!Ref Env, x]], devx]", "true^Env"},
	} {
		text := strings.Replace(known, "Conditions:", "Conditions:\n  C: "+test.expression, 1)
		made, faults, _ := resolve(t, "x: &v !If [C, true, false]"+text, inputs())
		if made == nil {
			t.Errorf("%s: %v", test.expression, faults)
			continue
		}
		got := show(made.Outputs["V"])
		if strings.HasPrefix(got, "<?") {
			got = "?"
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.expression, got, test.want)
		}
	}
}

func TestConditionFaults(t *testing.T) {
	for _, test := range []struct{ conditions, want string }{
		{"{A: !Condition B, B: !Not [!Condition A]}", `t.yaml:1:40: the condition "A" depends on itself`},
		{"{A: !Condition A}", `the condition "A" depends on itself`},
		{"{A: !Condition Prodd, Prod: !Equals [a, b]}", `t.yaml:1:17: there is no condition "Prodd": did you mean Prod?`},
		{"{A: !Equals [a]}", "Fn::Equals must have a list of two values"},
		{"{A: !Not [a]}", "a condition must be one of"},
		{"{A: !And []}", "Fn::And must have a list of 1 to 10 conditions"},
		{"{A: true}", "a condition must be one of"},
		{"{A: {'Fn::Contains': [[a], a]}}", "a condition must be one of"},
		{"[a]", "Conditions must be a map of names"},
	} {
		_, faults, _ := resolve(t, "Conditions: "+test.conditions+"\nResources: {}", inputs())
		if !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.conditions, faults, test.want)
		}
	}
}

// A resource is there, absent or not decided by its condition, and the defaults that decided it can be told.
func TestResourcesWithConditions(t *testing.T) {
	made, faults, _ := resolve(t, "x: &v a"+strings.Replace(known, "Resources:", `Resources:
  A: {Type: T, Condition: IsDev, Properties: {P: {Q: x}}}
  B: {Type: T, Condition: Never, Properties: {P: x}}
  C: {Type: T, Condition: IsProd, Properties: {P: !If [IsProd, 1, 2]}}
  D: {Type: T, Condition: NotDev}`, 1)+"Rules: {R: {Assertions: [{Assert: {'Fn::Contains': [[a], a]}}]}}\n", inputs())
	if made != nil || !strings.Contains(faults.Error(), `there is no condition "NotDev": `) {
		t.Fatalf("got %v", faults)
	}
	made, faults, _ = resolve(t, "x: &v a"+strings.Replace(strings.Replace(known, "Resources:", `Resources:
  A: {Type: T, Condition: IsDev, Properties: {P: {Q: x}}}
  B: {Type: T, Condition: Never, Properties: {P: x}}
  C: {Type: T, Condition: IsProd, Properties: {P: !If [IsProd, 1, 2]}}
  D: {Type: T, Condition: NotDev}`, 1), "Conditions:", "Conditions:\n  NotDev: !Not [!Condition IsDev]", 1), inputs())
	if made == nil {
		t.Fatal(faults)
	}
	if got, want := show(made.Resources.Get("A")), `{Type: "T"^Env, Condition: "IsDev", Properties: {P: {Q: "x"^Env}^Env}^Env}^Env`; got != want {
		t.Errorf("A: got %s, want %s", got, want)
	}
	if made.Resources.Has("B") || made.Resources.Has("D") {
		t.Error("a resource whose condition is false is there")
	}
	if want := map[string][]string{"B": nil, "D": {"Env"}}; !cmp.Equal(made.Absent, want) {
		t.Error(cmp.Diff(want, made.Absent))
	}
	c := made.Undecided("C")
	if c == nil || c.Unknown.Key != "Ref Stage" || !strings.Contains(c.Unknown.Message, "the condition IsProd is not decided, because the parameter Stage has no default: give it by --parameter Stage=…") {
		t.Errorf("C: got %v", c)
	}
	if made.Undecided("A") != nil {
		t.Error("A is undecided")
	}
}

// A value that is given for a condition decides it. One that is neither true nor false is a fault, and does not make the condition false.
func TestGivenConditions(t *testing.T) {
	for _, test := range []struct {
		value    string
		fragment bool
		want     string
	}{
		{"true", false, `"closed"`},
		{"false", false, `"open"`},
		{"True", false, ""},
		{"true", true, `"closed"`},
		{"false", true, `"open"`},
		{"True", true, ""},
		{"", true, ""},
	} {
		in := inputs()
		in.Fragment, in.Values["Condition Closed"] = test.fragment, test.value
		text := "Outputs: {V: {Value: !If [Closed, closed, open]}}\nResources: {}\n"
		if !test.fragment {
			text += "Conditions: {Closed: !Equals [a, b]}\n"
		}
		made, faults, _ := resolve(t, text, in)
		switch {
		case test.want == "":
			if made != nil || !strings.Contains(faults.Error(), `the value of the condition "Closed" must be true or false`) {
				t.Errorf("%+v: got %v", test, faults)
			}
		case made == nil || show(made.Outputs["V"]) != test.want:
			t.Errorf("%+v: got %v, %v", test, made, faults)
		}
	}
}
