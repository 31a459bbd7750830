package explain

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// The decisions of a Report. Unknown means that a function or an issuer would have to be asked.
const (
	Allow     = "allow"
	Deny      = "deny"
	Preflight = "preflight"
	Unknown   = "unknown"
)

// Report is an explanation. Its JSON is stable: fields may be added.
type Report struct {
	Decision string `json:"decision"`
	// Step is the step that ended the decision.
	Step   string `json:"step,omitempty"`
	Reason Reason `json:"reason"`
	// Remedy says what to change, the most specific first; empty for a request that passes.
	Remedy  []string `json:"remedy,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	Request Request  `json:"request"`
	API     string   `json:"api,omitempty"`
	Stage   string   `json:"stage,omitempty"`
	Route   string   `json:"route,omitempty"`
	// Routes are the routes whose resource matches the path, the most specific first.
	Routes []Route `json:"routes,omitempty"`
	// BasePaths are those of the host, if the path has none of them.
	BasePaths    []string `json:"base_paths,omitempty"`
	Authorizer   string   `json:"authorizer,omitempty"`
	Caller       *Caller  `json:"caller,omitempty"`
	NeededScopes []string `json:"needed_scopes,omitempty"`
	// Cache is "hit" or "miss" for the function's answer or the verified token; empty if neither was asked for.
	Cache    string       `json:"cache,omitempty"`
	Policies []Evaluation `json:"policies,omitempty"`
	// Combined names the rule that made one decision of the policies.
	Combined string  `json:"combined,omitempty"`
	Steps    []Step  `json:"steps"`
	Answer   Answer  `json:"answer"`
	Logged   *Logged `json:"logged,omitempty"`
}

// Reason is why, in the words of the decision log.
type Reason struct {
	Code         string `json:"code"`
	Cause        string `json:"cause"`
	Detail       string `json:"detail,omitempty"`
	Policy       string `json:"policy,omitempty"`
	Statement    string `json:"statement,omitempty"`
	Condition    string `json:"condition,omitempty"`
	ConditionKey string `json:"condition_key,omitempty"`
}

// Request has the parts of the request that may be shown.
type Request struct {
	Method string `json:"method,omitempty"`
	Host   string `json:"host,omitempty"`
	Path   string `json:"path,omitempty"`
	Client string `json:"client,omitempty"`
}

// Route is a route whose resource matches the path. Why says why it was not chosen.
type Route struct {
	Route  string `json:"route"`
	Chosen bool   `json:"chosen"`
	Why    string `json:"why,omitempty"`
}

// Caller is who was found to call.
type Caller struct {
	Principal   string   `json:"principal,omitempty"`
	AccessKeyID string   `json:"access_key,omitempty"`
	Issuer      string   `json:"issuer,omitempty"`
	Audience    []string `json:"audience,omitempty"`
	ClientID    string   `json:"client_id,omitempty"`
	TokenKeyID  string   `json:"key_id,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
}

// Step is one step.
type Step struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	Found   string `json:"found,omitempty"`
	// Decided marks the step that ended the decision.
	Decided bool `json:"decided,omitempty"`
}

// Evaluation is the outcome of some policies.
type Evaluation struct {
	Step       string            `json:"step"`
	Policies   string            `json:"policies"`
	Caller     string            `json:"caller"`
	Resource   string            `json:"resource"`
	Decision   string            `json:"decision"`
	Statements []Statement       `json:"statements"`
	Values     map[string]string `json:"values,omitempty"`
}

// Statement is the outcome of a statement.
type Statement struct {
	Policy    string `json:"policy"`
	Kind      string `json:"kind"`
	Statement string `json:"statement"`
	Effect    string `json:"effect"`
	Applies   bool   `json:"applies"`
	// Because is the first element that does not fit, if the statement does not apply.
	Because    string   `json:"because,omitempty"`
	Conditions []string `json:"conditions,omitempty"`
	// Decided marks the statement that decided.
	Decided bool `json:"decided,omitempty"`
}

