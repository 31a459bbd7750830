package gateway

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

// CORS is the CORS configuration of an HTTP API ("Configure CORS for HTTP APIs in API Gateway").
type CORS struct {
	// AllowOrigins are origins such as https://www.example.com, or https://*, http://* or *.
	AllowOrigins []string
	// AllowMethods are methods, or *.
	AllowMethods []string
	// AllowHeaders and ExposeHeaders are names of headers, or *.
	AllowHeaders, ExposeHeaders []string
	// MaxAge is for how many seconds a browser keeps the answer to a preflight, -1 for not at all; zero says nothing.
	MaxAge int
	// AllowCredentials lets browsers send cookies and the like.
	AllowCredentials bool
}

// originShape is an origin as a browser writes it: scheme, host, port unless it is the scheme's own.
var originShape = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://([a-z0-9_-]+\.)*[a-z0-9_-]+(:[0-9]{1,5})?$|^[a-z][a-z0-9+.-]*://\[[0-9a-f:.]+\](:[0-9]{1,5})?$`)

// compileCORS compiles an API's CORS configuration, nil where it has none.
func (f *faults) compileCORS(c *CORS, at string) *answer.CORS {
	if c == nil {
		return nil
	}
	compiled := answer.NewCORS(answer.CORSOptions{
		AllowMethods: c.AllowMethods, AllowHeaders: c.AllowHeaders, ExposeHeaders: c.ExposeHeaders, MaxAge: c.MaxAge, AllowCredentials: c.AllowCredentials,
	})
	if len(c.AllowOrigins) == 0 {
		f.add(at+".allowOrigins", "cors allows no origin: write at least one, such as https://www.example.com")
	}
	for i, origin := range c.AllowOrigins {
		f.compileOrigin(compiled, c, origin, fmt.Sprintf("%s.allowOrigins[%d]", at, i))
	}
	for i, method := range c.AllowMethods {
		if method != "*" && !slices.Contains(routing.Methods[:], method) {
			f.add(fmt.Sprintf("%s.allowMethods[%d]", at, i), "%q is no method; write * or one of %s", method, strings.Join(routing.Methods[:], ", "))
		}
	}
	f.checkHeaderNames(c.AllowHeaders, at+".allowHeaders")
	f.checkHeaderNames(c.ExposeHeaders, at+".exposeHeaders")
	if c.MaxAge < -1 || c.MaxAge > 86400 {
		f.add(at+".maxAge", "%d is no age; write seconds, at most 86400, or -1", c.MaxAge)
	}
	return compiled
}

// compileOrigin adds an allowed origin.
func (f *faults) compileOrigin(compiled *answer.CORS, c *CORS, origin, at string) {
	switch {
	case origin == "*" && c.AllowCredentials:
		f.add(at, "browsers refuse credentials where every origin is allowed: write the origins, or remove allowCredentials")
	case origin == "*":
		compiled.AllowEveryOrigin()
	case origin == "https://*" || origin == "http://*":
		if c.AllowCredentials {
			f.warn(at, "%s with allowCredentials lets every site of that scheme act for a user who is logged in: write the origins", origin)
		}
		compiled.AllowScheme(strings.TrimSuffix(origin, "*"))
	case !originShape.MatchString(origin):
		f.add(at, "%q is no origin that a browser sends; write one such as https://www.example.com, in lower case and without a path, or https://*, http://* or *", origin)
	case !compiled.AllowOrigin(origin):
		f.add(at, "the origin %s is written twice", origin)
	}
}

func (f *faults) checkHeaderNames(names []string, at string) {
	for i, name := range names {
		if !authz.IsToken(name) {
			f.add(fmt.Sprintf("%s[%d]", at, i), "%q is no header name; write one such as Authorization, or *", name)
		}
	}
}
