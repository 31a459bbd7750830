package compile

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// PolicyTarget returns what the API's resource policy is attached to, for the policy's Lint. The endpoints are those of the
// configuration.
func (a *API) PolicyTarget(endpoints []VPCEndpoint) policy.Target {
	hasVPC := func(e VPCEndpoint) bool { return e.VPC != "" }
	keys := possibleKeys{sourceIP: true}
	if a.Private {
		keys = possibleKeys{vpcSourceIP: true, endpoint: true, vpc: slices.ContainsFunc(endpoints, hasVPC)}
	}
	keys.signed = slices.ContainsFunc(a.Routes, func(r Route) bool { return r.Authorization == IAM })
	t := policy.Target{ARNPrefix: a.ARNPrefix(), KeyPossible: keys.possible, AWSPrincipals: keys.signed}
	for _, s := range a.Stages {
		t.Stages = append(t.Stages, s.Name)
	}
	for _, r := range a.Routes {
		route := policy.TargetRoute{Method: r.Method, Resource: r.Resource}
		t.Routes = append(t.Routes, route)
		switch r.Authorization {
		case Custom:
			t.LambdaRoutes = append(t.LambdaRoutes, route)
		case IAM:
			t.SignedRoutes = append(t.SignedRoutes, route)
		default:
		}
	}
	return t
}

// PolicyTarget returns what the VPC endpoint policy is attached to, for its Lint: private APIs of this configuration and others.
func (e *VPCEndpoint) PolicyTarget() policy.Target {
	keys := possibleKeys{endpoint: e.ID != "", vpc: e.VPC != "", vpcSourceIP: true, signed: true}
	return policy.Target{KeyPossible: keys.possible, AWSPrincipals: true}
}

// possibleKeys says which condition keys can ever be present, besides those that always can
// ("AWS condition keys that can be used in API Gateway resource policies").
type possibleKeys struct {
	sourceIP, vpcSourceIP, endpoint, vpc bool
	// signed reports whether callers can be IAM principals.
	signed bool
}

func (p possibleKeys) possible(key *policy.Key) bool {
	switch key.ID() {
	case policy.KeyCurrentTime, policy.KeyEpochTime, policy.KeySecureTransport, policy.KeyReferer, policy.KeyUserAgent:
		return true
	case policy.KeyViaAWSService, policy.KeyPrincipalType: // IAM's "AWS global condition context keys"
		return true
	case policy.KeySourcePrincipal: // portcullis' own, if Envoy attests it
		return true
	case policy.KeySourceIP:
		return p.sourceIP
	case policy.KeyVpcSourceIP:
		return p.vpcSourceIP
	case policy.KeySourceVpce:
		return p.endpoint
	case policy.KeySourceVpc:
		return p.vpc
	case policy.KeyPrincipalArn, policy.KeyPrincipalAccount, policy.KeyPrincipalOrgID, policy.KeyPrincipalOrgPaths,
		policy.KeyPrincipalTag, policy.KeyPrincipalIsAWSService, policy.KeyUserID, policy.KeyUsername,
		policy.KeyTokenIssueTime, policy.KeyMultiFactorAuthPresent, policy.KeyMultiFactorAuthAge, policy.KeySourceIdentity,
		policy.KeyRequestedRegion, policy.KeyResourceAccount:
		return p.signed
	default:
		return false
	}
}
