package policy

import (
	"strings"
	"testing"
)

const (
	trustedProvider = "arn:aws:iam::111122223333:oidc-provider/idp.example.com/a"
	roleARN         = "arn:aws:iam::111122223333:role/target"
)

func trustStatement(elements string) string {
	return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", ` + elements + `}]}`
}

func TestTrustPoliciesAreRead(t *testing.T) {
	for name, elements := range map[string]string{
		"an account":        `"Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"`,
		"everybody":         `"Principal": "*", "Action": "sts:AssumeRole"`,
		"a provider":        `"Principal": {"Federated": "` + trustedProvider + `"}, "Action": "sts:AssumeRoleWithWebIdentity"`,
		"a trailing slash":  `"Principal": {"Federated": "` + trustedProvider + `/"}, "Action": "sts:AssumeRoleWithWebIdentity"`,
		"a port":            `"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/127.0.0.1:8443/a"}, "Action": "sts:*"`,
		"SAML":              `"Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/idp"}, "Action": "sts:AssumeRoleWithSAML", "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}`,
		"well known":        `"Principal": {"Federated": ["cognito-identity.amazonaws.com", "accounts.google.com", "graph.facebook.com", "www.amazon.com"]}, "Action": "sts:AssumeRoleWithWebIdentity"`,
		"services":          `"Principal": {"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com.cn"]}, "Action": ["sts:AssumeRole", "sts:SetContext"]`,
		"several":           `"Principal": {"AWS": ["*"], "Federated": "accounts.google.com", "Service": "ec2.amazonaws.com"}, "Action": "*"`,
		"keys of a port":    `"Principal": {"Federated": "` + trustedProvider + `"}, "Action": "sts:*", "Condition": {"StringLike": {"127.0.0.1:8443/a:sub": "*"}}`,
		"a deleted user":    `"Principal": {"AWS": "AIDACKCEVSQ6C2EXAMPLE"}, "Action": "sts:AssumeRole"`,
		"an unknown action": `"Principal": {"AWS": "111122223333"}, "Action": "sts:SomethingOfTheFuture"`,
	} {
		p, faults := Parse([]byte(trustStatement(elements)), Options{Name: "t", Kind: Trust})
		if p == nil || len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

func TestTrustPoliciesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ elements, fault string }{
		"a resource":            {`"Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"`, "Resource and NotResource have no place"},
		"what it is not about":  {`"Principal": "*", "Action": "sts:AssumeRole", "NotResource": "*"`, "Resource and NotResource have no place"},
		"nobody":                {`"Action": "sts:AssumeRole"`, "Principal is missing"},
		"all others":            {`"NotPrincipal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"`, "no NotPrincipal"},
		"any provider":          {`"Principal": {"Federated": "*"}, "Action": "sts:AssumeRoleWithWebIdentity"`, "wildcard"},
		"some providers":        {`"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/*.example.com"}, "Action": "sts:AssumeRoleWithWebIdentity"`, "wildcard"},
		"an issuer":             {`"Principal": {"Federated": "https://idp.example.com/a"}, "Action": "sts:AssumeRoleWithWebIdentity"`, "is not an identity provider"},
		"a host":                {`"Principal": {"Federated": "idp.example.com"}, "Action": "sts:AssumeRoleWithWebIdentity"`, "is not an identity provider"},
		"an issuer in an ARN":   {`"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/https://idp.example.com"}, "Action": "sts:*"`, "with its https://"},
		"no issuer":             {`"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/"}, "Action": "sts:*"`, "is not an identity provider"},
		"no account":            {`"Principal": {"Federated": "arn:aws:iam:::oidc-provider/idp.example.com"}, "Action": "sts:*"`, "is not an identity provider"},
		"a role as a provider":  {`"Principal": {"Federated": "` + roleARN + `"}, "Action": "sts:*"`, "is not an identity provider"},
		"a provider as a user":  {`"Principal": {"AWS": "` + trustedProvider + `"}, "Action": "sts:*"`, "is not the ARN of a user"},
		"an empty provider":     {`"Principal": {"Federated": ""}, "Action": "sts:*"`, "is not an identity provider"},
		"no action":             {`"Principal": "*"`, "Action is missing"},
		"a list of no provider": {`"Principal": {"Federated": []}, "Action": "sts:*"`, "empty list"},
	} {
		p, faults := Parse([]byte(trustStatement(c.elements)), Options{Name: "t", Kind: Trust})
		if p != nil || len(faults) == 0 || !strings.Contains(faults[0].Message, c.fault) {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

// In a resource-based policy of an API, an identity provider is still nobody.
func TestProvidersAreNobodyToAPIs(t *testing.T) {
	p, faults := Parse([]byte(`{"Statement": {"Effect": "Allow", "Principal": {"Federated": "`+trustedProvider+`"}, "Action": "*", "Resource": "*"}}`), Options{Name: "r", Kind: Resource})
	if p == nil || len(faults) != 1 || !faults[0].Warning {
		t.Fatal(faults)
	}
	r := &Request{Principal: Principal{Kind: WebIdentity, ARN: trustedProvider}, Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:eu-west-1:111122223333:a/b/GET/c"}
	if got := Evaluate(&Policies{Resource: p}, r); got.Decision != ImplicitDeny {
		t.Errorf("%+v", got)
	}
}

// A trust policy has to allow each caller, and admits neither the anonymous caller nor a root user.
func TestTrustIsNeeded(t *testing.T) {
	all := mustBe(t, Identity, `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`)
	everybody := mustBe(t, Trust, trustStatement(`"Principal": "*", "Action": "sts:*"`))
	account := mustBe(t, Trust, trustStatement(`"Principal": {"AWS": "111122223333"}, "Action": "sts:*"`))
	nobody := mustBe(t, Trust, `{"Statement": []}`)
	user := Principal{Kind: User, ARN: "arn:aws:iam::111122223333:user/bob", Account: "111122223333", ID: "AIDA0000000000000BOB"}
	root := Principal{Kind: Root, ARN: "arn:aws:iam::111122223333:root", Account: "111122223333"}
	for _, c := range []struct {
		trust    *Policy
		who      Principal
		identity []*Policy
		want     Decision
	}{
		{everybody, user, nil, Allow},
		{everybody, root, nil, ImplicitDeny},
		{everybody, Principal{}, nil, ImplicitDeny},
		{everybody, Principal{Kind: WebIdentity, ARN: trustedProvider}, nil, ImplicitDeny},
		{account, user, nil, ImplicitDeny},
		{account, user, []*Policy{all}, Allow},
		{account, root, []*Policy{all}, ImplicitDeny},
		{nobody, user, []*Policy{all}, ImplicitDeny},
		{nobody, root, []*Policy{all}, ImplicitDeny},
	} {
		r := &Request{Principal: c.who, Action: "sts:AssumeRole", Resource: roleARN, ResourceAccount: "111122223333"}
		if got := Evaluate(&Policies{Identity: c.identity, Resource: c.trust}, r); got.Decision != c.want {
			t.Errorf("%+v: %+v, want %v", c.who, got, c.want)
		}
	}
}

func mustBe(t *testing.T, kind Kind, text string) *Policy {
	t.Helper()
	p, faults := Parse([]byte(text), Options{Name: "p", Kind: kind})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}
