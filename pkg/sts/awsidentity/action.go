package awsidentity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/sts"
)

// ActionName is the name of the action, which AWS's STS does not have. Its parameters are CallerIdentityUrl, StsUrl, and, optional, RoleArn,
// DurationSeconds and CallerExpiration.
const ActionName = "AssumeRoleWithCallerIdentity"

// uncertain is how long a session for a temporary key lasts whose end the client does not tell.
const uncertain = 15 * time.Minute

// Config configures an action. All fields but Endpoint are required.
type Config struct {
	Client  *Client
	Store   *iam.Store
	Listing *Listing
	// URLs are those by which clients reach this STS, each as Origin returns it.
	URLs []string
	// Endpoint replaces AWS's STS.
	Endpoint *Endpoint
}

type action struct {
	Config
	urls  map[string]bool
	hosts map[string]endpoint
}

// New returns the action.
func New(c Config) (*sts.Action, error) {
	a := &action{Config: c, urls: map[string]bool{}, hosts: hosts}
	if c.Client == nil || c.Store == nil || c.Listing == nil || len(c.URLs) == 0 {
		return nil, errors.New("awsidentity: Client, Store, Listing or URLs are missing")
	}
	for _, text := range c.URLs {
		if origin, err := Origin(text); err != nil || origin != text {
			return nil, errors.New("awsidentity: a URL of this STS is not an origin")
		}
		a.urls[text] = true
	}
	if c.Endpoint != nil {
		var err error
		if a.hosts, err = c.Endpoint.hosts(); err != nil {
			return nil, err
		}
	}
	if err := a.reachable(); err != nil {
		return nil, err
	}
	return &sts.Action{
		Unsigned: true, Run: a.run, Shape: sts.Shape{
			Required: []string{"CallerIdentityUrl", "StsUrl"},
			Optional: []string{"RoleArn", "DurationSeconds", "CallerExpiration"},
			Unsupported: map[string]string{
				"Policy":     "sessions for identities of AWS are not narrowed; list a role with fewer rights.",
				"PolicyArns": "sessions for identities of AWS are not narrowed; list a role with fewer rights.",
			},
		},
	}, nil
}

// reachable refuses entries of partitions whose STS is never asked. They would match nobody.
func (a *action) reachable() error {
	partitions := map[string]bool{}
	for _, host := range a.hosts {
		partitions[host.partition] = true
	}
	for _, e := range a.Listing.entries {
		if !partitions[e.partition] {
			return fmt.Errorf("no STS of the partition %q is asked, so nobody of the account %s is known: correct the entry, or write iam.sts.awsEndpoint", e.partition, e.account)
		}
	}
	return nil
}

func (a *action) run(ctx context.Context, c *sts.Call) ([]sts.Field, error) {
	until, err := a.check(c)
	if err != nil {
		return nil, err
	}
	p, err := parse(c.Text("CallerIdentityUrl"), a.hosts, c.At)
	if err != nil {
		return nil, errorOf(err)
	}
	if until.IsZero() && p.temporary {
		until = c.At.Add(uncertain)
	}
	duration, err := c.Duration("DurationSeconds")
	if err != nil {
		return nil, err
	}
	answer, err := a.Client.ask(ctx, p, c.Text("StsUrl"), c.ClientAddress, c.At)
	if err != nil {
		return nil, errorOf(err)
	}
	who, err := identify(answer, p.endpoint.partition)
	if err != nil {
		return nil, &sts.Error{Code: sts.AccessDenied, Message: err.Error()}
	}
	c.Describe(who.arn, c.Text("RoleArn"), who.sessionName())
	if err := c.Within("identity of AWS", who.id); err != nil {
		return nil, err
	}
	role, ofAWS, err := a.role(c.Text("RoleArn"), who)
	if err != nil {
		return nil, err
	}
	c.Describe("", role, "")
	agent, _ := c.Request.Header("user-agent")
	granted, err := a.Store.ExchangeAWS(role, &iam.AWSIdentity{
		Principal: who.principal(ofAWS), PathUnknown: who.role && ofAWS == "", UserID: who.userID, SessionName: who.sessionName(), Temporary: p.temporary,
		Duration: duration, Until: until, At: c.At, SourceIP: c.ClientAddress, UserAgent: agent, TLS: c.Request.Scheme == "https", Regions: c.Regions(),
	})
	if err != nil {
		return nil, err
	}
	return c.RoleSession(granted)
}

