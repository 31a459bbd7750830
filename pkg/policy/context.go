package policy

import (
	"net/netip"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
)

// What a request's context is made of; package condition has the rest.
type (
	// Context holds the values of the condition keys of one request.
	Context = condition.Context
	// Key is a condition key as a policy names it.
	Key = condition.Key
	// KeyID numbers the condition keys that are known by name.
	KeyID = condition.KeyID
	// Value is the value of a condition key.
	Value = condition.Value
)

// NewKey reads a condition key's name.
func NewKey(written string) *Key { return condition.NewKey(written) }

// StringValue is a single text.
func StringValue(s string) Value { return condition.StringValue(s) }

// ListValue is the value of a multivalued key.
func ListValue(list []string) Value { return condition.ListValue(list) }

// SeveralValue has the values of a key that policies expect to have one. Without a set operator, an Allow never holds, and a Deny holds if
// it holds for one of the values.
func SeveralValue(list []string) Value { return condition.SeveralValue(list) }

// AddrValue is an IP address.
func AddrValue(a netip.Addr) Value { return condition.AddrValue(a) }

// TimeValue is an instant.
func TimeValue(t time.Time) Value { return condition.TimeValue(t) }

// BoolValue is true or false.
func BoolValue(b bool) Value { return condition.BoolValue(b) }

// NumberValue is an integer.
func NumberValue(n int64) Value { return condition.NumberValue(n) }

// BytesValue is a binary value.
func BytesValue(b []byte) Value { return condition.BytesValue(b) }

// The condition keys that are known by name.
const (
	KeyOther                        = condition.KeyOther
	KeyAssumedRoot                  = condition.KeyAssumedRoot
	KeyCalledVia                    = condition.KeyCalledVia
	KeyCalledViaAWSMCP              = condition.KeyCalledViaAWSMCP
	KeyCalledViaFirst               = condition.KeyCalledViaFirst
	KeyCalledViaLast                = condition.KeyCalledViaLast
	KeyCurrentTime                  = condition.KeyCurrentTime
	KeyEc2InstanceSourcePrivateIPv4 = condition.KeyEc2InstanceSourcePrivateIPv4
	KeyEc2InstanceSourceVpc         = condition.KeyEc2InstanceSourceVpc
	KeyEpochTime                    = condition.KeyEpochTime
	KeyFederatedProvider            = condition.KeyFederatedProvider
	KeyIsMcpServiceAction           = condition.KeyIsMcpServiceAction
	KeyMultiFactorAuthAge           = condition.KeyMultiFactorAuthAge
	KeyMultiFactorAuthPresent       = condition.KeyMultiFactorAuthPresent
	KeyPrincipalAccount             = condition.KeyPrincipalAccount
	KeyPrincipalArn                 = condition.KeyPrincipalArn
	KeyPrincipalIsAWSService        = condition.KeyPrincipalIsAWSService
	KeyPrincipalOrgID               = condition.KeyPrincipalOrgID
	KeyPrincipalOrgPaths            = condition.KeyPrincipalOrgPaths
	KeyPrincipalServiceName         = condition.KeyPrincipalServiceName
	KeyPrincipalServiceNamesList    = condition.KeyPrincipalServiceNamesList
	KeyPrincipalTag                 = condition.KeyPrincipalTag
	KeyPrincipalType                = condition.KeyPrincipalType
	KeyReferer                      = condition.KeyReferer
	KeyRequestTag                   = condition.KeyRequestTag
	KeyRequestedRegion              = condition.KeyRequestedRegion
	KeyResourceAccount              = condition.KeyResourceAccount
	KeyResourceOrgID                = condition.KeyResourceOrgID
	KeyResourceOrgPaths             = condition.KeyResourceOrgPaths
	KeyResourceTag                  = condition.KeyResourceTag
	KeySecureTransport              = condition.KeySecureTransport
	KeySourceAccount                = condition.KeySourceAccount
	KeySourceArn                    = condition.KeySourceArn
	KeySourceIdentity               = condition.KeySourceIdentity
	KeySourceIP                     = condition.KeySourceIP
	KeySourceOrgID                  = condition.KeySourceOrgID
	KeySourceOrgPaths               = condition.KeySourceOrgPaths
	KeySourceVpc                    = condition.KeySourceVpc
	KeySourceVpcArn                 = condition.KeySourceVpcArn
	KeySourceVpce                   = condition.KeySourceVpce
	KeyTagKeys                      = condition.KeyTagKeys
	KeyTokenIssueTime               = condition.KeyTokenIssueTime
	KeyUserAgent                    = condition.KeyUserAgent
	KeyUserID                       = condition.KeyUserID
	KeyUsername                     = condition.KeyUsername
	KeyViaAWSMCPService             = condition.KeyViaAWSMCPService
	KeyViaAWSService                = condition.KeyViaAWSService
	KeyVpcSourceIP                  = condition.KeyVpcSourceIP
	KeyVpceAccount                  = condition.KeyVpceAccount
	KeyVpceOrgID                    = condition.KeyVpceOrgID
	KeyVpceOrgPaths                 = condition.KeyVpceOrgPaths
	KeyViaDomainArn                 = condition.KeyViaDomainArn
	KeySourcePrincipal              = condition.KeySourcePrincipal
)
