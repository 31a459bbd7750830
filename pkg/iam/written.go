package iam

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Written is a user or a role that the configuration writes itself.
type Written struct {
	// Name is the name, with its path and without a slash in front. Name and Account, or ARN, are set.
	Name, Account, ARN string
	// ID is the unique id; empty means one that is derived from the ARN.
	ID       string
	Policies []*policy.Policy
	Boundary *policy.Policy
	Tags     map[string]string
	// Trust and MaxSession, in seconds, are those of a role. A nil Trust trusts nobody; zero means an hour.
	Trust      *policy.Policy
	MaxSession int
}

// LintTrust has trust policies checked for what is rarely intended, with the audiences of each issuer by the name of its provider.
func (b *Builder) LintTrust(audiences map[string][]string) { b.audiences = audiences }

// Lint checks the trust policy of a role that is added later. A nil Builder checks nothing.
func (b *Builder) Lint(w *Written, p *policy.Policy) []fault.Fault {
	if b == nil {
		return nil
	}
	a := w.named(b)
	if w.ARN != "" {
		a, _ = arn.Parse(w.ARN)
	}
	return b.lint(p, a.Partition, a.Account)
}

func (b *Builder) lint(p *policy.Policy, partition, account string) []fault.Fault {
	if b.audiences == nil {
		return nil
	}
	return p.LintTrust(policy.TrustTarget{Partition: partition, Account: account, Audiences: b.audiences})
}

// named returns the ARN of Name and Account, without the resource.
func (w *Written) named(b *Builder) arn.ARN {
	a := arn.ARN{Partition: "aws", Service: "iam", Account: w.Account}
	if known := b.partitions[w.Account]; known != "" {
		a.Partition = known
	}
	return a
}

// AddRole adds a role. Exports are added before, and access keys after. Faults are at the role's fields, below its Place. After a
// fault, the Builder must not be used.
func (b *Builder) AddRole(w *Written, at *fault.Place) []fault.Fault {
	return b.addWritten(w, writtenCheck{Written: w, at: at, kind: "role", prefix: "AROA"}, policy.RoleSession)
}

// AddUser is AddRole for a user.
func (b *Builder) AddUser(w *Written, at *fault.Place) []fault.Fault {
	return b.addWritten(w, writtenCheck{Written: w, at: at, kind: "user", prefix: "AIDA"}, policy.User)
}

func (b *Builder) addWritten(w *Written, c writtenCheck, kind policy.PrincipalKind) []fault.Fault {
	c.checkName(b)
	c.checkID(b)
	c.checkTags()
	if w.MaxSession != 0 && !validMaxSession(w.MaxSession) {
		c.fault("maxSessionDuration", "maxSessionDuration "+outsideMaxSession)
	}
	if len(c.faults) > 0 {
		return c.faults
	}
	owner := b.accounts[c.parsed.Account]
	if owner == nil {
		owner = &account{id: c.parsed.Account}
		b.accounts[owner.id], b.partitions[owner.id] = owner, c.parsed.Partition
	}
	text := c.parsed.String()
	p := &principal{
		account: owner, kind: kind, arn: text, name: c.parsed.Resource[strings.LastIndexByte(c.parsed.Resource, '/')+1:], id: w.ID,
		identity: w.Policies, boundary: w.Boundary, tags: overlay(nil, w.Tags), maxSession: time.Duration(w.MaxSession) * time.Second,
	}
	if w.Trust != nil {
		p.trust = &storedPolicy{compiled: w.Trust}
	}
	if p.id == "" {
		p.id = derivedID(c.prefix, text)
	}
	b.principals[text], b.writtenIDs[p.id] = p, true
	b.names[nameOf(c.parsed)] = true
	return nil
}

// nameOf returns the account, the kind and the name of a user or role, without its path and without regard to case: two roles that
// differ in these alone cannot exist ("IAM and AWS STS quotas"), and their sessions would have the same ARN.
func nameOf(a arn.ARN) string {
	kind, _, _ := strings.Cut(a.Resource, "/")
	return a.Account + " " + kind + " " + strings.ToLower(a.Resource[strings.LastIndexByte(a.Resource, '/')+1:])
}

