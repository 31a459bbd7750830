package awsidentity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	here         = "https://sts.example.com"
	emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// signedAt presigns GetCallerIdentity with the SDK for Go.
func signedAt(t testing.TB, origin, region, keyID, secret, token, bound string, at time.Time) string {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, origin+"/?Action=GetCallerIdentity&Version=2011-06-15", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if bound != "" {
		r.Header.Set(Header, bound)
	}
	text, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: token}, r, emptyPayload, "sts", region, at)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// signedAssume returns a call of AssumeRole by alice.
func signedAssume(t testing.TB, address string) *http.Request {
	t.Helper()
	body := url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {deploy}, "RoleSessionName": {"build-7"}}.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: "AKIAALICE0000EXAMPLE", SecretAccessKey: secret}, r, hex.EncodeToString(hash[:]), "sts", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func good(t testing.TB) string {
	return signedAt(t, "https://sts.eu-west-1.amazonaws.com", "eu-west-1", "ASIAEXAMPLE000000000", "s", "IQoJb3JpZ2luX2VjE+/a==", here, now)
}

func TestHostsOfAWS(t *testing.T) {
	for host, want := range map[string][2]string{
		"sts.amazonaws.com": {"aws", "us-east-1"}, "sts.eu-west-1.amazonaws.com": {"aws", "eu-west-1"}, "sts-fips.us-west-2.amazonaws.com": {"aws", "us-west-2"},
		"sts.us-gov-east-1.amazonaws.com": {"aws-us-gov", "us-gov-east-1"}, "sts.cn-north-1.amazonaws.com.cn": {"aws-cn", "cn-north-1"},
		"sts.eusc-de-east-1.amazonaws.eu": {"aws-eusc", "eusc-de-east-1"},
	} {
		text := signedAt(t, "https://"+host, want[1], "AKIAEXAMPLE000000000", "s", "", here, now)
		p, err := parse(text, hosts, now)
		if err != nil || p.endpoint.partition != want[0] || p.temporary {
			t.Errorf("%s: %v", host, err)
			continue
		}
		sent, err := url.Parse(p.url())
		signed, err2 := url.Parse(text)
		if err != nil || err2 != nil || sent.Host != host || sent.Scheme != "https" || sent.Query().Encode() != signed.Query().Encode() {
			t.Errorf("%s: sent %s", host, p.url())
		}
	}
	for region, want := range map[string]string{"eu-west-1": "sts.eu-west-1.amazonaws.com", "cn-north-1": "sts.cn-north-1.amazonaws.com.cn", "eusc-de-east-1": "sts.eusc-de-east-1.amazonaws.eu"} {
		if host, ok := Host(region); !ok || host != want {
			t.Errorf("%s: %s", region, host)
		}
	}
	if _, ok := Host("evil.example.com/"); ok {
		t.Error("an invalid region has a host")
	}
}

