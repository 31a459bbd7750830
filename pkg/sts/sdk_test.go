package sts

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
)

// The SDK for Go signs content-length and, without a region, an empty one.
func TestTheSDKForGo(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Hosts = nil })
	server := httptest.NewServer(f.Server)
	t.Cleanup(server.Close)
	client := func(region string, p aws.CredentialsProvider) *awssts.Client {
		return awssts.New(awssts.Options{Region: region, BaseEndpoint: &server.URL, Credentials: p, Retryer: aws.NopRetryer{}})
	}
	alice := credentials.NewStaticCredentialsProvider("AKIAALICE0000EXAMPLE", secret, "")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token(t, nil)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{"", "eu-west-1"} {
		web := stscreds.NewWebIdentityRoleProvider(client(region, aws.AnonymousCredentials{}), pod, stscreds.IdentityTokenFile(file))
		caller := func(name string, p aws.CredentialsProvider, want string) {
			t.Helper()
			got, err := client(region, p).GetCallerIdentity(t.Context(), nil)
			if err != nil {
				t.Errorf("%q, %s: %v", region, name, err)
			} else if !strings.HasPrefix(*got.Arn, want) {
				t.Errorf("%q, %s: %s, want %s", region, name, *got.Arn, want)
			}
		}
		caller("a key", alice, "arn:aws:iam::111122223333:user/alice")
		caller("web identity", web, "arn:aws:sts::111122223333:assumed-role/pod/")
		caller("assumed", stscreds.NewAssumeRoleProvider(client(region, alice), ops, func(o *stscreds.AssumeRoleOptions) {
			o.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("shop + pets")}}
			o.TransitiveTagKeys = []string{"team"}
			o.Policy = aws.String(policyOf(500))
			o.PolicyARNs = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::111122223333:policy/Narrow")}}
			o.ExternalID, o.SourceIdentity = aws.String("x1"), aws.String("dora")
		}), "arn:aws:sts::111122223333:assumed-role/ops/")
	}
	session, err := client("", alice).GetSessionToken(t.Context(), nil)
	if err != nil || session.Credentials.Expiration == nil {
		t.Errorf("%v, %v", session, err)
	}
	presigned, err := awssts.NewPresignClient(client("eu-west-1", alice)).PresignGetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(presigned.Method, presigned.URL, nil)
	r.RemoteAddr = "127.0.0.1:1"
	if a := f.send(t, r); a.status != http.StatusOK || a.texts["Arn"] != "arn:aws:iam::111122223333:user/alice" {
		t.Errorf("presigned: %d %s", a.status, a.body)
	}
	refusedBy(t, client("", credentials.NewStaticCredentialsProvider("AKIABOB000000EXAMPLE", secret, "")), "AccessDenied")
	refusedBy(t, client("", credentials.NewStaticCredentialsProvider("AKIABOB000000EXAMPLE", "x", "")), "SignatureDoesNotMatch")
	refusedBy(t, client("", credentials.NewStaticCredentialsProvider("AKIANOBODY", "x", "")), "InvalidClientTokenId")
	_, err = client("", aws.AnonymousCredentials{}).AssumeRoleWithWebIdentity(context.Background(), &awssts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(pod), RoleSessionName: aws.String("s1"), WebIdentityToken: aws.String(token(t, claims{"exp": 1})),
	})
	if expired := (*types.ExpiredTokenException)(nil); !errors.As(err, &expired) {
		t.Errorf("an expired token: %v", err)
	}
}

func refusedBy(t *testing.T, client *awssts.Client, code string) {
	t.Helper()
	_, err := client.AssumeRole(t.Context(), &awssts.AssumeRoleInput{RoleArn: aws.String(ops), RoleSessionName: aws.String("s1")})
	if failed := smithy.APIError(nil); !errors.As(err, &failed) || failed.ErrorCode() != code || failed.ErrorMessage() == "" {
		t.Errorf("%v, want %s", err, code)
	}
}
