package gateway

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	idShape       = regexp.MustCompile(`^[a-z0-9]{1,63}$`)
	accountShape  = regexp.MustCompile(`^[0-9]{12}$`)
	regionShape   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	stageShape    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	variableShape = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	hostShape     = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$`)
	baseShape     = regexp.MustCompile(`^[A-Za-z0-9$_.+!*'()~@,:-]+$`)
)

// partition returns the partition that a region lies in.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// ARNPrefix is what each method ARN of the API begins with, up to and including the API id. An abbreviated resource of its
// resource policy ("execute-api:/prod/GET/pets") is expanded with it.
func (a *API) ARNPrefix() string {
	return a.arnPrefix(a.Account)
}

func (a *API) arnPrefix(account string) string {
	return "arn:" + partition(a.Region) + ":execute-api:" + a.Region + ":" + account + ":" + a.ID
}

// ExecuteAPIHost is the host name of the API's default endpoint.
func (a *API) ExecuteAPIHost() string {
	host := a.ID + ".execute-api." + a.Region + ".amazonaws.com"
	if partition(a.Region) == "aws-cn" {
		host += ".cn"
	}
	return host
}

func (f *faults) checkIdentity(a *API, at string) {
	if !idShape.MatchString(a.ID) {
		f.add(at+".id", "%q is no API id; write one such as a1b2c3d4e5", a.ID)
	}
	if !accountShape.MatchString(a.Account) {
		f.add(at+".account", "%q is no account id; write its 12 digits in quotation marks", a.Account)
	}
	if !regionShape.MatchString(a.Region) {
		f.add(at+".region", "%q is no region; write one such as eu-west-1", a.Region)
	}
	if a.Partition != "" && a.Partition != partition(a.Region) {
		f.add(at+".partition", "region %s lies in partition %s, not %q", a.Region, partition(a.Region), a.Partition)
	}
}

// compileAPI compiles an API but for its domains.
func (g *Gateway) compileAPI(c *API, at string, f *faults) *api {
	f.checkIdentity(c, at)
	f.checkKind(c, at)
	a := &api{
		id: c.ID, account: c.Account, region: c.Region, private: c.Private, endpoint: c.ExecuteAPIEndpoint,
		strictPaths: c.StrictPaths, legacyMessages: c.LegacyMessages,
		policy: c.ResourcePolicy, http: c.HTTP, cors: f.compileCORS(c.CORS, at+".cors"),
	}
	if g.apis[a.id] != nil {
		f.add(at+".id", "the API %s is written twice", a.id)
	}
	g.apis[a.id] = a
	g.hosts[c.ExecuteAPIHost()] = &host{owner: a}
	if c.Private && c.ResourcePolicy == nil {
		f.warn(at+".resourcePolicy", "a private API denies every request until it has a resource policy: write resourcePolicy")
	}
	a.compileStages(c, at, f)
	a.compileAuthorizers(c, at, f)
	a.responses = f.compileResponses(c, at)
	g.compileSignatures(a, c, at, f)
	s := newScope(c)
	upstream := f.compileUpstream(c.UpstreamHeaders, s, at)
	if len(c.Routes) == 0 {
		f.add(at+".routes", "the API has no route: write at least one")
	}
	routes := make([]*route, len(c.Routes))
	for i := range c.Routes {
		at := routeAt(at, i)
		own := f.compileUpstream(c.Routes[i].UpstreamHeaders, s, at)
		r := a.compileRoute(&c.Routes[i], overrideUpstream(upstream, own), at, f)
		r.verify, r.signatures = g.routeVerifier(a, &c.Routes[i], at, f), a.routeSignatures(&c.Routes[i])
		if c.Routes[i].Authorization == IAM && g.signatures == nil {
			f.add(at+".authorization", "authorization AWS_IAM needs access keys: write iam.accounts and iam.accessKeys")
		}
		g.addMapped(own)
		routes[i] = r
	}
	a.foldRouter(routes, at, f)
	a.warnOpenRoutes(routes, at, f)
	a.warnPreflights(routes, at, f)
	g.addMapped(upstream)
	return a
}

// routeAt is the place of an API's route.
func routeAt(at string, i int) string { return fmt.Sprintf("%s.routes[%d]", at, i) }

func (g *Gateway) addMapped(headers []mappedHeader) {
	for _, h := range headers {
		g.mapped.add(h.name)
	}
}

