package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

const calculated = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " +
	"and signing method. Consult the service documentation for details."

// TestMessages holds to the texts that API Gateway answers with.
func TestMessages(t *testing.T) {
	get := func() *Request { return alice.request("GET", "/", nil, "") }
	pre := func() *Request { return alice.presigned("GET", "/", nil, "") }
	bare := func(headers ...[2]string) *Request {
		return newRequest("GET", "/", append(headers, [2]string{"Host", testHost}), nil)
	}
	late, early, elsewhere, yesterday := alice, alice, alice, alice
	late.at, early.at = now.Add(-10*time.Minute), now.Add(10*time.Minute)
	elsewhere.region, elsewhere.service = "mars-1", "s3"
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	credential := "AKIDALICE/20261123/eu-west-1/execute-api/aws4_request"
	for _, test := range []struct {
		name                         string
		request                      *Request
		response, errorType, message string
	}{
		{"nothing signed", bare(), "MISSING_AUTHENTICATION_TOKEN", "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"bearer", bare([2]string{"Authorization", "Bearer abc"}), "INVALID_SIGNATURE", "IncompleteSignatureException",
			"Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '" +
				hash("Bearer abc") + "'."},
		{"all parts missing", bare([2]string{"Authorization", "a=b"}), "INVALID_SIGNATURE", "IncompleteSignatureException",
			"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
				"Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a " +
				"'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=" + hash("a=b")},
		{"one part missing", edit(get(), "authorization", "Credential=", "C="), "INVALID_SIGNATURE", "IncompleteSignatureException",
			"Authorization header requires 'Credential' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=" +
				hash(valueOf(edit(get(), "authorization", "Credential=", "C="), "authorization"))},
		{"query parts missing", swap(swap(pre(), "X-Amz-Date=", "a="), "X-Amz-SignedHeaders=", "b="), "INVALID_SIGNATURE", "IncompleteSignatureException",
			"AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. " +
				"Re-examine the query-string parameters."},
		{"algorithm", edit(get(), "authorization", "SHA256", "SHA512"), "INVALID_SIGNATURE", "IncompleteSignatureException",
			"Unsupported AWS 'algorithm' (hashed with SHA-256 and encoded with Base64): '" + hash("AWS4-HMAC-SHA512") + "'."},
		{"date", edit(get(), "x-amz-date", "20261123T", "2026-11-23T"), "INVALID_SIGNATURE", "IncompleteSignatureException",
			"Date must be in ISO-8601 'basic format'. Got '2026-11-23T120000Z'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"invalid day", edit(get(), "x-amz-date", "1123T", "0230T"), "INVALID_SIGNATURE", "IncompleteSignatureException",
			"Date must be in ISO-8601 'basic format'. Got '20260230T120000Z'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"credential", edit(get(), "authorization", "/execute-api", ""), "INVALID_SIGNATURE", "IncompleteSignatureException",
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got " +
				"(hashed with SHA-256 and encoded with Base64): '" + hash(strings.Replace(credential, "/execute-api", "", 1)) + "'"},
		{"host", edit(get(), "authorization", "host;", ""), "INVALID_SIGNATURE", "InvalidSignatureException",
			"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"too old", late.request("GET", "/", nil, ""), "INVALID_SIGNATURE", "InvalidSignatureException",
			"Signature expired: 20261123T115000Z is now earlier than 20261123T115500Z (20261123T120000Z - 5 min.)"},
		{"too old, presigned", late.presigned("GET", "/", nil, ""), "INVALID_SIGNATURE", "InvalidSignatureException",
			"Signature expired: 20261123T115000Z is now earlier than 20261123T115900Z (20261123T120000Z - 60 sec.)"},
		{"in the future", early.request("GET", "/", nil, ""), "INVALID_SIGNATURE", "InvalidSignatureException",
			"Signature not yet current: 20261123T121000Z is still later than 20261123T120500Z (20261123T120000Z + 5 min.)"},
		{"expires", swap(pre(), "Expires=60", "Expires=604801"), "INVALID_SIGNATURE", "IncompleteSignatureException",
			"X-Amz-Expires must be a number of seconds from 1 to 604800."},
		{"region and service", elsewhere.request("GET", "/", nil, ""), "INVALID_SIGNATURE", "InvalidSignatureException",
			"Credential should be scoped to a valid region. Credential should be scoped to correct service: 'execute-api'. "},
		{"all of the scope", edit(edit(elsewhere.request("GET", "/", nil, ""), "authorization", "aws4_request", "term"), "authorization", "/20261123/", "/20261122/"),
			"INVALID_SIGNATURE", "InvalidSignatureException",
			"Credential should be scoped to a valid region. Credential should be scoped to correct service: 'execute-api'. " +
				"Credential should be scoped with a valid terminator: 'aws4_request'. " +
				"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261122' != '20261123', " +
				"from '20261123T120000Z'."},
		{"an invalid date in the scope", edit(yesterday.request("GET", "/", nil, ""), "authorization", "/20261123/", "/s3cret/"),
			"INVALID_SIGNATURE", "InvalidSignatureException",
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" + hash("s3cret") + "' != '20261123', " +
				"from '20261123T120000Z'."},
		{"unknown key", signer{keyID: "A", secret: "s", region: "eu-west-1", at: now}.request("GET", "/", nil, ""), "ACCESS_DENIED", "UnrecognizedClientException",
			"The security token included in the request is invalid."},
		{"expired key", signer{keyID: "AKIDOLD", secret: "s", region: "eu-west-1", at: now}.request("GET", "/", nil, ""), "EXPIRED_TOKEN", "ExpiredTokenException",
			"The security token included in the request is expired"},
		{"signature", add(swap(get(), "/", "/x"), "a", "b"), "INVALID_SIGNATURE", "InvalidSignatureException", calculated},
		{"payload", alice.request("GET", "/", [][2]string{{"X-Amz-Content-Sha256", emptyHash}}, "body"), "INVALID_SIGNATURE", "InvalidSignatureException", calculated},
	} {
		c := testConfig()
		known := c.Key
		c.Key = func(id, token string) (Key, bool) {
			if id == "AKIDOLD" {
				return Key{Secret: "s", Expires: now}, true
			}
			return known(id, token)
		}
		var fault *Error
		_, err := newVerifier(t, c).Verify(test.request)
		if !errors.As(err, &fault) {
			t.Errorf("%s: accepted", test.name)
			continue
		}
		if fault.Kind.ResponseType() != test.response || fault.Kind.ErrorType() != test.errorType || fault.Message != test.message {
			t.Errorf("%s: %s, %s:\n%s\nwant\n%s", test.name, fault.Kind.ResponseType(), fault.Kind.ErrorType(), fault.Message, test.message)
		}
	}
}

