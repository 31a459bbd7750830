// Package compile turns a Config, which has API Gateway's terms as Go values, into the model that requests are decided by. It reports all
// faults at once. Nothing here sees a request.
//
// Start with Config, and with New for the order of the checks.
//
// 2026-11-28: each rule about the shape of a value stands in one place. config.proto has the rules that the message alone can state.
// This package has the rules about several values, and those without which New would not be safe for another caller: about all that
// becomes a part of an ARN, a host or an answer.
package compile

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

var (
	idShape      = regexp.MustCompile(`^[a-z0-9]{1,63}$`)
	accountShape = regexp.MustCompile(`^[0-9]{12}$`)
	regionShape  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	baseShape    = regexp.MustCompile(`^[A-Za-z0-9$_.+!*'()~@,:-]+$`)
)

// New compiles a configuration. It returns all faults at once; the model is nil if one of them is not a warning. The model does not hold a
// Place.
func New(c Config) (*model.Gateway, []fault.Fault) {
	var f faults
	g := &builder{&model.Gateway{
		APIs:     make(map[string]*model.API, len(c.APIs)),
		Hosts:    make(map[string]*model.Host, len(c.APIs)),
		Mappings: make(map[model.Domain]*model.Stage, len(c.APIs)),
		Folded:   map[model.Domain]*model.Stage{},

		RequireAPI: c.RequireAPI,
		Identify:   c.Identify,
		Verifies:   c.Signatures != nil,
	}}
	v := verifiers{factory: c.Signatures, made: map[string]model.Verify{}}
	for _, name := range overrides {
		g.Mapped.Add(name)
	}
	f.checkUpstreams(&c)
	compiled := make([]*apiBuilder, len(c.APIs))
	for i := range c.APIs {
		compiled[i] = g.compileAPI(&c, i, &v, &f)
	}
	// Domains come after all APIs, because a domain may be another API's default endpoint.
	for i := range c.APIs {
		g.mapDomains(&c.APIs[i], compiled[i], c.apiAt(i), &f)
	}
	for i := range c.APIs {
		g.checkAliases(&c.APIs[i], compiled[i], c.apiAt(i), &f)
	}
	g.trustProxies(c.TrustedProxies, c.At.Field("clientAddress").Field("trustedProxies"), &f)
	g.addVPCEndpoints(c.VPCEndpoints, c.At.Field("vpcEndpoints"), &f)
	if f.fatal() {
		return nil, f
	}
	if c.Meter != nil {
		for i := range c.APIs {
			compiled[i].meter(&c.APIs[i], c.Meter)
		}
	}
	return g.Gateway, f
}

// meter gives the API's stages and routes what counts their decisions.
func (a *apiBuilder) meter(c *API, meter func(authz.MeterKey) authz.Meter) {
	for _, s := range a.Stages {
		s.Meter = meter(authz.MeterKey{API: a.ID, Stage: s.Name})
		s.Meters = make([]authz.Meter, len(a.routes))
		for i, r := range a.routes {
			key := authz.MeterKey{API: a.ID, Stage: s.Name, Route: r.Name, Authorization: string(c.Routes[i].Authorization)}
			if r.Authorizer != nil {
				key.Authorizer = r.Authorizer.Name
			}
			s.Meters[i] = meter(key)
		}
	}
}

// checkIdentity refuses what would make the API's ARNs and its host ambiguous.
func (f *faults) checkIdentity(a *API, at *fault.Place) {
	f.checkShape(a.ID, idShape, at.Field("id"), "an API id", "write 1 to 63 lower-case letters and digits, such as a1b2c3d4e5")
	f.checkShape(a.Account, accountShape, at.Field("account"), "an account id", `write its 12 digits in quotation marks, such as "111122223333"`)
	f.checkShape(a.Region, regionShape, at.Field("region"), "a region", "write one such as eu-west-1")
	if a.Partition != "" && a.Partition != arn.PartitionOf(a.Region) {
		f.add(at.Field("partition"), "partition: region %s lies in partition %s, not in %q; remove partition, or write %[2]s", a.Region, arn.PartitionOf(a.Region), a.Partition)
	}
}

