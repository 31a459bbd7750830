package awsidentity

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
)

// endpoint is an STS of AWS.
type endpoint struct {
	// origin is scheme and host, as a URL begins.
	origin string
	// partition is that of the ARNs it answers with, region that of the scope it wants.
	partition, region string
}

// regions are AWS's regions by partition ("AWS STS Regions and endpoints", IAM User Guide; the SDKs' list of partitions).
const (
	awsRegions = "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 " +
		"ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 " +
		"eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 me-west-1 mx-central-1 sa-east-1 sa-west-1 " +
		"us-east-1 us-east-2 us-west-1 us-west-2"
	fipsRegions     = "us-east-1 us-east-2 us-west-1 us-west-2"
	chinaRegions    = "cn-north-1 cn-northwest-1"
	europeanRegions = "eusc-de-east-1"
	govRegions      = "us-gov-east-1 us-gov-west-1"
)

// hosts are the hosts of AWS's STS.
var hosts = allHosts()

func allHosts() map[string]endpoint {
	all := map[string]endpoint{"sts.amazonaws.com": {"https://sts.amazonaws.com", "aws", "us-east-1"}}
	for _, list := range [...]struct{ prefix, regions, suffix, partition string }{
		{"sts.", awsRegions, ".amazonaws.com", "aws"},
		{"sts-fips.", fipsRegions, ".amazonaws.com", "aws"},
		{"sts.", govRegions, ".amazonaws.com", "aws-us-gov"},
		{"sts.", chinaRegions, ".amazonaws.com.cn", "aws-cn"},
		{"sts.", europeanRegions, ".amazonaws.eu", "aws-eusc"},
	} {
		for region := range strings.FieldsSeq(list.regions) {
			host := list.prefix + region + list.suffix
			all[host] = endpoint{"https://" + host, list.partition, region}
		}
	}
	return all
}

// Host returns the host of AWS's STS in a region.
func Host(region string) (string, bool) {
	suffix := map[string]string{"aws-cn": ".amazonaws.com.cn"}[arn.PartitionOf(region)]
	switch {
	case strings.HasPrefix(region, "eusc-"):
		suffix = ".amazonaws.eu"
	case suffix == "":
		suffix = ".amazonaws.com"
	}
	host := "sts." + region + suffix
	_, known := hosts[host]
	return host, known
}

// Endpoint stands in for all hosts of AWS's STS: in a test, or in a partition that is not known here.
type Endpoint struct {
	// URL is https://host or https://host:port; http for loopback addresses.
	URL string
	// Region is that of the scope, Partition that of the ARNs it answers with.
	Region, Partition string
}

var regionShape = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Check finds what is wrong with an endpoint.
func (e *Endpoint) Check() error {
	_, err := e.hosts()
	return err
}

func (e *Endpoint) hosts() (map[string]endpoint, error) {
	origin, err := Origin(e.URL)
	switch {
	case err != nil:
		return nil, err
	case !regionShape.MatchString(e.Region) || !regionShape.MatchString(e.Partition):
		return nil, errors.New("the region or the partition is missing, or is not small letters, digits and hyphens: write both, such as us-east-1 and aws")
	}
	_, host, _ := strings.Cut(origin, "://")
	return map[string]endpoint{host: {origin, e.Partition, e.Region}}, nil
}

// IsPlain reports whether an origin is without TLS.
func IsPlain(origin string) bool { return strings.HasPrefix(origin, "http://") }

var hostShape = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Origin returns the one spelling of a URL that has a scheme, a host and perhaps a port: in small letters, without the usual port and
// without a slash. Plain text is for loopback addresses only.
func Origin(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#") {
		return "", errors.New("it is not https:// with a host, and a port if need be, alone")
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	address, notAddress := netip.ParseAddr(host)
	switch {
	case notAddress != nil && (!hostShape.MatchString(host) || strings.HasSuffix(u.Host, ":")):
		return "", errors.New("its host is not a name or an address")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("it does not begin with https://")
	case u.Scheme == "http" && host != "localhost" && (notAddress != nil || !address.IsLoopback()):
		return "", errors.New("it is plain text, which is for loopback addresses: write https://")
	}
	if notAddress == nil {
		if host = address.WithZone("").String(); address.Is6() {
			host = "[" + host + "]"
		}
	}
	if port != "" && (u.Scheme != "https" || port != "443") && (u.Scheme != "http" || port != "80") {
		host += ":" + port
	}
	return u.Scheme + "://" + host, nil
}