// TestDetailsForTheOperator: the client is told the same in each case, and the operator what to change.
func TestDetailsForTheOperator(t *testing.T) {
	signed := func(id, token string) *Request {
		return signer{keyID: id, secret: "s", token: token, region: "eu-west-1", at: now}.request("GET", "/", nil, "")
	}
	for _, test := range []struct {
		id, token, want string
	}{
		{"A", "", "no access key of the configuration has the id"},
		{"INACTIVE", "", "the access key INACTIVE is inactive"},
		{"TEMPORARY", "", "is a temporary one, and the request has no session token"},
		{"TEMPORARY", "other", "another session token"},
		{"LONG", "t", "is a long-term one, and the request has a session token"},
		{"OLD", "t", "has expired at 2026-11-23T12:00:00Z"},
	} {
		c := testConfig()
		c.Key = func(id, _ string) (Key, bool) {
			switch id {
			case "TEMPORARY":
				return Key{Secret: "s", Token: "t"}, true
			case "LONG":
				return Key{Secret: "s"}, true
			case "OLD":
				return Key{Secret: "s", Token: "t", Expires: now}, true
			case "INACTIVE":
				return Key{Unknown: "the access key INACTIVE is inactive"}, false
			}
			return Key{}, false
		}
		var fault *Error
		if _, err := newVerifier(t, c).Verify(signed(test.id, test.token)); !errors.As(err, &fault) || !strings.Contains(fault.Detail, test.want) {
			t.Errorf("%s, %q: %v, want %q", test.id, test.token, fault, test.want)
		} else if strings.Contains(fault.Message, test.id) || fault.Kind == UnrecognizedClient && fault.Message != "The security token included in the request is invalid." {
			t.Errorf("%s: the client is told %q", test.id, fault.Message)
		}
	}
}

