package sam

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

var planKeys = []string{"CreateUsagePlan", "Description", "Quota", "Tags", "Throttle", "UsagePlanName"}

// usagePlan makes the usage plan of a REST API with its key, for the API itself or for all that share one.
func (a *api) usagePlan(stage string) {
	given := a.auth.Get("UsagePlan")
	if value.None(given) {
		return
	}
	if !a.isMap(given, "UsagePlan", planKeys) {
		return
	}
	create := given.Get("CreateUsagePlan")
	at := given.At
	planStage := value.Object(at, "ApiId", value.Ref(a.from.Key, at), "Stage", value.Ref(stage, at))
	keyStage := value.Object(at, "RestApiId", value.Ref(a.from.Key, at), "StageName", value.Ref(stage, at))
	switch value.String(create) {
	case "NONE":
	case "PER_API":
		a.emitPlan(a.from, a.from.Key, given, tree.NewList(at, planStage), tree.NewList(at, keyStage))
	case "SHARED":
		s := &a.plan
		s.apis, s.stages = append(s.apis, planStage), append(s.stages, keyStage)
		from := a.from
		from.Value = value.Object(at, "Condition", a.sharedCondition(at))
		a.emitPlan(from, "Serverless", given, tree.NewList(at, slices.Clone(s.apis)...), tree.NewList(at, slices.Clone(s.stages)...))
	default:
		a.refuse(value.At(create, given), "CreateUsagePlan of UsagePlan must be PER_API, SHARED or NONE")
	}
}

// emitPlan makes a usage plan, its key and what ties them.
func (a *api) emitPlan(from tree.Pair, prefix string, given, apis, stages *tree.Node) {
	at := given.At
	made := value.Object(at, "ApiStages", apis)
	for _, key := range planKeys[1:] {
		if n := given.Get(key); value.Truthy(n) && key != "Tags" {
			value.Put(made, key, n.At, n)
		}
	}
	plan, key := prefix+"UsagePlan", prefix+"ApiKey"
	a.emit(from, plan, "AWS::ApiGateway::UsagePlan", made)
	a.emit(from, key, "AWS::ApiGateway::ApiKey", value.Object(at, "Enabled", true, "StageKeys", stages))
	a.emit(from, plan+"Key", "AWS::ApiGateway::UsagePlanKey", value.Object(at, "KeyId", value.Ref(key, at), "KeyType", "API_KEY",
		"UsagePlanId", value.Ref(plan, at)))
	a.references.Add(a.from.Key, "UsagePlan", plan)
	a.references.Add(a.from.Key, "UsagePlanKey", plan+"Key")
	a.references.Add(a.from.Key, "ApiKey", key)
}

// sharedCondition returns the condition of the shared usage plan: it holds if that of any of its APIs does. There is none if an API has none.
func (a *api) sharedCondition(at tree.Position) *tree.Node {
	const name = "SharedUsagePlanCondition"
	s := &a.plan
	condition := value.String(a.from.Value.Get("Condition"))
	if condition == "" {
		s.unconditional = true
	} else if !slices.Contains(s.conditions, condition) {
		s.conditions = append(s.conditions, condition)
	}
	all := a.root.Get("Conditions")
	if s.unconditional || !all.Is(tree.Map) {
		if all != nil {
			value.Delete(all, name)
		}
		return nil
	}
	combined := value.Object(at, "Condition", s.conditions[0])
	if len(s.conditions) > 1 {
		combined = value.Or(s.conditions, at)
	}
	value.Put(all, name, at, combined)
	return tree.NewText(name, at)
}
