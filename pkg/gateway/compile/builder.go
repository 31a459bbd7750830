package compile

import (
	"fmt"
	"regexp"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// builder holds a gateway while it is compiled.
type builder struct {
	*model.Gateway
}

// apiBuilder holds an API while it is compiled.
type apiBuilder struct {
	*model.API
	authorizers map[string]*model.Authorizer
	// kinds holds the authorization of each authorizer.
	kinds map[string]Authorization
	// signatures holds the API's options.
	signatures SignatureOptions
	// routes are in the order of the configuration.
	routes []*model.Route
}

// checkShape refuses a text that is missing or does not have a shape.
func (f *faults) checkShape(text string, shape *regexp.Regexp, at *fault.Place, what, remedy string) {
	switch {
	case text == "":
		f.add(at, "%s is missing; %s", at.Label(), remedy)
	case !shape.MatchString(text):
		f.add(at, "%s: %q is not %s; %s", at.Label(), text, what, remedy)
	}
}

// faults collects the faults of a configuration.
type faults []fault.Fault

func (f *faults) add(at *fault.Place, format string, args ...any) {
	*f = append(*f, fault.Fault{At: at, Message: fmt.Sprintf(format, args...)})
}

func (f *faults) warn(at *fault.Place, format string, args ...any) {
	*f = append(*f, fault.Fault{At: at, Message: fmt.Sprintf(format, args...), Warning: true})
}

func (f *faults) fatal() bool { return fault.List(*f).Fatal() }

// hostShape is a host name in lower case. Underscores are legal in DNS, and in use.
var hostShape = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$`)
