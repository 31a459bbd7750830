package sts

import (
	"context"
	"errors"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// The parameters of the operations, from the AWS STS API Reference.
var (
	assumeRoleShape = Shape{
		Required:   []string{"RoleArn", "RoleSessionName"},
		Optional:   []string{"DurationSeconds", "ExternalId", "Policy", "SerialNumber", "SourceIdentity", "TokenCode"},
		Lists:      map[string][]string{"PolicyArns": {"arn"}, "Tags": {"Key", "Value"}, "TransitiveTagKeys": {""}},
		MayBeEmpty: []string{"Value"},
		Unsupported: map[string]string{
			"ProvidedContexts": "portcullis has no context providers; leave it out.",
		},
	}
	webIdentityShape = Shape{
		Required: []string{"RoleArn", "RoleSessionName", "WebIdentityToken"},
		Optional: []string{"DurationSeconds", "Policy"},
		Lists:    map[string][]string{"PolicyArns": {"arn"}},
		Unsupported: map[string]string{
			"ProviderId": "it is for OAuth 2.0 access tokens of providers that portcullis does not know; send the token of an OpenID Connect issuer without it.",
		},
	}
	sessionTokenShape = Shape{Optional: []string{"DurationSeconds", "SerialNumber", "TokenCode"}}
)

// request returns what AssumeRole and AssumeRoleWithWebIdentity have in common.
func (c *Call) request() (*iam.AssumeRequest, error) {
	duration, err := c.Duration("DurationSeconds")
	if err != nil {
		return nil, err
	}
	agent, _ := c.Request.Header("user-agent")
	return &iam.AssumeRequest{
		Role: c.Text("RoleArn"), SessionName: c.Text("RoleSessionName"), Duration: duration,
		Policy: c.Text("Policy"), PolicyARNs: c.Texts("PolicyArns", "arn"),
		At: c.At, SourceIP: c.ClientAddress, UserAgent: agent, TLS: c.Request.Scheme == "https", Regions: c.Regions(),
	}, nil
}

func (s *Service) assumeRole(_ context.Context, c *Call) ([]Field, error) {
	c.Describe("", c.Text("RoleArn"), c.Text("RoleSessionName"))
	r, err := c.request()
	if err != nil {
		return nil, err
	}
	r.Caller, r.ExternalID, r.SourceIdentity = c.Caller, c.Text("ExternalId"), c.Text("SourceIdentity")
	r.MFADevice, r.MFACode = c.Text("SerialNumber"), c.Text("TokenCode")
	values := c.Texts("Tags", "Value")
	for i, key := range c.Texts("Tags", "Key") {
		r.Tags = append(r.Tags, session.Tag{Key: key, Value: values[i]})
	}
	r.TransitiveTagKeys = c.Texts("TransitiveTagKeys", "")
	return s.assume(c, r)
}

func (s *Service) assumeRoleWithWebIdentity(ctx context.Context, c *Call) ([]Field, error) {
	c.Describe("", c.Text("RoleArn"), c.Text("RoleSessionName"))
	web, err := s.webIdentity(ctx, c)
	if err != nil {
		return nil, err
	}
	r, err := c.request()
	if err != nil {
		return nil, err
	}
	r.Web = web
	fields, err := s.assume(c, r)
	if err != nil {
		return nil, err
	}
	return append(fields,
		Field{"SubjectFromWebIdentityToken", web.Subject}, Field{"Audience", audience(web)}, Field{"Provider", web.Issuer}), nil
}

// assume decides about a role and seals the session.
func (s *Service) assume(c *Call, r *iam.AssumeRequest) ([]Field, error) {
	granted, err := s.store.AssumeRole(r)
	if err != nil {
		return nil, err
	}
	return c.RoleSession(granted)
}

// maxSessionToken is 100 percent of PackedPolicySize.
const maxSessionToken = 2 << 10

// RoleSession seals the session of a role and returns what AssumeRole answers. Actions of other packages use it too.
func (c *Call) RoleSession(granted *session.Session) ([]Field, error) {
	name, id, err := assumedRole(granted)
	if err != nil {
		return nil, err
	}
	credentials, err := c.service.seal(c, granted)
	if err != nil {
		return nil, err
	}
	fields := []Field{{"AssumedRoleUser", []Field{{"Arn", name}, {"AssumedRoleId", id}}}, credentials.field()}
	if granted.Policy != "" || len(granted.PolicyARNs)+len(granted.Tags) > 0 {
		fields = append(fields, Field{"PackedPolicySize", len(credentials.SessionToken) * 100 / maxSessionToken})
	}
	if granted.SourceIdentity != "" {
		fields = append(fields, Field{"SourceIdentity", granted.SourceIdentity})
	}
	return fields, nil
}

// assumedRole returns the ARN and the id of a role session. The ARN does not have the role's path.
func assumedRole(granted *session.Session) (name, id string, err error) {
	role, err := arn.Parse(granted.Role)
	if err != nil {
		return "", "", internal("the role of a session has no ARN")
	}
	roleName := role.Resource[strings.LastIndexByte(role.Resource, '/')+1:]
	return "arn:" + role.Partition + ":sts::" + role.Account + ":assumed-role/" + roleName + "/" + granted.Name,
		granted.RoleID + ":" + granted.Name, nil
}

func (s *Service) getSessionToken(_ context.Context, c *Call) ([]Field, error) {
	duration, err := c.Duration("DurationSeconds")
	if err != nil {
		return nil, err
	}
	granted, err := s.store.UserSession(&iam.UserRequest{
		Caller: c.Caller, Duration: duration, MFADevice: c.Text("SerialNumber"), MFACode: c.Text("TokenCode"), At: c.At,
	})
	if err != nil {
		return nil, err
	}
	credentials, err := s.seal(c, granted)
	if err != nil {
		return nil, err
	}
	return []Field{credentials.field()}, nil
}

// getCallerIdentity needs no permission, and a Deny does not change that.
func (s *Service) getCallerIdentity(_ context.Context, c *Call) ([]Field, error) {
	p := c.Caller.Principal()
	return []Field{{"Arn", p.ARN}, {"UserId", c.Caller.UserID()}, {"Account", p.Account}}, nil
}

type sealed session.Credentials

// seal makes credentials for a session, and notes their key id for the log.
func (s *Service) seal(c *Call, granted *session.Session) (*sealed, error) {
	credentials, err := s.sessions.Seal(granted)
	switch {
	case errors.Is(err, session.ErrTooLarge):
		return nil, &Error{Code: PackedPolicyTooLarge, Message: "The session policies and tags make the session token larger than its limit: make them shorter."}
	case err != nil:
		return nil, internal("a session cannot be sealed: " + err.Error())
	}
	c.event.IssuedKey = credentials.AccessKeyID
	return (*sealed)(&credentials), nil
}

func (c *sealed) field() Field {
	return Field{"Credentials", []Field{
		{"AccessKeyId", c.AccessKeyID}, {"SecretAccessKey", c.SecretAccessKey}, {"SessionToken", c.SessionToken}, {"Expiration", c.Expiration},
	}}
}