// check checks what does not need AWS: the answer is for TLS only, and the URL is bound to this STS. It returns the end that the client tells.
func (a *action) check(c *sts.Call) (until time.Time, err error) {
	peer := c.Request.Peer
	switch {
	case c.Request.Scheme != "https" && peer.IsValid() && !peer.IsLoopback():
		return until, &sts.Error{Code: sts.AccessDenied, Message: "Call this action over TLS: its answer has a secret."}
	case !a.urls[c.Text("StsUrl")]:
		return until, &sts.Error{
			Code: sts.AccessDenied, Message: "The URL is bound to another STS than this one.", Detail: "StsUrl is not in iam.sts.urls",
		}
	case c.Text("CallerExpiration") == "":
		return until, nil
	}
	until, err = time.Parse(time.RFC3339, c.Text("CallerExpiration"))
	if err != nil {
		return until, &sts.Error{Code: sts.ValidationError, Message: "CallerExpiration is not a time such as 2027-01-01T00:00:00Z."}
	}
	if !until.After(c.At) {
		return until, &sts.Error{Code: sts.ExpiredToken, Message: "The caller's own credentials have expired."}
	}
	return until, nil
}

// role returns the role that an identity gets: the one that it asks for, or the only one listed for it.
func (a *action) role(asked string, who *identity) (role, ofAWS string, err error) {
	roles, ofAWS := a.Listing.roles(who)
	for _, role := range roles {
		if role == asked {
			return role, ofAWS, nil
		}
	}
	switch {
	case asked == "" && len(roles) == 1:
		return roles[0], ofAWS, nil
	case asked == "" && len(roles) > 1:
		return "", "", &sts.Error{Code: sts.ValidationError, Message: "Several roles are listed for the caller: write one to RoleArn."}
	}
	return "", "", &sts.Error{
		Code: sts.AccessDenied, Message: fmt.Sprintf("%s is not authorized to have a session of the role.", who.arn),
		Detail: "iam.awsIdentities does not list the identity, whose unique id is " + who.id + ", for the role",
	}
}

// errorOf returns the error of a URL or of an answer for the client.
func errorOf(err error) error {
	refused := (*refusedByAWS)(nil)
	switch {
	case errors.Is(err, errTooOld):
		return &sts.Error{Code: sts.ExpiredTokenException, Message: "CallerIdentityUrl: " + err.Error()}
	case errors.Is(err, errBusy), errors.Is(err, errFull):
		return &sts.Error{Code: sts.Throttling, Message: "Rate exceeded", Detail: err.Error()}
	case errors.As(err, &refused):
		return &sts.Error{Code: sts.AccessDenied, Message: "AWS does not accept CallerIdentityUrl.", Detail: err.Error()}
	case errors.As(err, new(*unreachable)):
		return &sts.Error{Code: sts.IDPCommunicationError, Message: "AWS STS did not answer as expected.", Detail: err.Error()}
	}
	return &sts.Error{Code: sts.InvalidIdentityToken, Message: "CallerIdentityUrl: " + err.Error()}
}

// sessionName returns the name of the session here: that of the session or user of AWS.
func (i *identity) sessionName() string {
	if i.role {
		return i.session
	}
	return i.name
}

// principal returns the identity as policies name it. The ARN of a role without an entry of its own has no path, for AWS does not tell it.
func (i *identity) principal(role string) policy.Principal {
	if !i.role {
		return policy.Principal{Kind: policy.User, ARN: i.arn, Account: i.account, ID: i.id}
	}
	if role == "" {
		role = "arn:" + i.partition + ":iam::" + i.account + ":role/" + i.name
	}
	return policy.Principal{Kind: policy.RoleSession, ARN: i.arn, Account: i.account, ParentARN: role, ParentID: i.id}
}
