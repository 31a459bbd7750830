package iam

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// entity is a user, a group or a role in the export.
type entity struct {
	kind              string // "user", "group" or "role"
	at                int
	arn, name, id     string
	path              string
	hasPath           bool
	groups            []string
	inline            []inlinePolicy
	attached          []reference
	boundary          reference
	trust             document
	maxSession        int // seconds
	tags              map[string]string
	permissionsBounds bool
}

type inlinePolicy struct {
	name string
	document
}

// reference is the ARN of a policy and its position.
type reference struct {
	arn string
	at  int
}

// managedPolicy is one of the export's Policies, with its default version.
type managedPolicy struct {
	at             int
	arn            string
	defaultVersion string
	versions       []version
}

type version struct {
	id        string
	isDefault bool
	document
}

// export is the data read from `aws iam get-account-authorization-details` ("GetAccountAuthorizationDetails").
type export struct {
	*reader
	users, groups, roles []entity
	policies             []managedPolicy
}

func (e *export) response() error {
	return e.object("the export", func(name string) error {
		at := e.next()
		switch name {
		case "UserDetailList":
			return e.list(name, func() error { return e.entity("user", &e.users) })
		case "GroupDetailList":
			return e.list(name, func() error { return e.entity("group", &e.groups) })
		case "RoleDetailList":
			return e.list(name, func() error { return e.entity("role", &e.roles) })
		case "Policies":
			return e.list(name, e.managedPolicy)
		case "IsTruncated":
			truncated := false
			if err := e.boolean(&truncated); err != nil || !truncated {
				return err
			}
			return &misfit{at, cutShort}
		case "Marker", "NextToken":
			more := ""
			if err := e.text(&more); err != nil || more == "" {
				return err
			}
			return &misfit{at, cutShort}
		}
		return e.skip("the export", name, "ResponseMetadata")
	})
}

const cutShort = "the export is incomplete: run aws iam get-account-authorization-details without --max-items and --no-paginate"

// entity reads UserDetail, GroupDetail or RoleDetail.
func (e *export) entity(kind string, into *[]entity) error {
	title := strings.ToUpper(kind[:1]) + kind[1:]
	t := entity{kind: kind, at: e.next()}
	err := e.object("the "+kind, func(field string) error {
		switch field {
		case "Arn":
			return e.text(&t.arn)
		case title + "Name":
			return e.text(&t.name)
		case title + "Id":
			return e.text(&t.id)
		case "Path":
			t.hasPath = true
			return e.text(&t.path)
		case title + "PolicyList":
			return e.list(field, func() error { return e.inlinePolicy(&t) })
		case "AttachedManagedPolicies":
			return e.list(field, func() error { return e.attachment(&t) })
		}
		if kind == "group" {
			return e.skip("the group", field, "CreateDate")
		}
		switch field {
		case "PermissionsBoundary":
			return e.boundary(&t)
		case "Tags":
			return e.list(field, func() error { return e.tag(&t) })
		}
		if kind == "role" {
			return e.role(field, &t)
		}
		if field == "GroupList" {
			return e.list(field, func() error {
				group := ""
				err := e.text(&group)
				t.groups = append(t.groups, group)
				return err
			})
		}
		return e.skip("the user", field, "CreateDate", "PasswordLastUsed")
	})
	*into = append(*into, t)
	return err
}

// role reads the fields that only RoleDetail has.
func (e *export) role(field string, t *entity) error {
	switch field {
	case "AssumeRolePolicyDocument":
		if null, err := e.null(); null {
			return err
		}
		return e.document(&t.trust)
	case "MaxSessionDuration":
		return e.maxSession(t)
	}
	return e.skip("the role", field, "CreateDate", "InstanceProfileList", "RoleLastUsed", "Description")
}

// maxSession reads MaxSessionDuration ("UpdateRole", IAM API Reference).
func (e *export) maxSession(t *entity) error {
	at := e.next()
	if null, err := e.null(); null {
		return err
	}
	if err := e.unfit(strictjson.Number, "the value must be a number"); err != nil {
		return err
	}
	literal, err := e.json.Literal()
	if err != nil {
		return err
	}
	if t.maxSession, err = strconv.Atoi(literal); err != nil || !validMaxSession(t.maxSession) {
		return &misfit{at, "MaxSessionDuration " + outsideMaxSession}
	}
	return nil
}