func valueOf(r *Request, name string) string {
	for n, v := range r.Headers {
		if n == name {
			return v
		}
	}
	return ""
}

// TestErrorsTellNoSecret looks for what must not be told in everything an error says.
func TestErrorsTellNoSecret(t *testing.T) {
	const marker = "mArKeR"
	c := testConfig()
	c.Debug = true
	wrong := temp
	wrong.secret = "another"
	requests := []*Request{
		newRequest("GET", "/", [][2]string{{"host", testHost}, {"authorization", "Bearer " + marker}}, nil),
		newRequest("GET", "/", [][2]string{{"host", testHost}, {"authorization", marker + "=" + marker}}, nil),
		edit(alice.request("GET", "/", nil, ""), "x-amz-date", "2026", marker+strings.Repeat("x", 40)),
		wrong.request("GET", "/", nil, ""), wrong.presigned("GET", "/", nil, ""),
	}
	for _, part := range []string{"AWS4-", "AKID", "20261123", "eu-west-1", "execute-api", "aws4_request", "host", "SignedHeaders=", "Signature="} {
		requests = append(requests, edit(alice.request("GET", "/", nil, ""), "authorization", part, part+marker))
		requests = append(requests, edit(alice.request("GET", "/", nil, ""), "authorization", part, marker))
	}
	v := newVerifier(t, c)
	for _, r := range requests {
		_, err := v.Verify(r)
		var fault *Error
		if !errors.As(err, &fault) {
			t.Fatalf("accepted: %+v", r)
		}
		text := err.Error() + fault.Message + fault.Detail
		if fault.Debug != nil {
			text += fault.Debug.CanonicalRequest + fault.Debug.StringToSign
		}
		for _, secret := range []string{marker, strings.ToLower(marker), alice.secret, temp.secret, temp.token, escape(temp.token)} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is told: %s", secret, text)
			}
		}
	}
}

func TestDebug(t *testing.T) {
	r := edit(alice.request("GET", "/a?b", [][2]string{{"X-App", "1"}}, ""), "x-app", "1", "2")
	var fault *Error
	if _, err := newVerifier(t, testConfig()).Verify(r); !errors.As(err, &fault) || fault.Debug != nil {
		t.Errorf("not asked for: %v", err)
	}
	_, err := newVerifier(t, with(func(c *Config) { c.Debug = true })).Verify(r)
	if !errors.As(err, &fault) || fault.Debug == nil {
		t.Fatalf("asked for: %v", err)
	}
	canonical := "GET\n/a\nb=\nhost:" + testHost + "\nx-amz-date:20261123T120000Z\nx-app:...\n\nhost;x-amz-date;x-app\n" + emptyHash
	if fault.Debug.CanonicalRequest != canonical {
		t.Errorf("%s\nwant\n%s", fault.Debug.CanonicalRequest, canonical)
	}
	if !strings.HasPrefix(fault.Debug.StringToSign, "AWS4-HMAC-SHA256\n20261123T120000Z\n20261123/eu-west-1/execute-api/aws4_request\n") {
		t.Error(fault.Debug.StringToSign)
	}
}