// Every change to a good URL is refused, whatever AWS would say of it.
func TestForgedURLs(t *testing.T) {
	text := good(t)
	if _, err := parse(text, hosts, now); err != nil {
		t.Fatal(err)
	}
	swap := func(old, new string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("%s is not in %s", old, text)
		}
		return strings.Replace(text, old, new, 1)
	}
	const host = "https://sts.eu-west-1.amazonaws.com/?"
	for name, forged := range map[string]string{
		"empty":                      "",
		"other host":                 swap("sts.eu-west-1.amazonaws.com", "evil.example.com"),
		"host as a prefix":           swap("amazonaws.com/", "amazonaws.com.evil.example.com/"),
		"host as a suffix":           swap("sts.eu", "evil-sts.eu"),
		"upper case":                 swap("sts.eu", "STS.eu"),
		"a dot at the end":           swap("amazonaws.com/", "amazonaws.com./"),
		"port":                       swap("amazonaws.com/", "amazonaws.com:443/"),
		"empty port":                 swap("amazonaws.com/", "amazonaws.com:/"),
		"user":                       swap("https://", "https://evil@"),
		"host as the user":           swap("amazonaws.com/", "amazonaws.com@evil.example.com/"),
		"escaped host":               swap("sts.eu", "sts%2eeu"),
		"backslash":                  swap("amazonaws.com/", `amazonaws.com\@evil.example.com/`),
		"blank":                      " " + text,
		"tab in the host":            swap("sts.eu", "sts.\teu"),
		"http":                       swap("https://", "http://"),
		"other scheme":               swap("https://", "gopher://"),
		"upper-case scheme":          swap("https://", "HTTPS://"),
		"no scheme":                  strings.TrimPrefix(text, "https:"),
		"path":                       swap("/?", "/evil?"),
		"dots in the path":           swap("/?", "/../?"),
		"two slashes":                swap("/?", "//?"),
		"fragment before the query":  swap("/?", "/#?"),
		"fragment":                   text + "#x",
		"two question marks":         swap("/?", "/??"),
		"unknown region in the host": swap("sts.eu-west-1", "sts.eu-west-9"),
		"region of another host":     swap("sts.eu-west-1", "sts.us-east-1"),
		"region of the scope":        swap("%2Feu-west-1%2F", "%2Fus-east-1%2F"),
		"global host":                swap("sts.eu-west-1.", "sts."),
		"fips of another region":     swap("sts.eu-west-1", "sts-fips.eu-west-1"),
		"other service":              swap("%2Fsts%2F", "%2Fs3%2F"),
		"other end of the scope":     swap("aws4_request", "aws4_reques"),
		"day of the scope":           swap("%2F20261128%2F", "%2F20261127%2F"),
		"other action":               swap("GetCallerIdentity", "GetSessionToken"),
		"action in small letters":    swap("GetCallerIdentity", "getcalleridentity"),
		"escaped action":             swap("GetCallerIdentity", "GetCallerIdentity%00"),
		"other version":              swap("2011-06-15", "2010-01-01"),
		"name in small letters":      swap("Action=", "action="),
		"escaped name":               swap("Action=", "%41ction="),
		"name with a blank":          swap("Action=", "Action+="),
		"action twice":               text + "&Action=GetSessionToken",
		"action twice, the same":     text + "&Action=GetCallerIdentity",
		"action again, small":        text + "&action=GetSessionToken",
		"date again, small":          text + "&x-amz-date=20261128T120000Z",
		"semicolon":                  text + ";Action=GetSessionToken",
		"extra parameter":            text + "&DurationSeconds=900",
		"empty piece":                text + "&",
		"name alone":                 text + "&X-Amz-Expires",
		"no version":                 swap("&Version=2011-06-15", ""),
		"no signature":               text[:strings.Index(text, "&X-Amz-Signature")],
		"short signature":            text[:len(text)-1],
		"upper-case signature":       text[:len(text)-64] + strings.Repeat("A", 64),
		"extra signed header":        swap("host%3Bx-portcullis-sts", "host%3Bx-amz-target%3Bx-portcullis-sts"),
		"header is missing":          swap("host%3Bx-portcullis-sts", "host"),
		"host is missing":            swap("host%3Bx-portcullis-sts", "x-portcullis-sts"),
		"headers in another order":   swap("host%3Bx-portcullis-sts", "x-portcullis-sts%3Bhost"),
		"header of another product":  swap("host%3Bx-portcullis-sts", "host%3Bx-k8s-aws-id"),
		"upper-case headers":         swap("host%3Bx-portcullis-sts", "Host%3Bx-portcullis-sts"),
		"other algorithm":            swap("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
		"no session token":           swap("&X-Amz-Security-Token="+url.QueryEscape("IQoJb3JpZ2luX2VjE+/a=="), ""),
		"plus in the token":          swap("%2B", "+"),
		"line break in the token":    swap("%2B", "%0D%0A"),
		"long-term key with a token": swap("ASIA", "AKIA"),
		"unknown kind of key":        swap("ASIA", "AGPA"),
		"no seconds":                 text + "&X-Amz-Expires=0",
		"negative":                   text + "&X-Amz-Expires=-1",
		"far expiry":                 text + "&X-Amz-Expires=9999999",
		"escaped digits of a date":   swap("X-Amz-Date=20261128T120000Z", "X-Amz-Date=20261328T120000Z"),
		"long":                       text + strings.Repeat("x", maxURL),
		"query alone":                strings.TrimPrefix(text, host),
		"two URLs":                   text + " " + text,
	} {
		if p, err := parse(forged, hosts, now); err == nil {
			t.Errorf("%s: %s is sent as %s", name, forged, p.url())
		} else if strings.Contains(err.Error(), "IQoJ") || strings.Contains(err.Error(), text[len(text)-64:]) {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
}

func TestAgeOfURLs(t *testing.T) {
	text := good(t)
	for after, ok := range map[time.Duration]bool{
		0: true, maxAge - time.Second: true, maxAge: false, 15 * time.Minute: false, 24 * time.Hour: false, -maxAhead: true, -maxAhead - time.Second: false,
	} {
		if _, err := parse(text, hosts, now.Add(after)); (err == nil) != ok {
			t.Errorf("%v after it was signed: %v", after, err)
		}
	}
	for expires, ok := range map[string]bool{"60": false, "90": false, "91": true, "604800": true} {
		if _, err := parse(text+"&X-Amz-Expires="+expires, hosts, now.Add(90*time.Second)); (err == nil) != ok {
			t.Errorf("X-Amz-Expires=%s after 90 s: %v", expires, err)
		}
	}
}

// Every URL that is accepted goes to AWS over TLS, with the parameters of GetCallerIdentity.
func FuzzURL(f *testing.F) {
	f.Add(good(f))
	f.Add("https://sts.amazonaws.com@evil.example.com/?Action=GetCallerIdentity")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parse(text, hosts, now)
		if err != nil {
			return
		}
		u, err := url.Parse(p.url())
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if _, known := hosts[u.Host]; !known || u.Scheme != "https" || u.User != nil || u.Path != "/" || u.Fragment != "" ||
			q.Get("Action") != "GetCallerIdentity" || q.Get("X-Amz-SignedHeaders") != "host;"+Header {
			t.Errorf("%q is sent as %s", text, u)
		}
		for name, values := range q {
			if shapes[name] == nil || len(values) != 1 {
				t.Errorf("%q is sent with %s", text, name)
			}
		}
	})
}

func TestOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://STS.Shop.svc:9003/": "https://sts.shop.svc:9003", "https://a.example.com:443": "https://a.example.com", "http://127.0.0.1:80": "http://127.0.0.1",
		"http://localhost:9003": "http://localhost:9003", "https://[::1]:9003": "https://[::1]:9003", "https://[0:0::1]": "https://[::1]",
		"http://a.example.com": "", "http://10.0.0.1": "", "https://": "", "https://a/b": "", "https://u@a": "", "https://a?x": "", "https://a?": "", "https://a#": "", "https://a#x": "", "https://%zz": "", "//a": "",
		"ftp://a": "", "a": "", "https://a_b": "", "https://a:": "", "": "",
	} {
		got, err := Origin(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}