// Answer is the answer to the client, or the changes to the upstream's request.
type Answer struct {
	Status  int      `json:"status,omitempty"`
	Headers []string `json:"headers,omitempty"`
	Body    string   `json:"body,omitempty"`
	// SetHeaders and RemoveHeaders are names of headers of the upstream's request.
	SetHeaders    []string `json:"set_headers,omitempty"`
	RemoveHeaders []string `json:"remove_headers,omitempty"`
}

func word(d *authz.Decision) string {
	switch {
	case d.Allow:
		return Allow
	case d.Reason.Code == authz.CodePreflight:
		return Preflight
	default:
		return Deny
	}
}

func newReport(d *authz.Decision, t *gateway.Trace) *Report {
	r := &Report{
		Decision: word(d), Step: string(d.Step), Reason: reasonOf(&d.Reason), API: d.API, Stage: d.Stage, Route: d.Route, Authorizer: d.Authorizer,
		Request: Request{Method: d.Method, Host: d.Host, Path: d.Path}, Caller: callerOf(&d.Caller), NeededScopes: d.NeededScopes,
		BasePaths: t.BasePaths, Cache: d.Cache.String(), Combined: t.Combined, Steps: []Step{},
	}
	if d.ClientAddress.IsValid() {
		r.Request.Client = d.ClientAddress.String()
	}
	for _, route := range t.Routes {
		r.Routes = append(r.Routes, Route(route))
	}
	for i, s := range t.Steps {
		r.Steps = append(r.Steps, Step{string(s.Name), s.Outcome, s.Found, i == len(t.Steps)-1})
	}
	for i := range t.Evaluations {
		r.Policies = append(r.Policies, evaluationOf(&t.Evaluations[i], &d.Reason))
	}
	r.Remedy = remedies(d, r)
	return r
}

func reasonOf(r *authz.Reason) Reason {
	return Reason{r.Code.String(), r.Code.Meaning().Cause, r.Detail, r.Policy, r.Statement, r.Condition, r.ConditionKey}
}

func callerOf(c *authz.Caller) *Caller {
	if c.Principal == "" && c.AccessKeyID == "" && c.Issuer == "" {
		return nil
	}
	return &Caller{c.Principal, c.AccessKeyID, c.Issuer, c.Audience, c.ClientID, c.TokenKeyID, c.Scopes}
}

func evaluationOf(e *gateway.Evaluation, reason *authz.Reason) Evaluation {
	out := Evaluation{
		Step: string(e.Step), Policies: e.Policies, Caller: e.Caller, Resource: e.Resource, Decision: e.Decision.String(), Statements: []Statement{},
		Values: e.Values,
	}
	for _, s := range e.Statements {
		effect := "Allow"
		if s.Deny {
			effect = "Deny"
		}
		out.Statements = append(out.Statements, Statement{
			Policy: s.Policy, Kind: s.Kind.String(), Statement: s.Statement, Effect: effect, Applies: s.Applies, Because: s.Because,
			Conditions: s.Conditions, Decided: s.Applies && s.Policy == reason.Policy && s.Statement == reason.Statement,
		})
	}
	return out
}

// answerOf returns the answer without the values that the client sent.
func answerOf(d *authz.Decision, secrets []string) Answer {
	a := Answer{RemoveHeaders: d.RemoveHeaders}
	for _, f := range d.SetHeaders {
		a.SetHeaders = append(a.SetHeaders, f.Name)
	}
	if d.Allow {
		return a
	}
	hide := hider(secrets)
	a.Status, a.Body = d.Denial.Status, hide(d.Denial.Body)
	for _, f := range d.Denial.Headers {
		a.Headers = append(a.Headers, f.Name+": "+hide(f.Value))
	}
	return a
}

// shortestSecret is the length from which a value is hidden. A shorter one cannot be told from other text.
const shortestSecret = 6

// hider returns a function that replaces secrets in a text, the longest first.
func hider(secrets []string) func(string) string {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return len(s) < shortestSecret })
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return func(text string) string {
		text, _, _ = strings.Cut(text, canonicalBegins)
		for _, s := range secrets {
			text = strings.ReplaceAll(text, s, "…")
		}
		return text
	}
}

// canonicalBegins is where the text of explainSignatures begins, which repeats headers and the query.
const canonicalBegins = "\n\nThe Canonical String"
