package simulate

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// unknownAccount is the account of a caller and a resource of which the request names neither: it is the same for both, and no
// policy can name it.
const unknownAccount = "unknown"

// caller is the principal that the request names. Its account is empty where only the resource can tell it.
func (r *Request) caller() (policy.Principal, error) {
	if r.CallerArn == "" {
		return r.unnamedCaller()
	}
	a, ok := principalARN(r.CallerArn)
	if !ok {
		return policy.Principal{}, invalid("CallerArn: %s is not an ARN of a principal; write one such as arn:aws:iam::111122223333:user/alice", quote(r.CallerArn))
	}
	p := policy.Principal{ARN: r.CallerArn, Account: a.Account}
	kind, name, _ := strings.Cut(a.Resource, "/")
	named := name != "" && !strings.HasSuffix(name, "/")
	switch service := a.Service; {
	case service == "sts" && kind == "assumed-role":
		err := r.session(&p, a, name)
		return p, err
	case service == "sts" && kind == "federated-user" && named:
		p.Kind = policy.FederatedUser
		err := r.nameParent(&p, "user", "")
		return p, err
	case r.CallerRoleArn != "":
		return p, invalid("CallerRoleArn: only a session or a federated user in CallerArn has a role or user behind it; leave it out")
	case service == "iam" && a.Resource == "root":
		p.Kind = policy.Root
	case service == "iam" && (kind == "user" || kind == "group") && named:
		// Policies cannot name a group: it is as good as a user whom none of them names.
		p.Kind = policy.User
	case service == "iam" && kind == "role" && named:
		// A session of the role, whose name is not known.
		p.Kind, p.ARN, p.ParentARN = policy.RoleSession, "", r.CallerArn
	default:
		return p, invalid("CallerArn: %s is not a user, group, role, session or root user", quote(r.CallerArn))
	}
	return p, nil
}

// session reads the name of an assumed role's session, ROLE/SESSION.
func (r *Request) session(p *policy.Principal, a arn.ARN, name string) error {
	role, session, _ := strings.Cut(name, "/")
	if role == "" || session == "" || strings.Contains(session, "/") {
		return invalid("CallerArn: %s is not a session; write arn:aws:sts::%s:assumed-role/ROLE/SESSION", quote(r.CallerArn), a.Account)
	}
	a.Service, a.Resource = "iam", "role/"+role
	p.Kind, p.ParentARN = policy.RoleSession, a.String()
	return r.nameParent(p, "role", role)
}

func (r *Request) unnamedCaller() (policy.Principal, error) {
	if r.CallerRoleArn != "" {
		return policy.Principal{}, invalid("CallerRoleArn: name the session in CallerArn, too")
	}
	if len(r.PolicyInputList) == 0 {
		if len(r.PermissionsBoundaryPolicyInputList)+len(r.SessionPolicyInputList)+len(r.ServiceControlPolicyInputLists)+len(r.OrderedOrganizationPolicyInputList) > 0 {
			return policy.Principal{}, invalid("CallerArn is missing: without it and without PolicyInputList the caller is anonymous, and an anonymous caller has no policies of its own")
		}
		return policy.Principal{}, nil
	}
	account, err := r.owner()
	return policy.Principal{Kind: policy.User, Account: account}, err
}

// nameParent takes CallerRoleArn for the role (of that name) or the user behind the caller.
func (r *Request) nameParent(p *policy.Principal, kind, name string) error {
	if r.CallerRoleArn == "" {
		return nil
	}
	a, ok := principalARN(r.CallerRoleArn)
	is, path, _ := strings.Cut(a.Resource, "/")
	last := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case !ok || a.Service != "iam" || is != kind || last == "":
		return invalid("CallerRoleArn: %s is not a %s; write arn:aws:iam::%s:%s/path/name", quote(r.CallerRoleArn), kind, p.Account, kind)
	case a.Account != p.Account || name != "" && last != name:
		return invalid("CallerRoleArn: %s is not the %s behind CallerArn %s", quote(r.CallerRoleArn), kind, quote(p.ARN))
	}
	p.ParentARN = r.CallerRoleArn
	return nil
}

// principalARN reads an ARN of an account, without a region.
func principalARN(text string) (arn.ARN, bool) {
	a, err := arn.Parse(text)
	return a, err == nil && isAccount(a.Account) && a.Region == ""
}

func isAccount(text string) bool { return len(text) == 12 && isDigits(text) }

// owner is the account that ResourceOwner names, if any.
func (r *Request) owner() (string, error) {
	if r.ResourceOwner == "" || isAccount(r.ResourceOwner) {
		return r.ResourceOwner, nil
	}
	a, ok := principalARN(r.ResourceOwner)
	if !ok {
		return "", invalid("ResourceOwner: %s is not an account; write arn:aws:iam::111122223333:root or 111122223333", quote(r.ResourceOwner))
	}
	return a.Account, nil
}
