package config

import (
	"slices"
	"strings"
)

// instead says what to write in place of an unknown name.
func instead(meant string, names []string) string {
	if meant != "" {
		return "did you mean " + meant + "?"
	}
	return "write " + oneOf(names)
}

func oneOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// Suggest returns the name among names that was probably meant, empty if none is close.
func Suggest(given string, names []string) string { return suggest(given, names) }

// suggest returns the name that was probably meant, empty if none is close: the same letters, at most a third of them
// wrong, or all of them in another order.
func suggest(given string, names []string) string {
	given = letters(given)
	if ours := elsewhere[given]; slices.Contains(names, ours) {
		return ours
	}
	best, meant := len(given)/3+1, ""
	for _, name := range names {
		if n := distance(given, letters(name), best); n < best {
			best, meant = n, name
		}
	}
	if meant == "" {
		if i := slices.IndexFunc(names, func(name string) bool { return sorted(letters(name)) == sorted(given) }); i >= 0 {
			meant = names[i]
		}
	}
	return meant
}

// sorted are the bytes of a name in order: two that were typed in the wrong order are no other name.
func sorted(name string) string {
	b := []byte(name)
	slices.Sort(b)
	return string(b)
}

// elsewhere are the names that fields have in API Gateway's own interfaces, or in people's minds, and here not, as letters.
var elsewhere = map[string]string{
	"apiid": "id", "restapiid": "id", "httpapiid": "id", "accesskeyid": "id", "accountid": "account", "awsregion": "region",
	"protocoltype": "kind", "policy": "resourcePolicy", "corsconfiguration": "cors", "endpointtype": "endpoint",
	"stagename": "name", "stagevariables": "variables", "domain": "domains", "domainname": "domains", "host": "domains", "hosts": "domains",
	"routekey": "route", "path": "route", "method": "route", "httpmethod": "route", "resource": "route",
	"authorizationtype": "authorization", "authorizerid": "authorizer", "authorizationscopes": "scopes",
	"authorizeruri": "function", "functionarn": "function", "authorizerresultttlinseconds": "resultTtl", "ttl": "resultTtl",
	"authorizercredentials": "credentials", "authorizercredentialsarn": "credentials", "authorizerpayloadformatversion": "payloadFormatVersion",
	"identityvalidation": "identityValidationExpression", "providerarns": "userPools", "userpoolarn": "userPools",
	"responseparameters": "upstreamHeaders", "requestparameters": "upstreamHeaders",
	"secretaccesskey": "secret", "userarn": "user", "rolearn": "role", "rolesessionname": "sessionName",
}

// letters is a name without case, hyphens and underscores.
func letters(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
}

// distance is how many bytes must be put in, taken out or changed to make b of a, or limit if it is not less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return min(row[len(b)], limit)
}
