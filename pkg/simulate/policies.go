package simulate

import (
	"fmt"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// maxFaults bounds the message about policies at fault.
const maxFaults = 20

// loader parses the request's policies and keeps their texts by name.
type loader struct {
	texts  map[string]string
	faults []string
	// warnings are about policies that are read all the same.
	warnings     []string
	expandPrefix string
}

func (l *loader) load(name string, kind policy.Kind, text string) *policy.Policy {
	p, faults := policy.Parse([]byte(text), policy.Options{
		Name: name, Kind: kind, Format: policy.FormatJSON, ExpandPrefix: l.expandPrefix, UnreadableValues: true,
	})
	for _, f := range faults {
		if message := name + ": " + f.Text(); f.Warning {
			l.warnings = append(l.warnings, message)
		} else {
			l.faults = append(l.faults, message)
		}
	}
	l.texts[name] = strings.TrimPrefix(text, "\ufeff")
	return p
}

func (l *loader) loadAll(name string, kind policy.Kind, texts []string) []*policy.Policy {
	var all []*policy.Policy
	for i, text := range texts {
		all = append(all, l.load(fmt.Sprintf("%s.%d", name, i+1), kind, text))
	}
	return all
}

// policies parses all policies, and reports the faults of all.
func (l *loader) policies(r *Request) (*policy.Policies, error) {
	ps := &policy.Policies{
		Identity: l.loadAll("PolicyInputList", policy.Identity, r.PolicyInputList),
		Session:  l.loadAll("SessionPolicyInputList", policy.Session, r.SessionPolicyInputList),
	}
	boundaries := l.loadAll("PermissionsBoundaryPolicyInputList", policy.Boundary, r.PermissionsBoundaryPolicyInputList)
	if len(boundaries) > 1 {
		return nil, invalid("PermissionsBoundaryPolicyInputList holds %d policies; a caller has one permissions boundary at most", len(boundaries))
	}
	if len(boundaries) == 1 {
		ps.Boundary = boundaries[0]
	}
	if len(r.ServiceControlPolicyInputLists) > 0 && len(r.OrderedOrganizationPolicyInputList) > 0 {
		return nil, invalid("ServiceControlPolicyInputLists and OrderedOrganizationPolicyInputList say the same; keep one of them")
	}
	for i, level := range r.ServiceControlPolicyInputLists {
		ps.SCP = append(ps.SCP, l.loadAll(fmt.Sprintf("ServiceControlPolicyInputLists.%d", i+1), policy.SCP, level))
	}
	for i, level := range r.OrderedOrganizationPolicyInputList {
		ps.SCP = append(ps.SCP, l.loadAll(fmt.Sprintf("OrderedOrganizationPolicyInputList.%d", i+1), policy.SCP, level.ServiceControlPolicyInputList))
	}
	if r.ResourcePolicy != "" {
		ps.Resource = l.load("ResourcePolicy", policy.Resource, r.ResourcePolicy)
	}
	if more := len(l.faults) - maxFaults; more > 0 {
		l.faults = append(l.faults[:maxFaults], fmt.Sprintf("and %d more", more))
	}
	if len(l.faults) > 0 {
		return nil, invalid("%s", strings.Join(l.faults, "; "))
	}
	return ps, nil
}

// expandPrefix is the one API that all resources belong to: what a resource policy's execute-api:/stage/VERB/path stands behind.
func expandPrefix(resources []string) string {
	prefix := ""
	for i, text := range resources {
		a, err := arn.Parse(text)
		if err != nil || a.Service != "execute-api" {
			return ""
		}
		a.Resource, _, _ = strings.Cut(a.Resource, "/")
		if i > 0 && a.String() != prefix {
			return ""
		}
		prefix = a.String()
	}
	return prefix
}
