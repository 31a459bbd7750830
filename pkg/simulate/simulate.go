package simulate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

const (
	// maxItems is AWS's limit.
	maxItems = 1000
	// maxResults bounds the work of one request.
	maxResults = 10_000
)

// Run evaluates a request. An error is an *Error.
func Run(r Request) (Response, error) {
	return guarded(func() (Response, error) { return run(&r) })
}

// guarded makes a panic an error.
func guarded(evaluate func() (Response, error)) (response Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			response, err = Response{}, &Error{PolicyEvaluation, quote(fmt.Sprint("internal error: ", p))}
		}
	}()
	return evaluate()
}

func run(r *Request) (Response, error) {
	if len(r.ResourceArns) == 0 {
		r.ResourceArns = []string{"*"}
	}
	s, err := newSimulation(r)
	if err != nil {
		return Response{}, err
	}
	from, to, err := r.page()
	if err != nil {
		return Response{}, err
	}
	response := Response{EvaluationResults: []EvaluationResult{}, Warnings: s.loader.warnings}
	for i := from; i < to; i++ {
		action, resource := r.ActionNames[i/len(r.ResourceArns)], r.ResourceArns[i%len(r.ResourceArns)]
		response.EvaluationResults = append(response.EvaluationResults, s.evaluate(action, resource))
	}
	if response.IsTruncated = to < r.results(); response.IsTruncated {
		response.Marker = strconv.Itoa(to)
	}
	return response, nil
}

// results is how many results the request has in all.
func (r *Request) results() int { return len(r.ActionNames) * len(r.ResourceArns) }

// page is which of the results are asked for.
func (r *Request) page() (from, to int, err error) {
	if r.Marker != "" {
		if from, err = strconv.Atoi(r.Marker); err != nil || from < 1 || from >= r.results() {
			return 0, 0, invalid("Marker: %s is not the Marker of a response to this request", quote(r.Marker))
		}
	}
	if to = r.results(); r.MaxItems > 0 {
		to = min(to, from+r.MaxItems)
	}
	return from, to, nil
}

// simulation is a request, read and checked.
type simulation struct {
	caller   policy.Principal
	owner    string
	context  requestContext
	loader   loader
	policies *policy.Policies
	places   map[string]map[policy.Position]where
}

func newSimulation(r *Request) (*simulation, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	s := &simulation{loader: loader{texts: map[string]string{}, expandPrefix: expandPrefix(r.ResourceArns)}}
	var err error
	if s.caller, err = r.caller(); err != nil {
		return nil, err
	}
	if s.owner, err = r.owner(); err != nil {
		return nil, err
	}
	if s.context, err = newContext(r.ContextEntries); err != nil {
		return nil, err
	}
	s.policies, err = s.loader.policies(r)
	return s, err
}

// check looks at what the request asks about.
func (r *Request) check() error {
	if len(r.ActionNames) == 0 {
		return invalid("ActionNames is missing; name the actions to simulate, such as execute-api:Invoke")
	}
	if len(r.ActionNames) > maxResults || r.results() > maxResults {
		return invalid("%d actions on %d resources are more than %d results; ask for them in several requests", len(r.ActionNames), len(r.ResourceArns), maxResults)
	}
	if r.MaxItems < 0 || r.MaxItems > maxItems {
		return invalid("MaxItems: write a number from 1 to %d", maxItems)
	}
	for i, action := range r.ActionNames {
		service, name, _ := strings.Cut(action, ":")
		if service == "" || name == "" || strings.ContainsAny(action, "*? \t\r\n") || strings.Contains(name, ":") {
			return invalid("ActionNames[%d]: %s is not an action; write service:Name without wildcards, such as execute-api:Invoke", i, quote(action))
		}
	}
	for i, resource := range r.ResourceArns {
		if _, err := arn.Parse(resource); err != nil && resource != "*" {
			return invalid("ResourceArns[%d]: %s is neither an ARN nor \"*\"", i, quote(resource))
		}
	}
	return nil
}
