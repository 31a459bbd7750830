package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

const (
	logFileBytes = 100 << 20
	logFilesKept = 5
)

// decisionLog returns the settings of the decision log; nil if there are none, and the flags alone count.
func (c *compiler) decisionLog(m *configv1.Config, at *fault.Place) *decisionlog.Config {
	d := m.GetDecisionLog()
	if d == nil {
		return nil
	}
	log := &decisionlog.Config{
		Stdout:   d.GetStdout(),
		Fields:   c.logFields(d.GetFields(), m.GetApis(), at.Field("fields")),
		Sampling: decisionlog.Sampling{Allowed: -1, Denied: -1, Errors: -1},
		Required: d.GetAudit() == configv1.Audit_REQUIRED,
	}
	if f := d.GetFile(); f != nil {
		log.File = &decisionlog.File{Path: f.GetPath(), MaxBytes: logFileBytes, Keep: logFilesKept}
		if f.GetPath() != "" {
			log.File.Path = c.Relative(f.GetPath())
		}
		if f.MaxBytes != nil {
			log.File.MaxBytes = int64(f.GetMaxBytes())
		}
		if f.Keep != nil {
			log.File.Keep = int(f.GetKeep())
		}
	}
	if o := d.GetOtlp(); o != nil {
		log.OTLP = c.logCollector(o, at.Field("otlp"))
	}
	c.logSampling(d, log, at)
	log.Log = !log.Stdout && log.File == nil && log.OTLP == nil
	if err := log.Validate(); err != nil {
		c.Faults(at, err)
	}
	return log
}

func (c *compiler) logCollector(m *configv1.LogCollector, at *fault.Place) *decisionlog.OTLP {
	o := &decisionlog.OTLP{Address: m.GetAddress(), URL: m.GetUrl(), TLS: m.GetTls(), CA: c.OptionalFile(m.GetCaFile(), at.Field("caFile"))}
	for _, name := range slices.Sorted(maps.Keys(m.GetHeaders())) {
		o.Headers = append(o.Headers, authz.Field{Name: name, Value: c.Secret(m.GetHeaders()[name], at.Field("headers").Key(name))})
	}
	return o
}

// gatherDecisionLog reads the files that the decision log's collector names.
func (c *compiler) gatherDecisionLog() {
	collector := c.Doc.Root().Field("decisionLog").Field("otlp")
	c.GatherNamed(collector, "caFile")
	for secret := range c.Doc.Values(collector.Field("headers")) {
		c.GatherFile(secret, reader.MaxSecretSize)
	}
}

func (c *compiler) logSampling(d *configv1.DecisionLog, log *decisionlog.Config, at *fault.Place) {
	s := d.GetSampling()
	if s == nil {
		return
	}
	if log.Required {
		c.IfNew(at.Field("sampling"), "a required audit logs every decision; remove sampling, or audit")
	}
	if s.Allowed != nil {
		log.Sampling.Allowed = s.GetAllowed()
	}
	if s.Denied != nil {
		log.Sampling.Denied = s.GetDenied()
	}
	if s.Errors != nil {
		log.Sampling.Errors = s.GetErrors()
	}
}

// logFields returns the chosen names. The identity sources of authorizers cannot be chosen.
func (c *compiler) logFields(m *configv1.LogFields, apis []*configv1.API, at *fault.Place) decisionlog.Fields {
	fields := decisionlog.Fields{Query: m.GetQueryParameters(), Claims: m.GetClaims()}
	for _, name := range m.GetRequestHeaders() {
		fields.Headers = append(fields.Headers, strings.ToLower(name))
	}
	if err := fields.Validate(); err != nil {
		c.Faults(at, err)
	}
	const identity = "%s is an identity source of an authorizer, whose value is never logged; remove it"
	sources := identitySources(apis)
	for i, name := range fields.Headers {
		if slices.Contains(sources, "header."+name) {
			c.Fault(at.Field("requestHeaders").Item(i), identity, fault.Quoted(name))
		}
	}
	for i, name := range fields.Query {
		if slices.Contains(sources, "querystring."+strings.ToLower(name)) {
			c.Fault(at.Field("queryParameters").Item(i), identity, fault.Quoted(name))
		}
	}
	return fields
}

// identitySources returns what authorizers read, such as header.authorization and querystring.auth, in lower case.
func identitySources(apis []*configv1.API) (sources []string) {
	for _, api := range apis {
		for _, a := range api.GetAuthorizers() {
			written := slices.Concat(a.GetLambda().GetIdentitySource(), []string{a.GetCognito().GetIdentitySource(), a.GetJwt().GetIdentitySource()})
			for _, s := range written {
				s = strings.ToLower(strings.TrimPrefix(s, "$"))
				s = strings.TrimPrefix(strings.TrimPrefix(s, "method."), "request.")
				sources = append(sources, s)
			}
		}
	}
	return sources
}