// inlinePolicy reads PolicyDetail.
func (e *export) inlinePolicy(t *entity) error {
	p := inlinePolicy{document: document{at: e.next()}}
	err := e.object("the inline policy", func(field string) error {
		switch field {
		case "PolicyName":
			return e.text(&p.name)
		case "PolicyDocument":
			return e.document(&p.document)
		}
		return e.skip("the inline policy", field)
	})
	t.inline = append(t.inline, p)
	return err
}

// attachment reads AttachedPolicy.
func (e *export) attachment(t *entity) error {
	a := reference{at: e.next()}
	err := e.object("the attached policy", func(field string) error {
		if field == "PolicyArn" {
			return e.text(&a.arn)
		}
		return e.skip("the attached policy", field, "PolicyName")
	})
	t.attached = append(t.attached, a)
	return err
}

// boundary reads AttachedPermissionsBoundary.
func (e *export) boundary(t *entity) error {
	start := e.next()
	t.boundary.at = start
	t.permissionsBounds = start < len(e.data) && e.data[start] == '{'
	return e.object("the permissions boundary", func(field string) error {
		if field == "PermissionsBoundaryArn" {
			return e.text(&t.boundary.arn)
		}
		return e.skip("the permissions boundary", field, "PermissionsBoundaryType")
	})
}

func (e *export) tag(t *entity) error {
	at := e.next()
	var key, value string
	err := e.object("the tag", func(field string) error {
		switch field {
		case "Key":
			return e.text(&key)
		case "Value":
			return e.text(&value)
		}
		return e.skip("the tag", field)
	})
	name := strings.ToLower(key)
	if _, twice := t.tags[name]; twice {
		e.fault(at, "the tag %q is given twice; tag keys must differ in more than case", key)
	}
	if t.tags == nil {
		t.tags = map[string]string{}
	}
	t.tags[name] = value
	return err
}

// managedPolicy reads ManagedPolicyDetail.
func (e *export) managedPolicy() error {
	p := managedPolicy{at: e.next()}
	err := e.object("the managed policy", func(field string) error {
		switch field {
		case "Arn":
			return e.text(&p.arn)
		case "DefaultVersionId":
			return e.text(&p.defaultVersion)
		case "PolicyVersionList":
			return e.list(field, func() error { return e.version(&p) })
		}
		return e.skip("the managed policy", field, "PolicyName", "PolicyId", "Path", "AttachmentCount", "CreateDate",
			"PermissionsBoundaryUsageCount", "IsAttachable", "Description", "UpdateDate", "Tags")
	})
	e.policies = append(e.policies, p)
	return err
}

// version reads PolicyVersion. Only the default version's document is kept.
func (e *export) version(p *managedPolicy) error {
	v := version{document: document{at: e.next()}}
	err := e.object("the policy version", func(field string) error {
		switch field {
		case "VersionId":
			return e.text(&v.id)
		case "IsDefaultVersion":
			return e.boolean(&v.isDefault)
		case "Document":
			return e.document(&v.document)
		}
		return e.skip("the policy version", field, "CreateDate")
	})
	p.versions = append(p.versions, v)
	return err
}

// document reads a policy document: an object, as the AWS CLI prints it, or text, either URL-encoded, as the API sends
// it, or plain.
func (r *reader) document(d *document) error {
	r.json.Twice = func(string, int) error { return nil } // package policy checks the names of a policy
	from, to, err := r.json.Span()
	r.json.Twice = r.twice
	if err != nil {
		return err
	}
	d.at = from
	if r.data[from] != '"' {
		d.data = r.data[from:to:to]
		return nil
	}
	text, err := strictjson.New(r.data[from:to], strictjson.Limits{}).Text()
	if err != nil {
		return err
	}
	if strings.HasPrefix(text, "%") {
		decoded, err := url.PathUnescape(text)
		if err != nil {
			return &misfit{d.at, "the policy document is neither an object nor URL-encoded text"}
		}
		text = decoded
	}
	d.data, d.text = []byte(text), true
	return nil
}
