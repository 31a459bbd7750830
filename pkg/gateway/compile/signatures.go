package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

const defaultExpires = 300 * time.Second

// verifiers makes the verifiers of signatures, one for each distinct set of options.
type verifiers struct {
	factory func(SignatureOptions) (model.Verify, error)
	made    map[string]model.Verify
}

// verifier returns the verifier for a set of options.
func (v *verifiers) verifier(o SignatureOptions, at *fault.Place, f *faults) model.Verify {
	if v.factory == nil || o.Region == "" { // already a fault
		return nil
	}
	key := fmt.Sprintf("%#v", o) // every option, in quotes if it is text
	if made, ok := v.made[key]; ok {
		return made
	}
	made, err := v.factory(o)
	if err != nil {
		f.add(at, "%v", err)
	}
	v.made[key] = made
	return made
}

// compileSignatures makes an API's verifier.
func (v *verifiers) compileSignatures(a *apiBuilder, c *API, at *fault.Place, f *faults) {
	a.signatures = c.Signatures
	a.signatures.Region, a.signatures.UnsignedPayload = c.Region, false
	a.Verify = v.verifier(a.signatures, at.Field("signatures"), f)
	// A VPC endpoint's policy is asked about the signer, whatever the route's authorization.
	used := c.Private || slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Authorization == IAM })
	if c.Signatures.given() && !used {
		f.add(at.Field("signatures"), "no route of the API has authorization AWS_IAM; remove signatures")
	}
}

// routeVerifier returns a route's own verifier, nil if it uses the API's.
func (v *verifiers) routeVerifier(a *apiBuilder, c *Route, at *fault.Place, f *faults) model.Verify {
	if c.Signatures == (model.RouteSignatures{}) {
		return nil
	}
	if c.Authorization != IAM {
		f.add(at.Field("signatures"), "only a route with authorization AWS_IAM can have signatures; remove them, or write authorization: AWS_IAM")
		return nil
	}
	if a.Verify == nil { // already a fault
		return nil
	}
	o := a.signatures
	own := a.routeSignatures(c)
	o.MaxExpires, o.UnsignedPayload = own.MaxExpires, own.UnsignedPayload
	return v.verifier(o, at.Field("signatures"), f)
}

// routeSignatures returns the options of a route: its own, or those of its API.
func (a *apiBuilder) routeSignatures(c *Route) model.RouteSignatures {
	return model.RouteSignatures{
		MaxExpires:      cmp.Or(c.Signatures.MaxExpires, a.signatures.MaxExpires, defaultExpires),
		UnsignedPayload: c.Signatures.UnsignedPayload,
	}
}

// checkAliases refuses an alias that is a host of another API, because requests that were signed for that API would pass here too.
func (g *builder) checkAliases(c *API, a *apiBuilder, at *fault.Place, f *faults) {
	for i, alias := range c.Signatures.HostAliases {
		at := at.Field("signatures").Field("hostAliases").Item(i)
		name := canon.Host(alias)
		if !hostShape.MatchString(name) && !strings.HasPrefix(name, "[") {
			f.add(at, "%q is not a host; write it as clients sign it, such as api.example.com or api.example.com:8443", alias)
			continue
		}
		a.Aliases = append(a.Aliases, name)
		if other := g.otherOwner(name, a.API); other != nil {
			f.add(at, "%s is a host of API %s, so requests that were signed for that API would pass here too; remove it", alias, other.ID)
		}
	}
}

// otherOwner returns an API other than a that a host leads to. Of several it is the one whose id sorts first.
func (g *builder) otherOwner(name string, a *model.API) *model.API {
	h := g.Host(name)
	switch {
	case h == nil:
		return nil
	case h.Owner != nil && h.Owner != a:
		return h.Owner
	}
	var other *model.API
	for d, s := range g.Mappings {
		if d.Host == name && s.API != a && (other == nil || s.API.ID < other.ID) {
			other = s.API
		}
	}
	return other
}
