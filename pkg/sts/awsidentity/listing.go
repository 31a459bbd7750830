package awsidentity

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Entry lists who may have which roles. It has an Account, a User or a Role.
type Entry struct {
	// Account is an account of AWS, for all its users and roles: 12 digits for the partition aws, or arn:PARTITION:iam::ACCOUNT:root.
	Account string
	// User and Role are the ARN of a user or role of AWS, with its path. ID is its unique id.
	User, Role, ID string
	// MayAssume are the ARNs of the roles here.
	MayAssume []string
}

// Listing says which identities of AWS may have which roles here. Its zero value lists nobody.
type Listing struct{ entries []entry }

type entry struct {
	Entry
	// partition, account and name are those of the user or role. Of an entry for an account, name is empty.
	partition, account, name string
}

// Add adds an entry. An entry with faults lists nobody.
func (l *Listing) Add(e Entry, at *fault.Place) (faults []fault.Fault) {
	wrong := func(at *fault.Place, message string) { faults = append(faults, fault.Fault{At: at, Message: message}) }
	kinds := 0
	for _, text := range []string{e.Account, e.User, e.Role} {
		if text != "" {
			kinds++
		}
	}
	added := entry{Entry: e}
	switch {
	case kinds != 1:
		wrong(at, "the entry is for one account, user or role: write account, or user or role with its ARN")
	case e.Account != "":
		if !added.whole(e.Account) {
			wrong(at.Field("account"), "must be the id of an account of AWS, 12 digits, or its ARN in another partition: arn:aws-cn:iam::111122223333:root")
		}
		if e.ID != "" {
			wrong(at.Field("id"), "an account has no unique id: remove id")
		}
	case e.User != "":
		faults = append(faults, added.named(e.User, "user", at)...)
	default:
		faults = append(faults, added.named(e.Role, "role", at)...)
	}
	if len(e.MayAssume) == 0 {
		wrong(at.Field("mayAssume"), "the entry lists no role: write the ARNs of the roles that the identity may have here")
	}
	for i, role := range e.MayAssume {
		if slices.Contains(e.MayAssume[:i], role) {
			wrong(at.Field("mayAssume").Item(i), "the role is listed twice: remove one")
		}
	}
	if len(faults) == 0 {
		l.entries = append(l.entries, added)
	}
	return faults
}

// whole reads an account. Policies name accounts in the same two ways.
func (e *entry) whole(text string) bool {
	if e.partition, e.account = "aws", text; accountShape.MatchString(text) {
		return true
	}
	a, err := arn.Parse(text)
	e.partition, e.account = a.Partition, a.Account
	return err == nil && a.Service == "iam" && a.Region == "" && a.Resource == "root" && regionShape.MatchString(a.Partition) && accountShape.MatchString(a.Account)
}

// named reads the ARN of a user or role.
func (e *entry) named(text, kind string, at *fault.Place) (faults []fault.Fault) {
	a, err := arn.Parse(text)
	path, ok := strings.CutPrefix(a.Resource, kind)
	slash := strings.LastIndexByte(path, '/')
	e.partition, e.account, e.name = a.Partition, a.Account, path[slash+1:]
	if err != nil || !ok || slash < 0 || a.Service != "iam" || a.Region != "" || !accountShape.MatchString(a.Account) ||
		!pathShape.MatchString(path[:slash+1]) || !nameShape.MatchString(e.name) {
		faults = append(faults, fault.Fault{At: at.Field(kind), Message: "must be the ARN of a " + kind + " of AWS, with its path: arn:aws:iam::111122223333:" + kind + "/name"})
	}
	shape, prefix := roleIDShape, "AROA"
	if kind == "user" {
		shape, prefix = userIDShape, "AIDA"
	}
	if !shape.MatchString(e.ID) {
		faults = append(faults, fault.Fault{At: at.Field("id"), Message: "must be the unique id of the " + kind + ", which begins with " + prefix + ": aws iam get-" + kind + " prints it"})
	}
	return faults
}

// roles returns the roles that an identity may have, and the ARN of its own role if an entry tells it.
func (l *Listing) roles(i *identity) (roles []string, ofAWS string) {
	for n := range l.entries {
		e := &l.entries[n]
		if !e.matches(i) {
			continue
		}
		if e.Role != "" {
			ofAWS = e.Role
		}
		for _, role := range e.MayAssume {
			if !slices.Contains(roles, role) {
				roles = append(roles, role)
			}
		}
	}
	return roles, ofAWS
}

// matches reports whether an entry is for an identity. AWS leaves out the path of a role session's role, so its role is found by its
// unique id, and name and account have to fit.
func (e *entry) matches(i *identity) bool {
	switch {
	case e.account == "" || e.account != i.account || e.partition != i.partition:
		return false
	case e.Account != "":
		return true
	case e.ID == "" || e.ID != i.id || e.name != i.name:
		return false
	case e.User != "":
		return !i.role && e.User == i.arn
	default:
		return e.Role != "" && i.role
	}
}
