package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

const (
	workloadRole = "arn:aws:iam::111122223333:role/shop/packer"
	emptyBody    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // its SHA-256
)

// writeIdentity writes the keys of the issuer of service accounts, and the token of the workload, as a Kubernetes cluster has them.
func (d *demo) writeIdentity() error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	signing, err1 := jwk.FromRaw(private)
	public, err2 := jwk.FromRaw(private.Public())
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	set := jwk.NewSet()
	err = errors.Join(signing.Set(jwk.KeyIDKey, "demo"), public.Set(jwk.KeyIDKey, "demo"), public.Set(jwk.AlgorithmKey, jwa.ES256), set.AddKey(public))
	if err != nil {
		return err
	}
	now := time.Now()
	token, err := jwt.NewBuilder().Issuer("https://cluster.example.com").Subject("system:serviceaccount:shop:packer").Audience([]string{"portcullis-sts"}).
		IssuedAt(now).Expiration(now.Add(24 * time.Hour)).Build()
	if err != nil {
		return err
	}
	text, err1 := jwt.Sign(token, jwt.WithKey(jwa.ES256, signing))
	keys, err2 := json.Marshal(set)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(d.dir, "keys.json"), keys, 0o600), os.WriteFile(d.tokenFile(), text, 0o600))
}

func (d *demo) tokenFile() string { return filepath.Join(d.dir, "token") }

// identity is all that the workload is told.
func (d *demo) identity() []string {
	return []string{
		"AWS_ROLE_ARN=" + workloadRole, "AWS_WEB_IDENTITY_TOKEN_FILE=" + d.tokenFile(), "AWS_ENDPOINT_URL_STS=http://" + d.portcullis.STS,
		"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1",
	}
}

// workload calls the API as a program with the AWS SDK for Go does, and returns how many answers were unexpected.
func (d *demo) workload(ctx context.Context) (surprises int) {
	fmt.Printf("\n    A workload has no key, but a token of its service account and an AWS SDK, unmodified, here the one for Go:\n      %s\n"+
		"    The SDK gets session credentials for the role from portcullis, renews them, and signs.\n", strings.Join(d.identity(), "\n      "))
	for _, line := range d.identity() {
		name, value, _ := strings.Cut(line, "=")
		if err := os.Setenv(name, value); err != nil {
			return 1
		}
	}
	for _, c := range []struct{ method, want string }{
		{http.MethodGet, "x-user: arn:aws:sts::111122223333:assumed-role/packer/"},
		{http.MethodDelete, "assumed-role/packer/"},
	} {
		status, body, err := d.callAsWorkload(ctx, c.method)
		fmt.Printf("    %s /orders/7\n    %s  %s\n", c.method, status, strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n         "))
		if allowed := c.method == http.MethodGet; err != nil || !strings.Contains(body, c.want) || allowed != (status == "200") {
			surprises++
			fmt.Printf("    EXPECTED another answer, with %q: %v\n", c.want, err)
		}
	}
	return surprises
}

func (d *demo) callAsWorkload(ctx context.Context, method string) (status, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+d.addr+"/orders/7", http.NoBody)
	if err != nil {
		return "", "", err
	}
	request.Host = "pets.example.com"
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return "", "", err
	}
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return "", "", err
	}
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, emptyBody, "execute-api", cfg.Region, time.Now()); err != nil {
		return "", "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return fmt.Sprint(answer.StatusCode), string(text), err
}
