package condition

import "strings"

// KeyID numbers the condition keys that this package knows by name. Every other key is KeyOther and told apart by its name.
type KeyID uint8

// The condition keys of the IAM User Guide's page "AWS global condition context keys", execute-api's own and portcullis' own.
const (
	KeyOther KeyID = iota
	KeyAssumedRoot
	KeyCalledVia
	KeyCalledViaAWSMCP
	KeyCalledViaFirst
	KeyCalledViaLast
	KeyCurrentTime
	KeyEc2InstanceSourcePrivateIPv4
	KeyEc2InstanceSourceVpc
	KeyEpochTime
	KeyFederatedProvider
	KeyIsMcpServiceAction
	KeyMultiFactorAuthAge
	KeyMultiFactorAuthPresent
	KeyPrincipalAccount
	KeyPrincipalArn
	KeyPrincipalIsAWSService
	KeyPrincipalOrgID
	KeyPrincipalOrgPaths
	KeyPrincipalServiceName
	KeyPrincipalServiceNamesList
	KeyPrincipalTag // aws:PrincipalTag/<Suffix>
	KeyPrincipalType
	KeyReferer
	KeyRequestTag // aws:RequestTag/<Suffix>
	KeyRequestedRegion
	KeyResourceAccount
	KeyResourceOrgID
	KeyResourceOrgPaths
	KeyResourceTag // aws:ResourceTag/<Suffix>
	KeySecureTransport
	KeySourceAccount
	KeySourceArn
	KeySourceIdentity
	KeySourceIP
	KeySourceOrgID
	KeySourceOrgPaths
	KeySourceVpc
	KeySourceVpcArn
	KeySourceVpce
	KeyTagKeys
	KeyTokenIssueTime
	KeyUserAgent
	KeyUserID
	KeyUsername
	KeyViaAWSMCPService
	KeyViaAWSService
	KeyVpcSourceIP
	KeyVpceAccount
	KeyVpceOrgID
	KeyVpceOrgPaths
	KeyViaDomainArn    // execute-api:viaDomainArn
	KeySourcePrincipal // portcullis:SourcePrincipal
)

// wellKnown maps the lower-case names; those that end in a slash take a suffix.
var wellKnown = map[string]KeyID{
	"aws:assumedroot":                  KeyAssumedRoot,
	"aws:calledvia":                    KeyCalledVia,
	"aws:calledviaawsmcp":              KeyCalledViaAWSMCP,
	"aws:calledviafirst":               KeyCalledViaFirst,
	"aws:calledvialast":                KeyCalledViaLast,
	"aws:currenttime":                  KeyCurrentTime,
	"aws:ec2instancesourceprivateipv4": KeyEc2InstanceSourcePrivateIPv4,
	"aws:ec2instancesourcevpc":         KeyEc2InstanceSourceVpc,
	"aws:epochtime":                    KeyEpochTime,
	"aws:federatedprovider":            KeyFederatedProvider,
	"aws:ismcpserviceaction":           KeyIsMcpServiceAction,
	"aws:multifactorauthage":           KeyMultiFactorAuthAge,
	"aws:multifactorauthpresent":       KeyMultiFactorAuthPresent,
	"aws:principalaccount":             KeyPrincipalAccount,
	"aws:principalarn":                 KeyPrincipalArn,
	"aws:principalisawsservice":        KeyPrincipalIsAWSService,
	"aws:principalorgid":               KeyPrincipalOrgID,
	"aws:principalorgpaths":            KeyPrincipalOrgPaths,
	"aws:principalservicename":         KeyPrincipalServiceName,
	"aws:principalservicenameslist":    KeyPrincipalServiceNamesList,
	"aws:principaltag/":                KeyPrincipalTag,
	"aws:principaltype":                KeyPrincipalType,
	"aws:referer":                      KeyReferer,
	"aws:requesttag/":                  KeyRequestTag,
	"aws:requestedregion":              KeyRequestedRegion,
	"aws:resourceaccount":              KeyResourceAccount,
	"aws:resourceorgid":                KeyResourceOrgID,
	"aws:resourceorgpaths":             KeyResourceOrgPaths,
	"aws:resourcetag/":                 KeyResourceTag,
	"aws:securetransport":              KeySecureTransport,
	"aws:sourceaccount":                KeySourceAccount,
	"aws:sourcearn":                    KeySourceArn,
	"aws:sourceidentity":               KeySourceIdentity,
	"aws:sourceip":                     KeySourceIP,
	"aws:sourceorgid":                  KeySourceOrgID,
	"aws:sourceorgpaths":               KeySourceOrgPaths,
	"aws:sourcevpc":                    KeySourceVpc,
	"aws:sourcevpcarn":                 KeySourceVpcArn,
	"aws:sourcevpce":                   KeySourceVpce,
	"aws:tagkeys":                      KeyTagKeys,
	"aws:tokenissuetime":               KeyTokenIssueTime,
	"aws:useragent":                    KeyUserAgent,
	"aws:userid":                       KeyUserID,
	"aws:username":                     KeyUsername,
	"aws:viaawsmcpservice":             KeyViaAWSMCPService,
	"aws:viaawsservice":                KeyViaAWSService,
	"aws:vpcsourceip":                  KeyVpcSourceIP,
	"aws:vpceaccount":                  KeyVpceAccount,
	"aws:vpceorgid":                    KeyVpceOrgID,
	"aws:vpceorgpaths":                 KeyVpceOrgPaths,
	"execute-api:viadomainarn":         KeyViaDomainArn,
	"portcullis:sourceprincipal":       KeySourcePrincipal,
}

