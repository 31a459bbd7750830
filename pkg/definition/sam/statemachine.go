package sam

import (
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// expandStateMachine makes a state machine, and adds the operations of its events to their APIs.
func (t *transform) expandStateMachine(r tree.Pair) {
	p := properties(r.Value)
	if !t.conforms(stateMachineSchema, p, r.At, "the state machine "+r.Key) {
		return
	}
	made := tree.NewMap(r.At)
	if n := p.Get("Name"); !value.None(n) {
		value.Put(made, "StateMachineName", n.At, n)
	}
	if !value.Truthy(p.Get("Role")) {
		t.emitRole(r, r.Key+"Role")
	}
	t.emit(r, r.Key, "AWS::StepFunctions::StateMachine", made)
	target := r.Key
	if alias := p.Get("AutoPublishAlias"); value.Truthy(alias) && value.True(p.Get("UseAliasAsEventTarget")) {
		target += "Alias" + text(alias)
		t.emit(r, target, "AWS::StepFunctions::StateMachineAlias", value.Object(alias.At, "Name", alias))
	}
	for _, event := range t.events(r, stateMachineEvents) {
		if value.Says(event.Value.Get("Type"), "Api") {
			t.addStateMachineEvent(r, event, target)
		}
	}
}

// addStateMachineEvent adds an event of a state machine to its REST API, if SAM makes the document of that.
func (t *transform) addStateMachineEvent(r, event tree.Pair, target string) {
	c := t.restCall(r, event, stateMachineEventSchema)
	if c == nil {
		return
	}
	// The translator takes the stage of a policy from the event alone.
	c.stage = nil
	if stage := c.properties.Get("Stage"); !value.None(stage) {
		c.stage = stage
	}
	role := r.Key + event.Key + "Role"
	t.emitRole(r, role)
	body := c.explicit.Get("DefinitionBody")
	if !t.managed[c.api] || value.None(body) {
		if auth := c.auth(); value.Truthy(auth) {
			t.report.Enforce(auth.At, "event "+event.Key, "SAM ignores its Auth, for "+c.api+" has a definition of its own: write the security there")
		}
		return
	}
	d := t.edit(false, body, event.At)
	if d == nil {
		return
	}
	if d.Integrated(c.place.Path, c.place.Method) {
		t.faults.Add(event.At, "the event %s repeats the method %s of the path %s of %s: remove one of them", event.Key, c.place.Method, c.place.Path, c.api)
		return
	}
	d.AddStateMachine(c.place, document.Integration{
		URI:         value.Sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:states:action/StartExecution", event.At),
		Credentials: value.GetAtt(role, "Arn", event.At), Condition: c.condition(), At: event.At,
		Templates: requestTemplates(target, value.True(c.properties.Get("UnescapeMappingTemplate")), event.At),
	})
	if value.Truthy(c.auth()) {
		t.addAuth(d, c)
	}
}

// requestTemplates returns the mapping of a request to the input of a state machine.
func requestTemplates(target string, unescape bool, at tree.Position) *tree.Node {
	input := `$util.escapeJavaScript($input.json('$'))`
	if unescape {
		input += `.replaceAll("\\'","'")`
	}
	return value.Object(at, "application/json", value.Sub(`{"input": "`+input+`", "stateMachineArn": "${`+target+`}"}`, at))
}
