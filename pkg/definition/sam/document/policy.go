package document

import (
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

const policy = "x-amazon-apigateway-policy"

// maxItems is how many items the lists of a ResourcePolicy may have together. Fewer fit into a policy of 8192 bytes.
const maxItems = 1000

var variable = regexp.MustCompile(`\{([a-zA-Z0-9._-]+|[a-zA-Z0-9._-]+\+|proxy\+)\}`)

// AddPolicy adds the statements that the lists of a ResourcePolicy make for a path of a stage. Each list has its own, in this order.
func (d *Document) AddPolicy(lists *tree.Node, path string, stage *tree.Node) {
	items := 0
	for _, list := range value.Pairs(lists) {
		items += len(list.Value.Items)
	}
	if items > maxItems {
		d.faults.Add(lists.At, "the lists of ResourcePolicy have more than %d items: API Gateway takes policies of at most 8192 bytes", maxItems)
		return
	}
	s := statements{d: d, resources: d.resources(path, stage, lists.At)}
	s.accounts(lists.Get("AwsAccountWhitelist"), "Allow")
	s.accounts(lists.Get("AwsAccountBlacklist"), "Deny")
	s.addresses(lists.Get("IpRangeWhitelist"), "NotIpAddress")
	s.addresses(lists.Get("IpRangeBlacklist"), "IpAddress")
	s.networks(lists, "Blacklist", "StringEquals")
	s.networks(lists, "Whitelist", "StringNotEquals")
	d.policy(lists.At)
}

// AddStatements adds statements that are written out.
func (d *Document) AddStatements(custom *tree.Node) {
	p := d.policy(custom.At)
	setVersion(p, custom.At)
	if value.None(p.Get("Statement")) {
		value.Put(p, "Statement", custom.At, value.Copy(custom))
		return
	}
	added := []*tree.Node{custom}
	if custom.Is(tree.List) {
		added = custom.Items
	}
	for _, s := range added {
		d.addStatement(s, true)
	}
}

// policy returns the policy of the document, which is made if need be.
func (d *Document) policy(at tree.Position) *tree.Node {
	p := child(d.root, policy, at)
	if !p.Is(tree.Map) {
		d.faults.Add(p.At, "%s of DefinitionBody must be a map", policy)
		return tree.NewMap(at)
	}
	return p
}

func setVersion(p *tree.Node, at tree.Position) {
	value.Put(p, "Version", at, tree.NewText("2012-10-17", at))
}

// addStatement adds a statement to the policy; with once, only if it has no equal one. The first of the others is no list of its own.
func (d *Document) addStatement(s *tree.Node, once bool) {
	p := d.policy(s.At)
	setVersion(p, s.At)
	list := p.Get("Statement")
	switch {
	case value.None(list) && !once:
		value.Put(p, "Statement", s.At, s)
		return
	case value.None(list):
		list = tree.NewList(s.At)
	case !list.Is(tree.List):
		list = tree.NewList(list.At, list)
	}
	if !once || !value.Contains(list.Items, s) {
		list.Items = append(list.Items, s)
	}
	value.Put(p, "Statement", s.At, list)
}

// resources returns the resources of a path in a stage: one for each key of the path item, whether or not it is a method.
func (d *Document) resources(path string, stage *tree.Node, at tree.Position) *tree.Node {
	list := tree.NewList(at)
	plain := variable.ReplaceAllString(path, "*")
	for _, item := range d.items(path) {
		for _, method := range value.Names(item) {
			method = strings.ToUpper(method)
			if method == "ANY" || method == strings.ToUpper(anyMethod) {
				method = "*"
			}
			list.Items = append(list.Items, value.SubWith("execute-api:/${__Stage__}/"+method+plain, "__Stage__", stage, at))
		}
	}
	return list
}

// statements adds the statements of the lists to the policy of a document.
type statements struct {
	d         *Document
	resources *tree.Node
}

func (s statements) statement(effect string, principal, condition *tree.Node, at tree.Position) *tree.Node {
	return value.Object(at, "Effect", effect, "Action", "execute-api:Invoke", "Resource", s.resources, "Principal", principal,
		"Condition", condition)
}

func (s statements) accounts(list *tree.Node, effect string) {
	switch {
	case !value.Truthy(list):
		return
	case list.Is(tree.Map):
		list = tree.NewList(list.At, list)
	case !list.Is(tree.List):
		s.d.faults.Add(list.At, "a list of accounts in ResourcePolicy must be a list or a map: write it as a list")
		return
	}
	s.d.addStatement(s.statement(effect, value.Object(list.At, "AWS", list), nil, list.At), false)
}

func (s statements) addresses(list *tree.Node, operator string) {
	if !value.Truthy(list) {
		return
	}
	if !list.Is(tree.List) {
		list = tree.NewList(list.At, list)
	}
	s.allowUnless(value.Object(list.At, operator, value.Object(list.At, "aws:SourceIp", list)), list.At)
}

// allowUnless adds a statement that allows everyone, and one that denies everyone under a condition.
func (s statements) allowUnless(condition *tree.Node, at tree.Position) {
	everyone := tree.NewText("*", at)
	s.d.addStatement(s.statement("Allow", everyone, nil, at), true)
	s.d.addStatement(s.statement("Deny", everyone, condition, at), true)
}

// networks adds the statements of the lists of VPCs and VPC endpoints, whose names end in Whitelist or Blacklist.
func (s statements) networks(lists *tree.Node, ending, operator string) {
	source := lists.Get("SourceVpc" + ending)
	vpcs, endpoints := s.named(source, ending)
	s.checkList(lists.Get("IntrinsicVpc"+ending), "IntrinsicVpc"+ending)
	s.checkList(lists.Get("IntrinsicVpce"+ending), "IntrinsicVpce"+ending)
	vpcs = append(vpcs, value.Each(lists.Get("IntrinsicVpc"+ending))...)
	endpoints = append(endpoints, value.Each(lists.Get("IntrinsicVpce"+ending))...)
	at := value.At(source, lists.Get("IntrinsicVpc"+ending), lists.Get("IntrinsicVpce"+ending))
	condition := tree.NewMap(at)
	if len(vpcs) > 0 {
		value.Put(condition, "aws:SourceVpc", at, tree.NewList(at, vpcs...))
	}
	if len(endpoints) > 0 {
		value.Put(condition, "aws:SourceVpce", at, tree.NewList(at, endpoints...))
	}
	if value.Truthy(condition) {
		s.allowUnless(value.Object(at, operator, condition), at)
	}
}

// named returns the VPCs and the VPC endpoints of a list of both. What is neither is left out, as the translator does.
func (s statements) named(list *tree.Node, ending string) (vpcs, endpoints []*tree.Node) {
	s.checkList(list, "SourceVpc"+ending)
	for _, n := range value.Each(list) {
		text, ok := value.Text(n)
		switch {
		case !ok:
			s.d.faults.Add(n.Position(), "SourceVpc%s must be a list of texts: %smove what is an intrinsic function to IntrinsicVpc%s or IntrinsicVpce%s",
				ending, giveParameter(n), ending, ending)
		case strings.HasPrefix(text, "vpce-"):
			endpoints = append(endpoints, n)
		case strings.HasPrefix(text, "vpc-"):
			vpcs = append(vpcs, n)
		}
	}
	return vpcs, endpoints
}

// giveParameter says how to give what a Ref names, if that may be a parameter. The translator puts in parameters that have a value.
func giveParameter(n *tree.Node) string {
	name, ok := n.Get("Ref").Scalar()
	if !ok {
		return ""
	}
	return "give the parameter by --parameter " + name + "=…, or in parameters: of the definition; or "
}

// checkList adds a fault for a value in which the translator finds no items, and fails.
func (s statements) checkList(n *tree.Node, key string) {
	if n.Is(tree.Bool) || n.Is(tree.Number) {
		s.d.faults.Add(n.At, "%s must be a list", key)
	}
}
