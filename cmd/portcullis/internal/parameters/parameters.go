// Package parameters reads the parameters of aws iam simulate-custom-policy from a command line, and returns the
// request as JSON.
package parameters

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/simulate"
)

// parameter is a parameter of the request, as in the AWS CLI.
type parameter struct {
	flag, field string
	// list reports whether several values may follow the flag.
	list bool
}

// CLIInputJSON is the flag that has the whole request.
const CLIInputJSON = "cli-input-json"

func requestParameters() []parameter {
	return []parameter{
		{"policy-input-list", "PolicyInputList", true},
		{"permissions-boundary-policy-input-list", "PermissionsBoundaryPolicyInputList", true},
		{"session-policy-input-list", "SessionPolicyInputList", true},
		{"service-control-policy-input-lists", "ServiceControlPolicyInputLists", true},
		{"ordered-organization-policy-input-list", "OrderedOrganizationPolicyInputList", true},
		{"action-names", "ActionNames", true},
		{"resource-arns", "ResourceArns", true},
		{"resource-policy", "ResourcePolicy", false},
		{"resource-owner", "ResourceOwner", false},
		{"caller-arn", "CallerArn", false},
		{"caller-role-arn", "CallerRoleArn", false},
		{"context-entries", "ContextEntries", true},
		{"resource-handling-option", "ResourceHandlingOption", false},
		{CLIInputJSON, "", false},
	}
}

// Parameters are the values given for each flag.
type Parameters map[string][]string

// Define adds a flag for each parameter.
func (p Parameters) Define(flags *flag.FlagSet) {
	for _, d := range requestParameters() {
		usage := d.field + "; several `values` may follow"
		if !d.list {
			usage = d.field + "; one `value`"
		}
		if d.flag == CLIInputJSON {
			usage = "the whole request, as JSON `text` or file://PATH"
		}
		flags.Func(d.flag, usage, func(value string) error {
			if path, is := strings.CutPrefix(value, "file://"); is {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				value = string(content)
			}
			if !d.list && len(p[d.flag]) > 0 {
				return errors.New("given twice")
			}
			p[d.flag] = append(p[d.flag], value)
			return nil
		})
	}
}

// Spread repeats a list's flag before each value, because the flag package reads one value for each flag.
func (p Parameters) Spread(args []string) []string {
	list := map[string]bool{}
	for _, d := range requestParameters() {
		list["--"+d.flag] = d.list
	}
	var all []string
	current := ""
	for i, arg := range args {
		switch {
		case list[arg]:
			current = arg
			if i+1 == len(args) || strings.HasPrefix(args[i+1], "-") {
				all = append(all, arg)
			}
		case strings.HasPrefix(arg, "-"):
			current = ""
			all = append(all, arg)
		case current != "":
			all = append(all, current, arg)
		default:
			all = append(all, arg)
		}
	}
	return all
}

// Request returns the request as JSON.
func (p Parameters) Request() ([]byte, error) {
	if whole := p[CLIInputJSON]; whole != nil {
		if len(p) > 1 {
			return nil, errors.New("--cli-input-json excludes the other parameters; put them into it")
		}
		return []byte(whole[0]), nil
	}
	var fields []string
	for _, d := range requestParameters() {
		if p[d.flag] == nil {
			continue
		}
		value, err := d.json(p[d.flag])
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", d.flag, err)
		}
		fields = append(fields, fmt.Sprintf("%q: %s", d.field, value))
	}
	return []byte("{" + strings.Join(fields, ", ") + "}"), nil
}

// json joins the values. One that begins with a bracket is the whole list as JSON. Policies stay text.
func (d parameter) json(values []string) (string, error) {
	if d.list && len(values) == 1 && strings.HasPrefix(strings.TrimSpace(values[0]), "[") && json.Valid([]byte(values[0])) {
		return values[0], nil
	}
	all := make([]string, len(values))
	for i, value := range values {
		var err error
		if all[i], err = d.element(value); err != nil {
			return "", err
		}
	}
	if !d.list {
		return all[0], nil
	}
	return "[" + strings.Join(all, ",") + "]", nil
}

func (d parameter) element(value string) (string, error) {
	object := strings.HasPrefix(strings.TrimSpace(value), "{")
	switch d.field {
	case "ContextEntries":
		if object {
			break
		}
		entry, err := simulate.ParseContextEntry(value)
		if err != nil {
			return "", err
		}
		return encodeText(entry), nil
	case "ServiceControlPolicyInputLists", "OrderedOrganizationPolicyInputList":
		if !object && !strings.HasPrefix(strings.TrimSpace(value), "[") {
			return "", errors.New("write the levels as JSON")
		}
	default:
		return encodeText(value), nil
	}
	if !json.Valid([]byte(value)) {
		return "", errors.New("the value is not JSON")
	}
	return value, nil
}

func encodeText(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "null"
	}
	return strings.TrimSpace(b.String())
}