// taken reports whether a user or role of another ARN has the name.
func (b *Builder) taken(a arn.ARN) bool {
	if b.names == nil {
		b.names = make(map[string]bool, len(b.principals))
		for text := range b.principals {
			if known, err := arn.Parse(text); err == nil {
				b.names[nameOf(known)] = true
			}
		}
	}
	return b.names[nameOf(a)]
}

// derivedID returns the unique id of an ARN, in the form of AWS's ids.
func derivedID(prefix, arn string) string {
	sum := sha256.Sum256([]byte("portcullis id of " + arn))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

// writtenCheck finds all faults of a user or role.
type writtenCheck struct {
	*Written
	at           *fault.Place
	kind, prefix string
	parsed       arn.ARN
	faults       []fault.Fault
}

func (c *writtenCheck) fault(field, format string, args ...any) {
	c.faults = append(c.faults, fault.Fault{At: c.at.Field(field), Message: fmt.Sprintf(format, args...)})
}

var (
	writtenName = regexp.MustCompile(`^(?:[\x21-\x2e\x30-\x7e]+/)*[A-Za-z0-9_+=,.@-]{1,64}$`)
	writtenID   = regexp.MustCompile(`^[A-Z0-9]{20,128}$`)
)

// maxPath is the greatest length of a path ("IAM identifiers").
const maxPath = 512

// checkName finds the ARN.
func (c *writtenCheck) checkName(b *Builder) {
	field, name := "name", c.Name
	if c.ARN != "" {
		field = "arn"
		a, err := arn.Parse(c.ARN)
		rest, ok := strings.CutPrefix(a.Resource, c.kind+"/")
		if err != nil || !ok || a.Service != "iam" || a.Region != "" || !isAccount(a.Account) {
			c.fault("arn", "arn must be the ARN of a %s, such as arn:aws:iam::111122223333:%s/name", c.kind, c.kind)
			return
		}
		c.parsed, name = a, rest
	}
	switch {
	case c.ARN != "" && (c.Name != "" || c.Account != ""):
		c.fault("arn", "arn excludes name and account: remove them, or arn")
	case c.ARN == "" && c.Name == "":
		c.fault("name", "the %s has no name: write name and account, or arn", c.kind)
	case c.ARN == "" && !isAccount(c.Account):
		c.fault("account", "account must be the 12 digits of an account, in quotes")
	case !writtenName.MatchString(name) || strings.Contains(name, "*") || strings.Contains(name, "?") || len(name) > maxPath:
		c.fault(field, "the name of the %s must be 1 to 64 letters, digits and the characters _+=,.@-, with its path in front, such as ops/%s", c.kind, "name")
	}
	if len(c.faults) > 0 {
		return
	}
	if c.ARN == "" {
		c.parsed = c.named(b)
		c.parsed.Resource = c.kind + "/" + name
	}
	c.checkARN(b, field)
}

// checkARN compares the ARN with what is there already.
func (c *writtenCheck) checkARN(b *Builder, field string) {
	known := b.partitions[c.parsed.Account]
	switch {
	case known != "" && known != c.parsed.Partition:
		c.fault(field, "the account %s is in the partition %s: correct the ARN", c.parsed.Account, known)
	case b.principals[c.parsed.String()] != nil:
		c.fault(field, "the %s is given twice, here or in an account's export: keep one", c.kind)
	case b.taken(c.parsed):
		c.fault(field, "another %s of the account has this name, with another path or in another case: write another name", c.kind)
	}
}

func (c *writtenCheck) checkID(b *Builder) {
	switch {
	case c.ID == "":
	case !strings.HasPrefix(c.ID, c.prefix) || !writtenID.MatchString(c.ID):
		c.fault("id", "id must be %s and 16 or more capital letters and digits", c.prefix)
	case b.writtenIDs[c.ID]:
		c.fault("id", "the id is given twice: write another")
	}
}

func (c *writtenCheck) checkTags() {
	names := map[string]bool{}
	for key := range c.Tags {
		if key == "" || names[strings.ToLower(key)] {
			c.fault("tags", "a tag key is empty, or differs from another only in case; write each key once")
		}
		names[strings.ToLower(key)] = true
	}
}
