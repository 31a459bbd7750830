package identity

import (
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/sts"
	"github.com/portcullis-authz/portcullis/pkg/sts/awsidentity"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// exchange returns the action of STS for identities of AWS, if any are listed. ok is false if they are at fault.
func (c *compiler) exchange(m *configv1.Iam, at *fault.Place) (actions map[string]*sts.Action, ok bool) {
	before := c.Count()
	stsAt := at.Field("sts")
	a := awsidentity.Config{
		Client: c.pool.AWS(), Store: c.keys, Listing: c.awsIdentities(m.GetAwsIdentities(), at.Field("awsIdentities")),
		URLs: c.ownURLs(m.GetSts().GetUrls(), stsAt.Field("urls")), Endpoint: c.awsEndpoint(m.GetSts().GetAwsEndpoint(), stsAt.Field("awsEndpoint")),
	}
	if len(m.GetAwsIdentities()) == 0 {
		return nil, c.Count() == before
	}
	if len(m.GetSts().GetUrls()) == 0 {
		c.IfNew(at.Field("awsIdentities"), "STS needs to know by which URLs clients reach it: write them to iam.sts.urls, such as https://sts.shop.svc:9003")
	}
	if c.Count() > before {
		return nil, false
	}
	action, err := awsidentity.New(a)
	if err != nil {
		c.Faults(at.Field("awsIdentities"), err)
		return nil, false
	}
	return map[string]*sts.Action{awsidentity.ActionName: action}, true
}

// awsIdentities reads who may have which roles.
func (c *compiler) awsIdentities(list []*configv1.AwsIdentity, at *fault.Place) *awsidentity.Listing {
	l := &awsidentity.Listing{}
	for i, m := range list {
		at := at.Item(i)
		for _, f := range l.Add(awsidentity.Entry{
			Account: m.GetAccount(), User: m.GetUser(), Role: m.GetRole(), ID: m.GetId(), MayAssume: m.GetMayAssume(),
		}, at) {
			c.IfNew(f.At, f.Message)
		}
		for n, role := range m.GetMayAssume() {
			if !c.keys.HasRole(role) {
				c.IfNew(at.Field("mayAssume").Item(n), "no account has the role "+fault.Quoted(role)+": write its ARN with its path, and the role to iam.roles, or its account to iam.accounts")
			}
		}
	}
	return l
}

// ownURLs reads the URLs by which clients reach STS.
func (c *compiler) ownURLs(list []string, at *fault.Place) []string {
	for i, text := range list {
		origin, err := awsidentity.Origin(text)
		switch {
		case err != nil:
			c.IfNew(at.Item(i), fault.Quoted(text)+" is not a URL of STS: "+err.Error())
		case origin != text:
			c.IfNew(at.Item(i), fault.Quoted(text)+" is another spelling of "+origin+": write that")
		case awsidentity.IsPlain(text):
			c.Warn(at.Item(i), "clients on this machine get secrets in plain text: use TLS, except in a test")
		}
	}
	return list
}

// awsEndpoint reads what stands in for AWS's STS.
func (c *compiler) awsEndpoint(m *configv1.AwsEndpoint, at *fault.Place) *awsidentity.Endpoint {
	if m == nil {
		return nil
	}
	e := &awsidentity.Endpoint{URL: m.GetUrl(), Region: m.GetRegion(), Partition: m.GetPartition()}
	if err := e.Check(); err != nil {
		c.IfNew(at, "the endpoint is not valid: "+err.Error())
		return nil
	}
	c.Warn(at, "it decides in place of AWS who the callers of awsIdentities are: remove it, except in a test or a partition that portcullis does not know")
	return e
}
