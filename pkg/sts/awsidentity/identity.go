package awsidentity

import (
	"errors"
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// callerIdentity is the result of GetCallerIdentity.
type callerIdentity struct{ Account, Arn, UserID string }

// readAnswer reads {"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account", "Arn", "UserId"}, …}}. A name that is given twice
// is an error.
func readAnswer(body []byte) (*callerIdentity, error) {
	r, c := strictjson.New(string(body), strictjson.Limits{Depth: 8, Values: 64}), &callerIdentity{}
	err := r.Object(only(r, "GetCallerIdentityResponse", func() error {
		return r.Object(only(r, "GetCallerIdentityResult", func() error { return r.Object(c.member(r)) }))
	}))
	if err == nil {
		err = r.End()
	}
	if err != nil || c.Account == "" || c.Arn == "" || c.UserID == "" {
		return nil, &unreachable{"did not answer with the result of GetCallerIdentity"}
	}
	return c, nil
}

// only reads one member of an object and passes over all others.
func only(r *strictjson.Reader[string], name string, read func() error) func(string, int) error {
	return func(member string, _ int) error {
		if member == name {
			return read()
		}
		return pass(r)
	}
}

func pass(r *strictjson.Reader[string]) error {
	_, _, err := r.Span()
	return err
}

func (c *callerIdentity) member(r *strictjson.Reader[string]) func(string, int) error {
	into := map[string]*string{"Account": &c.Account, "Arn": &c.Arn, "UserId": &c.UserID}
	return func(name string, _ int) (err error) {
		text := into[name]
		if text == nil {
			return pass(r)
		}
		*text, err = r.Text()
		return err
	}
}

var codeShape = regexp.MustCompile(`^[A-Za-z.]{1,64}$`)

// refusal reads the code of an error of AWS, {"Error": {"Code"}}.
func refusal(body []byte) error {
	code := ""
	r := strictjson.New(string(body), strictjson.Limits{Depth: 8, Values: 64})
	err := r.Object(only(r, "Error", func() error {
		return r.Object(only(r, "Code", func() (err error) { code, err = r.Text(); return err }))
	}))
	if err != nil || !codeShape.MatchString(code) {
		code = "an error"
	}
	return &refusedByAWS{code}
}

// identity is a user or a role session of AWS.
type identity struct {
	partition, account string
	arn, userID        string
	role               bool
	// name is that of the user or role, id its unique id. session is the name of the role session.
	name, id, session string
}

var (
	accountShape = regexp.MustCompile(`^[0-9]{12}$`)
	nameShape    = regexp.MustCompile(`^[0-9A-Za-z_+=,.@-]{1,64}$`)
	pathShape    = regexp.MustCompile(`^/([!-.0-~]+/)*$`)
	userIDShape  = regexp.MustCompile(`^AIDA[A-Z0-9]{12,124}$`)
	roleIDShape  = regexp.MustCompile(`^AROA[A-Z0-9]{12,124}$`)
)

// identify says who an answer is about. Everybody but users and role sessions is refused.
func identify(c *callerIdentity, partition string) (*identity, error) {
	a, err := arn.Parse(c.Arn)
	if err != nil || a.Region != "" || a.Account != c.Account || a.Partition != partition || !accountShape.MatchString(c.Account) {
		return nil, errors.New("the ARN of AWS's answer is not of its account and partition")
	}
	i := &identity{partition: a.Partition, account: a.Account, arn: c.Arn, userID: c.UserID}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "iam" && kind == "user":
		slash := strings.LastIndexByte("/"+rest, '/')
		i.name, i.id = rest[slash:], c.UserID
		if !nameShape.MatchString(i.name) || !pathShape.MatchString(("/" + rest)[:slash+1]) || !userIDShape.MatchString(i.id) {
			return nil, errors.New("AWS's answer does not name a user as AWS does")
		}
	case a.Service == "sts" && kind == "assumed-role":
		i.role = true
		i.name, i.session, _ = strings.Cut(rest, "/")
		id, session, _ := strings.Cut(c.UserID, ":")
		if i.id = id; session != i.session || !nameShape.MatchString(i.name) || !nameShape.MatchString(session) || !roleIDShape.MatchString(id) {
			return nil, errors.New("AWS's answer does not name a role session as AWS does")
		}
	default:
		return nil, errors.New("only users and role sessions of AWS have sessions here, not root users and federated users")
	}
	return i, nil
}