// compileAPI compiles an API without its domains.
func (g *builder) compileAPI(config *Config, of int, v *verifiers, f *faults) *apiBuilder {
	c, at := &config.APIs[of], config.apiAt(of)
	f.checkIdentity(c, at)
	f.checkKind(c, at)
	a := &apiBuilder{API: &model.API{
		ID: c.ID, Account: c.Account, Region: c.Region, Private: c.Private, Endpoint: c.ExecuteAPIEndpoint,
		StrictPaths: c.StrictPaths, LegacyMessages: c.LegacyMessages,
		Policy: c.ResourcePolicy, HTTP: c.HTTP, Routes: routing.Table[model.Route]{HTTP: c.HTTP}, CORS: f.compileCORS(c.CORS, at.Field("cors")),
	}}
	if g.APIs[a.ID] != nil {
		f.add(at.Field("id"), "the API %s is given twice; remove one, or write another id", a.ID)
	}
	g.APIs[a.ID] = a.API
	g.Hosts[c.ExecuteAPIHost()] = &model.Host{Owner: a.API}
	if c.Private && c.ResourcePolicy == nil {
		f.warn(at.Field("resourcePolicy"), "a private API without a resource policy denies every request; write resourcePolicy")
	}
	a.compileStages(c, at, f)
	a.compileAuthorizers(c, at, f)
	a.compileAPIKeys(c, at, f)
	a.Responses = f.compileResponses(c, at)
	v.compileSignatures(a, c, at, f)
	s := newScope(c)
	upstream := f.compileUpstream(c.UpstreamHeaders, s, at)
	a.routes = make([]*model.Route, len(c.Routes))
	apiAt, named := at, c.HasUpstreams()
	for i := range c.Routes {
		at := c.routeAt(at, i)
		own := f.compileUpstream(c.Routes[i].UpstreamHeaders, s, at)
		own = append(own, f.routeUpstream(config, c, &c.Routes[i], named, at, apiAt)...)
		r := a.compileRoute(&c.Routes[i], overrideUpstream(upstream, own), at, f)
		r.Verify, r.Signatures = v.routeVerifier(a, &c.Routes[i], at, f), a.routeSignatures(&c.Routes[i])
		if c.Routes[i].Authorization == IAM && v.factory == nil {
			f.add(at.Field("authorization"), "authorization AWS_IAM needs access keys; write iam.accounts and iam.accessKeys")
		}
		g.addMapped(own)
		r.Index, r.UpstreamAnswer, a.routes[i] = i, config.answerOf(c, &c.Routes[i]), r
	}
	a.foldRoutes(a.routes, c, at, f)
	a.warnOpenRoutes(a.routes, c, at, f)
	a.warnPreflights(a.routes, c, at, f)
	a.warnAPIKeys(c, at, f)
	g.addMapped(upstream)
	return a
}

func (g *builder) addMapped(headers []answer.MappedHeader) {
	for _, h := range headers {
		g.Mapped.Add(h.Name)
	}
}

func (a *apiBuilder) compileStages(c *API, at *fault.Place, f *faults) {
	masked := "********" + c.Account[max(0, len(c.Account)-4):]
	for i, s := range c.Stages {
		at := c.stageAt(at, i)
		f.checkStageName(a.API, s.Name, at.Field("name"))
		if a.Stage(s.Name) != nil {
			f.add(at.Field("name"), "the stage %s is given twice; remove one, or write another name", s.Name)
		} else if other := a.StageInAnyCase(s.Name); other != nil && a.Endpoint {
			f.add(at.Field("name"), "the stage %s differs from %s only in case, and the execute-api endpoint has both in the path, where servers that ignore case cannot tell them apart; write another name", s.Name, other.Name)
		}
		a.Stages = append(a.Stages, &model.Stage{
			API: a.API, Name: s.Name, Variables: s.Variables,
			ARN:       c.ARNPrefix() + "/" + s.Name + "/",
			MaskedARN: c.arnPrefix(masked) + "/" + s.Name + "/",
		})
	}
}

func (a *apiBuilder) compileRoute(c *Route, upstream []answer.MappedHeader, at *fault.Place, f *faults) *model.Route {
	if !c.key().HasMethod() {
		f.add(at.Field("route"), "%q is not a method; write ANY or one of %s", c.Method, strings.Join(routing.Methods[:], ", "))
	}
	r := &model.Route{Key: c.key(), Name: c.key().String(), Scopes: c.Scopes, APIKeyRequired: c.APIKeyRequired, Upstream: upstream}
	if c.Unresolved != "" {
		r.Guard, r.Unresolved = model.Unresolved, c.Unresolved
		f.checkUnresolved(c, at)
	} else {
		r.Guard, r.Authorizer = f.guardOf(c, at), a.routeAuthorizer(c, at, f)
	}
	if err := a.Routes.Add(r.Key, r); err != nil {
		f.add(at.Field("route"), "%v", err)
	}
	return r
}

