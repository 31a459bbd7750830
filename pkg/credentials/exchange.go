package credentials

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/portcullis-authz/portcullis/pkg/sts/awsidentity"
)

const (
	exchangeTime = 15 * time.Second
	maxAnswer    = 64 << 10
)

// Credentials are session credentials. Do not print them but for an SDK.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expiration                                 time.Time
}

// Format prints only the access key id, for every verb.
func (c Credentials) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "credentials.Credentials(%s)", c.AccessKeyID)
}

// Process returns the credentials as a credential_process prints them ("Sourcing credentials with an external process", AWS CLI User Guide).
func (c *Credentials) Process() []byte {
	text, _ := json.Marshal(struct { //nolint:gosec // texts always marshal, and a credential_process prints its credentials
		Version                                   int
		AccessKeyID                               string `json:"AccessKeyId"`
		SecretAccessKey, SessionToken, Expiration string
	}{1, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration.UTC().Format(time.RFC3339)})
	return append(text, '\n')
}

func newClient(caFile string) (*http.Client, error) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 5 * time.Second, DisableKeepAlives: true,
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("the authorities for portcullis' STS cannot be read: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("the file of authorities for portcullis' STS has no certificate: " + caFile)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{
		Transport: t, Timeout: exchangeTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// answer is an answer of STS.
type answer struct {
	Response struct {
		Result struct {
			Credentials struct {
				AccessKeyID                   string `json:"AccessKeyId"`
				SecretAccessKey, SessionToken string
				Expiration                    int64
			}
		} `json:"AssumeRoleWithCallerIdentityResult"`
	} `json:"AssumeRoleWithCallerIdentityResponse"`
	Error struct{ Code, Message string }
}

// exchange sends a presigned URL to STS.
func (s *Source) exchange(ctx context.Context, presigned string, own aws.Credentials) (*Credentials, error) {
	form := url.Values{
		"Action": {awsidentity.ActionName}, "Version": {"2011-06-15"}, "CallerIdentityUrl": {presigned}, "StsUrl": {s.origin},
	}
	if s.c.Role != "" {
		form.Set("RoleArn", s.c.Role)
	}
	if own.CanExpire {
		form.Set("CallerExpiration", own.Expires.UTC().Format(time.RFC3339))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.origin+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	response, err := s.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("portcullis' STS cannot be reached: %w", err) // the body is not part of the error
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, errors.New("the answer of portcullis' STS ended early")
	}
	return read(response.StatusCode, body)
}

func read(status int, body []byte) (*Credentials, error) {
	var a answer
	err := json.Unmarshal(body, &a)
	c := a.Response.Result.Credentials
	switch {
	case err == nil && a.Error.Code != "":
		return nil, errors.New("portcullis' STS refuses: " + printable(a.Error.Code) + ": " + printable(a.Error.Message))
	case err != nil || status != http.StatusOK || c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expiration <= 0:
		return nil, fmt.Errorf("the server is not portcullis' STS: it answered with the status %d and without credentials", status)
	}
	return &Credentials{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, time.Unix(c.Expiration, 0).UTC()}, nil
}

// printable bounds a text of the server's.
func printable(text string) string {
	const most = 512
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
