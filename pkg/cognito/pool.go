package cognito

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
)

// domains are the service domains of the partitions.
var domains = map[string]string{
	"aws":        "amazonaws.com",
	"aws-us-gov": "amazonaws.com",
	"aws-cn":     "amazonaws.com.cn",
}

var (
	accountShape = regexp.MustCompile(`^[0-9]{12}$`)
	regionShape  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]{2,10})+-[0-9]{1,2}$`)
	poolShape    = regexp.MustCompile(`^userpool/([A-Za-z0-9-]{1,30}_[0-9A-Za-z]{1,40})$`)
)

const wanted = "write the pool's ARN, such as arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbCdEfGhI"

// issuer returns the issuer of a user pool's tokens.
func issuer(pool string) (string, error) {
	a, err := arn.Parse(pool)
	if err != nil {
		return "", fmt.Errorf("userPools: %w; %s", err, wanted)
	}
	domain, known := domains[a.Partition]
	id := poolShape.FindStringSubmatch(a.Resource)
	switch {
	case !known:
		return "", fmt.Errorf("userPools: %q: the partition %q is not one of aws, aws-cn, aws-us-gov; %s", pool, a.Partition, wanted)
	case a.Service != "cognito-idp":
		return "", fmt.Errorf("userPools: %q: the service %q is not cognito-idp; %s", pool, a.Service, wanted)
	case !regionShape.MatchString(a.Region):
		return "", fmt.Errorf("userPools: %q: %q is not a region; %s", pool, a.Region, wanted)
	case !accountShape.MatchString(a.Account):
		return "", fmt.Errorf("userPools: %q: %q is not an account id of 12 digits; %s", pool, a.Account, wanted)
	case id == nil:
		return "", fmt.Errorf("userPools: %q: %q is not a user pool; %s", pool, a.Resource, wanted)
	}
	if region, _, _ := strings.Cut(id[1], "_"); region != a.Region {
		return "", fmt.Errorf("userPools: %q: the region in the pool's id is not the ARN's region; %s", pool, wanted)
	}
	return "https://cognito-idp." + a.Region + "." + domain + "/" + id[1], nil
}