// foldRoutes makes the routes of an API with strictPaths available without regard to case.
func (a *apiBuilder) foldRoutes(routes []*model.Route, c *API, at *fault.Place, f *faults) {
	if !a.StrictPaths {
		return
	}
	keys := make([]routing.Key, len(routes))
	for i := range routes {
		keys[i] = routes[i].Key
	}
	a.Routes.Fold(keys, routes, func(i int, err error) { f.add(c.routeAt(at, i).Field("route"), "%v", err) })
}

// mapDomains maps an API's custom domain names to its stages.
func (g *builder) mapDomains(c *API, a *apiBuilder, at *fault.Place, f *faults) {
	for i, s := range c.Stages {
		for j, text := range s.Domains {
			at := c.stageAt(at, i).Field("domains").Item(j)
			d, err := parseDomain(text)
			if err == nil {
				err = g.mapDomain(d, a.Stages[i])
			}
			if err != nil {
				f.add(at, "%v", err)
			}
		}
	}
}

func (g *builder) mapDomain(d model.Domain, s *model.Stage) error {
	if other := g.Mappings[d]; other != nil {
		return fmt.Errorf("%s%s is already mapped to stage %s of API %s; remove one of the two", d.Host, d.BasePath, other.Name, other.API.ID)
	}
	if other := g.inAnotherCase(d); other != nil && other != s {
		return fmt.Errorf("%s%s differs only in case from a base path of stage %s of API %s, and servers that ignore case cannot tell them apart; write another base path", d.Host, d.BasePath, other.Name, other.API.ID)
	}
	h := g.Host(d.Host)
	if h != nil && h.Owner != nil && (h.Owner.Endpoint || h.Owner != s.API) {
		return fmt.Errorf("%s is the execute-api endpoint of API %s; remove it, or write another domain", d.Host, h.Owner.ID)
	}
	if h = g.Hosts[d.Host]; h == nil {
		h = &model.Host{}
		g.Hosts[d.Host] = h
	}
	h.Depth = max(h.Depth, strings.Count(d.BasePath, "/"))
	g.Mappings[d] = s
	if s.Hosts == nil {
		s.Hosts = map[string]bool{}
	}
	s.Hosts[d.Host] = true
	if folded := (model.Domain{Host: d.Host, BasePath: canon.Lower(d.BasePath)}); folded != d {
		g.Folded[folded], h.Upper = s, true
	}
	if d.BasePath == "" {
		s.Whole = true
	} else {
		s.Below = true
	}
	return nil
}

// inAnotherCase returns the stage of a domain whose base path differs only in case.
func (g *builder) inAnotherCase(d model.Domain) *model.Stage {
	d.BasePath = canon.Lower(d.BasePath)
	if s := g.Folded[d]; s != nil {
		return s
	}
	return g.Mappings[d]
}

// parseDomain reads "host" or "host/base/path".
func parseDomain(text string) (model.Domain, error) {
	name, base, hasBase := strings.Cut(text, "/")
	name = canon.Lower(name)
	if canon.Host(name) != name || !hostShape.MatchString(name) && !strings.HasPrefix(name, "[") {
		return model.Domain{}, fmt.Errorf("%q is not a domain; write host or host/base/path, without scheme, port, wildcard or trailing dot", text)
	}
	if !hasBase {
		return model.Domain{Host: name}, nil
	}
	for segment := range strings.SplitSeq(base, "/") {
		if !baseShape.MatchString(segment) || canon.IsDotSegment(segment) {
			return model.Domain{}, fmt.Errorf("%q has a base path that cannot be matched; write segments of letters, digits and $-_.+!*'()~@,: with one slash between them", text)
		}
	}
	return model.Domain{Host: name, BasePath: "/" + base}, nil
}

// guardOf returns the guard of a route's authorization.
func (f *faults) guardOf(c *Route, at *fault.Place) model.Guard {
	g := guards[c.Authorization]
	if g == model.Unguarded {
		f.add(at.Field("authorization"), "authorization %q is not supported; write NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS or JWT", string(c.Authorization))
	}
	return g
}

// guards has the guard of each authorization type.
var guards = map[Authorization]model.Guard{None: model.Open, IAM: model.ByIAM, Custom: model.ByFunction, Cognito: model.ByToken, JWT: model.ByToken}
