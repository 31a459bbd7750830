package sam

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// conditions are those of the methods of APIs: by API, path and method as the events have them. The empty condition is none.
type conditions map[string]map[string]map[string]string

func (c conditions) add(api string, p document.Place, condition string) {
	if c[api] == nil {
		c[api] = map[string]map[string]string{}
	}
	if c[api][p.Path] == nil {
		c[api][p.Path] = map[string]string{}
	}
	c[api][p.Path][p.Method] = condition
}

// common returns the conditions that any of the methods has, sorted, or none if a method has none.
func common(methods ...map[string]string) []string {
	var all []string
	for _, m := range methods {
		for _, condition := range m {
			if condition == "" {
				return nil
			}
			all = append(all, condition)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// addSkeletons gives each API that has no definition an empty one, to which the events of functions add.
func (t *transform) addSkeletons() {
	for _, resource := range t.resources.Pairs {
		kind, p := serverless(resource.Value), properties(resource.Value)
		if kind != "Api" && kind != "HttpApi" || value.Truthy(p.Get("DefinitionBody")) || value.Truthy(p.Get("DefinitionUri")) {
			continue
		}
		body := document.Skeleton(resource.At)
		if kind == "HttpApi" {
			body = document.SkeletonHTTP(resource.At)
		}
		value.Put(p, "DefinitionBody", resource.At, body)
		value.Put(resource.Value, "Properties", resource.At, p)
		t.managed[resource.Key] = true
	}
}

// addImplicit makes the API of the events that name none, and adds the paths of all events to the APIs that they belong to. A resource
// that has the API's logical id is replaced if there are such events.
func (t *transform) addImplicit(f family) {
	existing, wasManaged := t.resources.Pair(f.implicit), t.managed[f.implicit]
	var own *tree.Node
	if existing != nil {
		own = existing.Value
	}
	implicit := f.api(t.firstEvent(f))
	value.Put(t.resources, f.implicit, implicit.At, implicit)
	t.managed[f.implicit] = true

	c := conditions{}
	for _, resource := range slices.Clone(t.resources.Pairs) {
		if kind := serverless(resource.Value); kind == "Function" || kind == "StateMachine" {
			t.addPaths(f, resource.Value, c)
		}
	}
	t.setImplicitCondition(f, implicit, c[f.implicit])
	t.setPathConditions(f, c)
	if len(implicit.Way("Properties", "DefinitionBody", "paths").Pairs) > 0 {
		return
	}
	t.managed[f.implicit] = wasManaged
	if own == nil {
		value.Delete(t.resources, f.implicit)
		return
	}
	value.Put(t.resources, f.implicit, own.At, own)
}

// api returns the implicit API of a family without paths.
func (f family) api(at tree.Position) *tree.Node {
	p := tree.NewMap(at)
	body := document.Skeleton(at)
	if f.http {
		body = document.SkeletonHTTP(at)
	} else {
		value.Put(p, "StageName", at, tree.NewText("Prod", at))
	}
	value.Put(p, "DefinitionBody", at, body)
	return value.Object(at, "Type", "AWS::Serverless::"+f.resource, "Properties", p)
}

// firstEvent returns where the first event of a family stands that names no API.
func (t *transform) firstEvent(f family) tree.Position {
	for _, r := range t.resources.Pairs {
		for _, event := range value.Pairs(properties(r.Value).Get("Events")) {
			if value.Says(event.Value.Get("Type"), f.event) && !event.Value.Get("Properties").Has(f.property) {
				return event.At
			}
		}
	}
	return t.root.At
}

// addPaths adds the paths of the events of a function or a state machine.
func (t *transform) addPaths(f family, resource *tree.Node, c conditions) {
	for _, event := range value.Pairs(properties(resource).Get("Events")) {
		if !event.Value.Is(tree.Map) || !value.Says(event.Value.Get("Type"), f.event) {
			continue
		}
		t.addPath(f, event, value.String(resource.Get("Condition")), c)
	}
}

func (t *transform) addPath(f family, event tree.Pair, condition string, c conditions) {
	p := event.Value.Get("Properties")
	if !value.Truthy(p) {
		if !f.http {
			return
		}
		p = tree.NewMap(event.At)
		value.Put(event.Value, "Properties", event.At, p)
	}
	if !p.Is(tree.Map) {
		t.faults.Add(p.At, "Properties of the event %s must be a map", event.Key)
		return
	}
	if !p.Has(f.property) {
		value.Put(p, f.property, event.At, value.Ref(f.implicit, event.At))
	}
	if f.http && !value.Truthy(p.Get("Path")) && !value.Truthy(p.Get("Method")) {
		value.Put(p, "Path", event.At, tree.NewText("$default", event.At))
		value.Put(p, "Method", event.At, tree.NewText("x-amazon-apigateway-any-method", event.At))
	}
	api, place, ok := t.place(f, event)
	if !ok {
		return
	}
	c.add(api, place, condition)
	if resource := t.resources.Get(api); t.managed[api] && serverless(resource) == f.resource {
		if d := t.edit(f.http, properties(resource).Get("DefinitionBody"), event.At); d != nil {
			d.Add(place)
		}
	}
}

// setImplicitCondition makes the implicit API depend on the conditions of its methods, if all have one.
func (t *transform) setImplicitCondition(f family, implicit *tree.Node, paths map[string]map[string]string) {
	var methods []map[string]string
	for _, m := range paths {
		methods = append(methods, m)
	}
	if condition := t.combine(common(methods...), f.implicit+"Condition"); condition != "" {
		value.Put(implicit, "Condition", implicit.At, tree.NewText(condition, implicit.At))
	}
}

// setPathConditions makes each path depend on the conditions of its methods, if all have one.
func (t *transform) setPathConditions(f family, c conditions) {
	names := strings.NewReplacer("/", "SLASH", "{", "OB", "}", "CB")
	for _, resource := range t.resources.Pairs {
		if serverless(resource.Value) != f.resource || !t.managed[resource.Key] {
			continue
		}
		d := t.edit(f.http, properties(resource.Value).Get("DefinitionBody"), resource.At)
		if d == nil {
			continue
		}
		for _, path := range d.Paths() {
			name := resource.Key + names.Replace(path) + "PathCondition"
			if condition := t.combine(common(c[resource.Key][path]), name); condition != "" {
				d.MakeConditional(path, condition)
			}
		}
	}
}

// combine returns a condition that holds if any of some conditions does: the only one, or a new one of a name. An Fn::Or takes ten
// at most, so there may be more of them, the last of which is named.
func (t *transform) combine(all []string, name string) string {
	const most = 10
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	if !t.root.Get("Conditions").Is(tree.Map) {
		value.Put(t.root, "Conditions", t.root.At, tree.NewMap(t.root.At))
	}
	last := ""
	for n := (len(all) - 2) / (most - 1); len(all) > 1; n-- {
		last = name
		if n > 0 {
			last = fmt.Sprint(name, n)
		}
		first := all[:min(most, len(all))]
		value.Put(t.root.Get("Conditions"), last, t.root.At, value.Or(first, t.root.At))
		all = append(slices.Clone(all[len(first):]), last)
	}
	return last
}
