package simulate

// Request is a request for SimulateCustomPolicy. Policies are JSON texts. encoding/json writes its JSON; Decode reads it.
type Request struct {
	// PolicyInputList are the caller's identity-based policies.
	PolicyInputList []string `json:",omitempty"`
	// PermissionsBoundaryPolicyInputList is one permissions boundary or none.
	PermissionsBoundaryPolicyInputList []string `json:",omitempty"`
	// SessionPolicyInputList are the session policies. AWS's request has none.
	SessionPolicyInputList []string `json:",omitempty"`
	// ServiceControlPolicyInputLists are the levels of the caller's organization from its root down to the account, each with
	// its policies. It is a shorter form of OrderedOrganizationPolicyInputList.
	ServiceControlPolicyInputLists [][]string `json:",omitempty"`
	// OrderedOrganizationPolicyInputList is AWS's own form of the same.
	OrderedOrganizationPolicyInputList []OrganizationPolicy `json:",omitempty"`
	// ResourcePolicy is the policy of every resource; empty for none.
	ResourcePolicy string `json:",omitempty"`
	// ResourceOwner is the account, by number or as an ARN, of resources whose ARN has no account.
	ResourceOwner string `json:",omitempty"`
	// CallerArn is the ARN of a user, group or role, which AWS takes, or of an assumed role's session, a federated user or an
	// account's root user.
	CallerArn string `json:",omitempty"`
	// CallerRoleArn is the ARN, with its path, of the role behind a session, or of the user behind a federated user. AWS's
	// request has none. Without it a session's role has no path, and a federated user's user is unknown.
	CallerRoleArn string `json:",omitempty"`
	// ActionNames as in execute-api:Invoke, without wildcards.
	ActionNames []string `json:",omitempty"`
	// ResourceArns are ARNs, or "*", which stands for no resource in particular; without any it is "*".
	ResourceArns   []string       `json:",omitempty"`
	ContextEntries []ContextEntry `json:",omitempty"`
	// MaxItems is how many results come at once, from 1 to 1,000; 0 is all.
	MaxItems int `json:",omitempty"`
	// Marker is the Marker of the response before.
	Marker string `json:",omitempty"`
}

// OrganizationPolicy is one level of an organization.
type OrganizationPolicy struct {
	ServiceControlPolicyInputList []string `json:",omitempty"`
}

// ContextEntry is the value of one condition key.
type ContextEntry struct {
	ContextKeyName   string   `json:",omitempty"`
	ContextKeyValues []string `json:",omitempty"`
	// ContextKeyType is string, numeric, boolean, ip, binary (as base64) or date, for a single value; with List behind it (as
	// in stringList) for a multivalued key.
	ContextKeyType string `json:",omitempty"`
}
