package sigv4

import (
	"fmt"
	"strings"
	"testing"
)

// TestAttacks takes each request under the default configuration, which says of what kind the fault is, and under the laxest one.
func TestAttacks(t *testing.T) {
	get := func() *Request { return alice.request("GET", "/pets?a=1", [][2]string{{"X-App", "1"}}, "") }
	pre := func() *Request { return alice.presigned("GET", "/pets?a=1", nil, "") }
	mallory := signer{keyID: "AKIDMALLORY", secret: dummySecret, region: "eu-west-1", at: now}
	empty := signer{keyID: "AKIDEMPTY", region: "eu-west-1", at: now}
	mallory4A, empty4A := mallory, empty
	mallory4A.regionSet, empty4A.regionSet = "*", "*"
	other4A, all4A := alice, alice
	all4A.regionSet = "*"
	other4A.regionSet = "us-west-*,ap-*"
	noToken, wrongToken := temp, temp
	noToken.token, wrongToken.token = "", "Tok//en+with=signs=!"
	aliceToken := alice
	aliceToken.token = "t"
	query := pre().Target[strings.Index(pre().Target, "X-Amz-"):]
	for _, test := range []struct {
		name    string
		request *Request
		want    Kind
	}{
		{"nothing signed", newRequest("GET", "/", [][2]string{{"host", testHost}}, nil), MissingAuthenticationToken},
		{"empty Authorization", newRequest("GET", "/", [][2]string{{"host", testHost}, {"authorization", ""}}, nil), MissingAuthenticationToken},
		{"presigned in lower case", swapCase(pre()), MissingAuthenticationToken},

		{"header and query", swap(get(), "a=1", "a=1&"+query), IncompleteSignature},
		{"header, and key id in the query", swap(get(), "a=1", "X-Amz-Credential=AKIDTEMP"), IncompleteSignature},
		{"header, and an escaped key id in the query", swap(get(), "a=1", "X-Amz%2DCredential=AKIDTEMP"), IncompleteSignature},
		{"header, and a signature in the query", swap(get(), "a=1", "X-Amz-Signature=0"), IncompleteSignature},
		{"header, and an algorithm without value in the query", swap(get(), "a=1", "X-Amz-Algorithm"), IncompleteSignature},
		{"query, and a bearer token", add(pre(), "authorization", "Bearer abc"), IncompleteSignature},
		{"query, and an empty Authorization", add(pre(), "authorization", ""), IncompleteSignature},
		{"header, and a token in the query", temp.request("GET", "/?X-Amz-Security-Token="+escape(temp.token), nil, ""), UnrecognizedClient},
		{"query, and the token in a header", add(noToken.presigned("GET", "/", nil, ""), "x-amz-security-token", temp.token), UnrecognizedClient},

		{"query with its token, and the token in a header", add(temp.presigned("GET", "/", nil, ""), "x-amz-security-token", temp.token), UnrecognizedClient},
		{"query, and a token in a header", add(pre(), "x-amz-security-token", "t"), UnrecognizedClient},

		{"second Authorization", add(get(), "authorization", "x"), IncompleteSignature},
		{"second x-amz-date", add(get(), "x-amz-date", "20261123T120000Z"), IncompleteSignature},
		{"second date", add(add(get(), "date", "x"), "date", "x"), IncompleteSignature},
		{"second token", add(temp.request("GET", "/", nil, ""), "x-amz-security-token", temp.token), IncompleteSignature},
		{"second host", add(get(), "host", testHost), InvalidSignature},
		{"host line differs from :authority", edit(get(), "host", "pets", "cats"), InvalidSignature},
		{"no host at all", &Request{Method: "GET", Target: "/pets?a=1", Headers: without(get(), "host"), BodyComplete: true}, InvalidSignature},
		{"an empty host, signed", newRequest("GET", "/", alice.sign("GET", "/", "", nil, nil), nil), InvalidSignature},
		{"second x-amz-content-sha256", add(alice.request("GET", "/", [][2]string{{"X-Amz-Content-Sha256", emptyHash}}, ""), "x-amz-content-sha256", emptyHash), InvalidSignature},
		{"an unsigned x-amz-content-sha256 twice", add(add(get(), "x-amz-content-sha256", emptyHash), "x-amz-content-sha256", emptyHash), InvalidSignature},
		{"unknown key, and an invalid signature", edit(mallory.request("GET", "/", nil, ""), "authorization", "Signature=", "Signature=x"), InvalidSignature},
		{"second Credential", edit(get(), "authorization", "Credential=", "Credential=,Credential="), IncompleteSignature},
		{"unknown part", edit(get(), "authorization", "Credential=", "Extra=1,Credential="), IncompleteSignature},
		{"empty part", edit(get(), "authorization", ", ", ",,"), IncompleteSignature},
		{"signature twice in the query", swap(pre(), "a=1", "X-Amz-Signature=00"), IncompleteSignature},
		{"an empty signature before the signature", swap(pre(), "?", "?X-Amz-Signature=&"), IncompleteSignature},
		{"key id twice in the query", swap(pre(), "a=1", "X-Amz-Credential=AKIDTEMP"), IncompleteSignature},
		{"key id twice in another case", swap(pre(), "a=1", "x-amz-credential=AKIDTEMP"), IncompleteSignature},
		{"key id twice, escaped", swap(pre(), "a=1", "X%2dAmz-Credential=AKIDTEMP"), IncompleteSignature},
		{"signature in another case", swap(pre(), "a=1", "X-AMZ-SIGNATURE=00"), IncompleteSignature},
		{"signature spelled with an escape", swap(pre(), "X-Amz-Signature", "X-Amz-Signatur%65"), IncompleteSignature},

		{"no signed names", edit(get(), "authorization", "host;x-amz-date;x-app", ""), IncompleteSignature},
		{"an empty signed name", edit(get(), "authorization", "host;x-amz-date;x-app", ";host;x-amz-date;x-app"), IncompleteSignature},
		{"an empty signed name at the end", edit(get(), "authorization", "x-app,", "x-app;,"), IncompleteSignature},
		{"only empty signed names", edit(get(), "authorization", "host;x-amz-date;x-app", ";"), IncompleteSignature},
		{"a signed name twice", edit(get(), "authorization", "host;", "host;host;"), IncompleteSignature},
		{"signed names not sorted", edit(get(), "authorization", "host;x-amz-date", "x-amz-date;host"), IncompleteSignature},
		{"a signed name in upper case", edit(get(), "authorization", "x-app", "x-App"), IncompleteSignature},
		{"an invalid signed name", edit(get(), "authorization", "x-app", "x app"), IncompleteSignature},
		{"101 signed names", alice.request("GET", "/", manyHeaders(99), ""), IncompleteSignature},
		{"signed header absent", edit(get(), "authorization", "x-app", "x-none"), InvalidSignature},
		{"signed header only in the query", swap(edit(get(), "authorization", "x-app", "x-none"), "a=1", "x-none=1"), InvalidSignature},
		{"host not signed", edit(get(), "authorization", "host;", ""), InvalidSignature},
		{"date not signed", edit(get(), "authorization", ";x-amz-date", ""), InvalidSignature},
		{"only an unsigned date header", dateNotSigned([2]string{"Date", alice.date()}), InvalidSignature},
		{"only an unsigned x-amz-date", dateNotSigned([2]string{"X-Amz-Date", alice.date()}), InvalidSignature},
		{"an empty x-amz-date beside a date", dateNotSigned([2]string{"X-Amz-Date", ""}, [2]string{"Date", alice.date()}), IncompleteSignature},
		{"unsigned x-amz-target", add(get(), "x-amz-target", "Delete"), InvalidSignature},
		{"unsigned X-Amz-Target, by a caller that leaves the case", add(get(), "X-Amz-Target", "Delete"), InvalidSignature},
		{"unsigned x_amz_target, which CGI reads as x-amz-target", add(get(), "x_amz_target", "Delete"), InvalidSignature},
		{"unsigned X.Amz-Target", add(get(), "x.amz-target", "Delete"), InvalidSignature},
		{"unsigned x_amz_security_token", add(get(), "x_amz_security_token", "t"), InvalidSignature},
		{"unsigned x-amz_content-sha256", add(get(), "x-amz_content-sha256", "t"), InvalidSignature},
		{"unsigned x-amz-date beside a query", add(pre(), "x-amz-date", "20261123T120000Z"), InvalidSignature},
		{"a signed header's line more", add(get(), "x-app", "2"), InvalidSignature},

		{"100 KB of Authorization", edit(get(), "authorization", "x-app", strings.Repeat("x", 100<<10)), IncompleteSignature},
		{"10,000 header lines", newRequest("GET", "/", append(alice.sign("GET", "/", testHost, nil, nil), manyHeaders(10_000)...), nil), IncompleteSignature},
		{"300 KB of headers", add(get(), "cookie", strings.Repeat("x", 300<<10)), IncompleteSignature},
		{"a target of 70 KB", swap(get(), "a=1", strings.Repeat("a", 70<<10)), IncompleteSignature},
		{"1,001 parameters", swap(get(), "a=1", strings.Repeat("a&", 1001)), IncompleteSignature},
		{"a long key id", signer{keyID: strings.Repeat("A", 129), region: "eu-west-1", at: now}.request("GET", "/", nil, ""), IncompleteSignature},
		{"no key id", signer{region: "eu-west-1", at: now}.request("GET", "/", nil, ""), IncompleteSignature},
		{"a key id with a slash", signer{keyID: "A/B", region: "eu-west-1", at: now}.request("GET", "/", nil, ""), IncompleteSignature},

		{"unknown key", mallory.request("GET", "/", nil, ""), UnrecognizedClient},
		{"unknown key, presigned", mallory.presigned("GET", "/", nil, ""), UnrecognizedClient},
		{"unknown key, 4A", mallory4A.request("GET", "/", nil, ""), UnrecognizedClient},
		{"key without a secret", empty.request("GET", "/", nil, ""), UnrecognizedClient},
		{"key without a secret, 4A", empty4A.request("GET", "/", nil, ""), UnrecognizedClient},
		{"another's key id", edit(get(), "authorization", "AKIDALICE", "AKIDTEMP"), UnrecognizedClient},
		{"token missing", noToken.request("GET", "/", nil, ""), UnrecognizedClient},
		{"token missing, presigned", noToken.presigned("GET", "/", nil, ""), UnrecognizedClient},
		{"wrong token", wrongToken.request("GET", "/", nil, ""), UnrecognizedClient},
		{"token of a long-term key", aliceToken.request("GET", "/", nil, ""), UnrecognizedClient},
		{"4A with half a byte more", oneDigitMore(all4A.request("GET", "/", nil, "")), InvalidSignature},
		{"signature with a byte more", oneByteMore(get()), InvalidSignature},
		{"4A for other regions", other4A.request("GET", "/", nil, ""), InvalidSignature},
		{"4A without a region set", edit(get(), "authorization", "HMAC-SHA256", "ECDSA-P256-SHA256"), IncompleteSignature},

		{"target without a slash", alice.request("GET", "pets", nil, ""), InvalidSignature},
		{"method with a line break", alice.request("GET\n/", "/", nil, ""), InvalidSignature},
		{"header value with a line break", edit(alice.request("GET", "/", [][2]string{{"x-a", "1"}, {"x-b", "2"}}, ""), "x-a", "1", "1\nx-b:2"), InvalidSignature},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := kindOf(t, testConfig(), test.request); got != test.want {
				t.Errorf("%s, want %s", got.ErrorType(), test.want.ErrorType())
			}
			lax := everyOption(testConfig())
			lax.HostAliases = []string{testHost}
			kindOf(t, lax, test.request)
		})
	}
}

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// dateNotSigned is a request whose signature is right and leaves out the headers that say when it was made.
func dateNotSigned(headers ...[2]string) *Request {
	signed := [][2]string{{"host", testHost}}
	text, names := alice.canonical("GET", "/", signed, nil)
	value := fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s", alice.algorithm(), alice.keyID, alice.scope(), names,
		alice.signature(text))
	return newRequest("GET", "/", append(append(signed, headers...), [2]string{"authorization", value}), nil)
}

// oneDigitMore appends to the signature, which stands last.
func oneDigitMore(r *Request) *Request {
	value := valueOf(r, "authorization")
	return edit(r, "authorization", value, value+"0")
}

func oneByteMore(r *Request) *Request { return oneDigitMore(oneDigitMore(r)) }

func swapCase(r *Request) *Request {
	r.Target = strings.ReplaceAll(r.Target, "X-Amz", "x-amz")
	return r
}

func manyHeaders(n int) [][2]string {
	fields := make([][2]string, n)
	for i := range fields {
		fields[i] = [2]string{fmt.Sprintf("h%05d", i), "v"}
	}
	return fields
}