// Key is a condition key as a policy names it, read once when the policy is compiled.
type Key struct {
	id      KeyID
	written string
	name    string
	suffix  string
}

// NewKey reads a condition key's name. Policies make their own; it is for tests and for tools that are given names.
func NewKey(written string) *Key {
	k := &Key{written: written, name: strings.ToLower(written)}
	if slash := strings.IndexByte(k.name, '/'); slash >= 0 {
		if id := wellKnown[k.name[:slash+1]]; id != KeyOther {
			k.id, k.suffix = id, k.name[slash+1:]
			return k
		}
	}
	k.id = wellKnown[k.name]
	return k
}

// ID is the key's number, KeyOther for a key without one.
func (k *Key) ID() KeyID { return k.id }

// Name is the whole name in lower case, suffix included: key names are case-insensitive.
func (k *Key) Name() string { return k.name }

// Suffix returns the text after the slash of aws:PrincipalTag/…, aws:RequestTag/… and aws:ResourceTag/…, in lower case.
func (k *Key) Suffix() string { return k.suffix }

// String is the name as the policy writes it.
func (k *Key) String() string { return k.written }

// multivalued reports whether the key holds a list by its documentation. Of unknown keys, only those of STS do ("IAM and AWS STS
// condition context keys"): sts:TransitiveTagKeys, and an identity provider's amr.
func (k *Key) multivalued() bool {
	switch k.id {
	case KeyCalledVia, KeyPrincipalOrgPaths, KeyPrincipalServiceNamesList, KeyResourceOrgPaths, KeySourceOrgPaths, KeyTagKeys, KeyVpceOrgPaths:
		return true
	default:
		return k.name == "sts:transitivetagkeys" || strings.HasSuffix(k.name, ":amr")
	}
}

// KeyProblem says what is wrong with a condition key's name. Keys are open: any service may have its own.
func KeyProblem(name string) string {
	prefix, rest, found := strings.Cut(name, ":")
	lower := strings.ToLower(name)
	switch {
	case !found || prefix == "" || rest == "":
		return "is not of the form prefix:name, such as aws:SourceIp"
	case strings.ContainsAny(name, "*?${}'\"") || strings.ContainsFunc(prefix, func(c rune) bool { return c <= ' ' }):
		return "holds a character that no key's name has; write it as aws:SourceIp"
	case wellKnown[lower+"/"] != KeyOther || strings.HasSuffix(lower, "/") && wellKnown[lower] != KeyOther:
		return "lacks the tag's key; write " + strings.TrimSuffix(name, "/") + "/key"
	}
	return ""
}
