package simulate

import (
	"strconv"

	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// maxBytes is the length of the longest request.
const maxBytes = 8 << 20

// Decode reads a request from its JSON, strictly: each field once and by its exact name. A policy may stand there as an object,
// too, which is taken as it is written. A field that is null is absent.
func Decode(data []byte) (Request, error) {
	var r Request
	if len(data) > maxBytes {
		return r, invalid("the request is longer than %d bytes", maxBytes)
	}
	document, err := parseJSON(data)
	if err != nil {
		return r, described(err)
	}
	err = document.fields(func(name string, field value) error {
		read, err := r.reader(name, field)
		if err != nil || field.isNull() {
			return err
		}
		return read(field)
	})
	return r, described(err)
}

// reader finds what reads a field.
func (r *Request) reader(name string, field value) (func(value) error, error) {
	switch name {
	case "PolicyInputList":
		return listInto(&r.PolicyInputList, value.policy), nil
	case "PermissionsBoundaryPolicyInputList":
		return listInto(&r.PermissionsBoundaryPolicyInputList, value.policy), nil
	case "SessionPolicyInputList":
		return listInto(&r.SessionPolicyInputList, value.policy), nil
	case "ServiceControlPolicyInputLists":
		return listInto(&r.ServiceControlPolicyInputLists, value.policies), nil
	case "OrderedOrganizationPolicyInputList":
		return listInto(&r.OrderedOrganizationPolicyInputList, value.organizationPolicy), nil
	case "ResourcePolicy":
		return into(&r.ResourcePolicy, value.policy), nil
	case "ResourceOwner":
		return into(&r.ResourceOwner, value.filled), nil
	case "CallerArn":
		return into(&r.CallerArn, value.filled), nil
	case "CallerRoleArn":
		return into(&r.CallerRoleArn, value.filled), nil
	case "ActionNames":
		return listInto(&r.ActionNames, value.filled), nil
	case "ResourceArns":
		return listInto(&r.ResourceArns, value.filled), nil
	case "ContextEntries":
		return listInto(&r.ContextEntries, value.contextEntry), nil
	case "MaxItems":
		return into(&r.MaxItems, value.maxItems), nil
	case "Marker":
		return into(&r.Marker, value.filled), nil
	case "ResourceHandlingOption":
		return nil, field.fault("is not supported: it asks for EC2's rules; leave it out")
	}
	return nil, field.unknown("write PolicyInputList, PermissionsBoundaryPolicyInputList, SessionPolicyInputList, " +
		"ServiceControlPolicyInputLists, OrderedOrganizationPolicyInputList, ResourcePolicy, ResourceOwner, CallerArn, CallerRoleArn, " +
		"ActionNames, ResourceArns, ContextEntries, MaxItems or Marker")
}

func (v value) unknown(known string) error {
	return v.fault("there is no such field; %s", known)
}

func into[T any](to *T, read func(value) (T, error)) func(value) error {
	return func(v value) (err error) {
		*to, err = read(v)
		return err
	}
}

func listInto[T any](to *[]T, read func(value) (T, error)) func(value) error {
	return into(to, func(v value) ([]T, error) { return list(v, read) })
}

func list[T any](v value, read func(value) (T, error)) ([]T, error) {
	all := []T{}
	err := v.elements(func(element value) error {
		item, err := read(element)
		all = append(all, item)
		return err
	})
	return all, err
}

// policy is a policy's text.
func (v value) policy() (string, error) {
	switch v.json.Kind() {
	case strictjson.Object:
		return v.asWritten()
	case strictjson.Text:
		return v.filled()
	case strictjson.None, strictjson.Null, strictjson.Boolean, strictjson.Number, strictjson.Array:
	}
	return "", v.fault("is %s; write the policy as text or as an object", v.describe())
}

func (v value) policies() ([]string, error) { return list(v, value.policy) }

func (v value) organizationPolicy() (OrganizationPolicy, error) {
	var o OrganizationPolicy
	err := v.fields(func(name string, field value) error {
		if name != "ServiceControlPolicyInputList" {
			return field.unknown("write ServiceControlPolicyInputList")
		}
		return listInto(&o.ServiceControlPolicyInputList, value.policy)(field)
	})
	return o, err
}

func (v value) contextEntry() (ContextEntry, error) {
	var e ContextEntry
	err := v.fields(func(name string, field value) error {
		switch name {
		case "ContextKeyName":
			return into(&e.ContextKeyName, value.filled)(field)
		case "ContextKeyValues":
			return listInto(&e.ContextKeyValues, value.text)(field)
		case "ContextKeyType":
			return into(&e.ContextKeyType, value.filled)(field)
		}
		return field.unknown("write ContextKeyName, ContextKeyValues or ContextKeyType")
	})
	return e, err
}

func (v value) maxItems() (int, error) {
	text, err := v.asWritten()
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxItems {
		return 0, v.fault("write a number from 1 to %d", maxItems)
	}
	return n, nil
}