func (a *api) compileStages(c *API, at string, f *faults) {
	if len(c.Stages) == 0 {
		f.add(at+".stages", "the API has no stage: write at least one")
	}
	masked := "********" + c.Account[max(0, len(c.Account)-4):]
	for i, s := range c.Stages {
		at := fmt.Sprintf("%s.stages[%d]", at, i)
		f.checkStageName(a, s.Name, at+".name")
		if a.stage(s.Name) != nil {
			f.add(at+".name", "the stage %s is written twice", s.Name)
		} else if other := a.stageInAnyCase(s.Name); other != nil && a.endpoint {
			f.add(at+".name", "the stage %s differs from %s in case alone, and the execute-api endpoint has both in the path: servers that ignore case take one for the other; write another name", s.Name, other.name)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
			if !variableShape.MatchString(name) {
				f.add(fmt.Sprintf("%s.variables[%q]", at, name), "%q is no name of a stage variable; write letters, digits and underscores", name)
			}
		}
		a.stages = append(a.stages, &stage{
			api: a, name: s.Name, variables: s.Variables,
			arn:       c.ARNPrefix() + "/" + s.Name + "/",
			maskedARN: c.arnPrefix(masked) + "/" + s.Name + "/",
		})
	}
}

func (a *api) compileRoute(c *Route, upstream []mappedHeader, at string, f *faults) *route {
	if !c.isMethod() {
		f.add(at+".route", "%q is no method; write ANY or one of %s", c.Method, strings.Join(anyMethods[:], ", "))
	}
	g := guards[c.Authorization]
	if g == nil {
		f.add(at+".authorization", "authorization %q is not supported; write NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS or JWT", string(c.Authorization))
	}
	r := &route{method: c.Method, resource: c.Resource, key: c.key(), guard: g, scopes: c.Scopes, upstream: upstream}
	r.authorizer = a.routeAuthorizer(c, at, f)
	if err := a.addRoute(c, r); err != nil {
		f.add(at+".route", "%v", err)
	}
	return r
}

// mapDomains maps an API's custom domain names to its stages.
func (g *Gateway) mapDomains(c *API, a *api, at string, f *faults) {
	for i, s := range c.Stages {
		for j, text := range s.Domains {
			at := fmt.Sprintf("%s.stages[%d].domains[%d]", at, i, j)
			d, err := parseDomain(text)
			if err == nil {
				err = g.mapDomain(d, a.stages[i])
			}
			if err != nil {
				f.add(at, "%v", err)
			}
		}
	}
}

func (g *Gateway) mapDomain(d domain, s *stage) error {
	if other := g.mappings[d]; other != nil {
		return fmt.Errorf("%s%s is mapped to stage %s of API %s already", d.host, d.basePath, other.name, other.api.id)
	}
	if other := g.inAnotherCase(d); other != nil && other != s {
		return fmt.Errorf("%s%s differs in case alone from a base path of stage %s of API %s, and servers that ignore case take one for the other: write another base path", d.host, d.basePath, other.name, other.api.id)
	}
	h := g.host(d.host)
	if h != nil && h.owner != nil && (h.owner.endpoint || h.owner != s.api) {
		return fmt.Errorf("%s is the execute-api endpoint of API %s already", d.host, h.owner.id)
	}
	if h = g.hosts[d.host]; h == nil {
		h = &host{}
		g.hosts[d.host] = h
	}
	h.depth = max(h.depth, strings.Count(d.basePath, "/"))
	g.mappings[d] = s
	if s.hosts == nil {
		s.hosts = map[string]bool{}
	}
	s.hosts[d.host] = true
	if folded := (domain{d.host, lower(d.basePath)}); folded != d {
		g.folded[folded], h.upper = s, true
	}
	if d.basePath == "" {
		s.whole = true
	} else {
		s.below = true
	}
	return nil
}

// inAnotherCase returns the stage of a domain whose base path differs in case alone.
func (g *Gateway) inAnotherCase(d domain) *stage {
	d.basePath = lower(d.basePath)
	if s := g.folded[d]; s != nil {
		return s
	}
	return g.mappings[d]
}

// parseDomain reads "host" or "host/base/path".
func parseDomain(text string) (domain, error) {
	name, base, hasBase := strings.Cut(text, "/")
	name = lower(name)
	if canonicalHost(name) != name || !hostShape.MatchString(name) && !strings.HasPrefix(name, "[") {
		return domain{}, fmt.Errorf("%q is no domain; write host or host/base/path, without scheme, port, wildcard or trailing dot", text)
	}
	if !hasBase {
		return domain{host: name}, nil
	}
	for segment := range strings.SplitSeq(base, "/") {
		if !baseShape.MatchString(segment) || isDotSegment(segment) {
			return domain{}, fmt.Errorf("%q has a base path that cannot be matched; write segments of letters, digits and $-_.+!*'()~@,: with one slash in between", text)
		}
	}
	return domain{host: name, basePath: "/" + base}, nil
}
