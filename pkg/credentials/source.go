package credentials

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/portcullis-authz/portcullis/pkg/sts/awsidentity"
)

// Guard is the environment variable that processes get which look for AWS credentials on behalf of a Source. A process that has it must not
// look for credentials itself: a profile would ask for itself without end.
const Guard = "PORTCULLIS_CREDENTIALS"

// Config configures a Source.
type Config struct {
	// Profile is the AWS profile whose credentials sign; empty for the SDK's standard chain.
	Profile string
	// STS is the URL of portcullis' STS: https://, or http:// for a loopback address if AllowHTTP is set.
	STS       string
	AllowHTTP bool
	// CAFile is a PEM file of authorities for the STS, besides those of the system.
	CAFile string
	// Role is the ARN of the role; empty if STS knows only one for the caller.
	Role string
	// Region is that of AWS's STS; empty for that of the profile or, without one, us-east-1.
	Region string
	// Endpoint is the origin of what stands in for AWS's STS. It needs Region.
	Endpoint string
}

// Source gets credentials. It is safe for concurrent use.
type Source struct {
	c      Config
	origin string
	http   *http.Client
}

// New returns a Source.
func New(c Config) (*Source, error) {
	origin, err := awsidentity.Origin(c.STS)
	switch {
	case c.STS == "":
		return nil, errors.New("the URL of portcullis' STS is missing: write --sts=https://host:port")
	case err != nil:
		return nil, fmt.Errorf("the URL of portcullis' STS is not valid: %w", err)
	case awsidentity.IsPlain(origin) && !c.AllowHTTP:
		return nil, errors.New("the URL of portcullis' STS is plain text: write https://, or add --allow-http for a test on this machine")
	}
	if c.Endpoint != "" {
		if c.Endpoint, err = awsidentity.Origin(c.Endpoint); err != nil || c.Region == "" {
			return nil, errors.New("the endpoint of AWS's STS is not valid, or has no region")
		}
	}
	client, err := newClient(c.CAFile)
	if err != nil {
		return nil, err
	}
	return &Source{c: c, origin: origin, http: client}, nil
}

// Prepare prepares the environment of the process: nothing in it sends the SDK's own calls elsewhere than to AWS, and processes that
// the SDK starts know that they are asked on behalf of this one. It fails in such a process.
func Prepare() error {
	if os.Getenv(Guard) != "" {
		return errors.New("the AWS profile asks portcullis credentials, which asks the profile: name the profile that has AWS credentials with --source-profile")
	}
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_ENDPOINT_URL") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	return errors.Join(os.Setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), os.Setenv(Guard, "1"))
}

// Get returns new credentials.
func (s *Source) Get(ctx context.Context) (*Credentials, error) {
	own, region, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	url, err := s.presign(ctx, own, region)
	if err != nil {
		return nil, err
	}
	return s.exchange(ctx, url, own)
}

// own returns the caller's AWS credentials and the region of AWS's STS.
func (s *Source) own(ctx context.Context) (own aws.Credentials, region string, err error) {
	options := []func(*config.LoadOptions) error{}
	if s.c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.c.Profile))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return own, "", fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	if own, err = loaded.Credentials.Retrieve(ctx); err != nil {
		return own, "", fmt.Errorf("there are no AWS credentials: %w", err)
	}
	for _, region = range []string{s.c.Region, loaded.Region, "us-east-1"} {
		if region != "" {
			break
		}
	}
	return own, region, nil
}

var emptyPayload = hex.EncodeToString(sha256.New().Sum(nil))

// presign returns a URL of GetCallerIdentity that is bound to the STS.
func (s *Source) presign(ctx context.Context, own aws.Credentials, region string) (string, error) {
	host, known := awsidentity.Host(region)
	origin := "https://" + host
	switch {
	case s.c.Endpoint != "":
		origin = s.c.Endpoint
	case !known:
		return "", fmt.Errorf("AWS's STS is not known in the region %q: name another one with --region", region)
	}
	random, err := rand.Int(rand.Reader, big.NewInt(121))
	if err != nil {
		return "", err
	}
	expires := strconv.FormatInt(180+random.Int64(), 10)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires="+expires, http.NoBody)
	if err != nil {
		return "", err
	}
	r.Header.Set(awsidentity.Header, s.origin)
	r.ContentLength = 0
	url, _, err := v4.NewSigner().PresignHTTP(ctx, own, r, emptyPayload, "sts", region, time.Now())
	if err != nil {
		return "", errors.New("the request to AWS cannot be signed")
	}
	return url, nil
}
