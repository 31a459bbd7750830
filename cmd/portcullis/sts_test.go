package main

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

// stsCmd calls STS and waits for the outcome, OK or the code of an error: sts OUTCOME ACTION [NAME=VALUE...]. KEY=, SECRET= and SESSION=
// sign the call, CA= is the file of the authority for TLS. Credentials that are granted go to $KEY, $SECRET and $SESSION, the name of the caller
// or role session to $ARN.
func stsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sts OUTCOME ACTION [NAME=VALUE...]")
	}
	form, options := url.Values{"Action": {args[1]}, "Version": {"2011-06-15"}}, map[string]string{}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		if name == strings.ToUpper(name) {
			options[name] = value
		} else {
			form.Set(name, value)
		}
	}
	scheme, client := "http", &http.Client{Timeout: 5 * time.Second}
	if options["CA"] != "" {
		scheme, client.Transport = "https", &http.Transport{TLSClientConfig: tlsConfig(ts, []string{options["CA"]}), DisableKeepAlives: true}
	}
	eventually(ts, false, "sts "+strings.Join(args[:2], " "), func() (bool, string) {
		r := stsRequest(scheme+"://"+of(ts).sts+"/", form.Encode(), options)
		answer, err := client.Do(r)
		if err != nil {
			return false, err.Error()
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return false, err.Error()
		}
		outcome, credentials := stsOutcome(text)
		for name, value := range credentials {
			ts.Setenv(name, value)
		}
		return outcome == args[0], string(text)
	})
}

func stsRequest(address, body string, options map[string]string) *http.Request {
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body)) //nolint:noctx // the client has a timeout
	if err != nil {
		panic(err) // the address is the process's
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if options["KEY"] == "" {
		return r
	}
	signed := &authz.Request{Method: r.Method, Target: "/", Host: r.URL.Host}
	signed.SetBody([]byte(body), authz.BodyComplete)
	sigv4test.Signer{KeyID: options["KEY"], Secret: options["SECRET"], Token: options["SESSION"], Region: "eu-west-1", Service: "sts", At: time.Now()}.Sign(signed)
	for name, value := range signed.Headers() {
		r.Header.Set(name, value)
	}
	return r
}

// stsOutcome returns the outcome of an answer, and what it grants.
func stsOutcome(text []byte) (outcome string, credentials map[string]string) {
	names := map[string]string{"AccessKeyId": "KEY", "SecretAccessKey": "SECRET", "SessionToken": "SESSION", "Arn": "ARN"}
	outcome, credentials = "OK", map[string]string{}
	decoder, element := xml.NewDecoder(strings.NewReader(string(text))), ""
	for {
		token, err := decoder.Token()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return "not XML", nil
			}
			return outcome, credentials
		}
		switch v := token.(type) {
		case xml.StartElement:
			element = v.Name.Local
		case xml.EndElement:
			element = ""
		case xml.CharData:
			if element == "Code" {
				outcome = string(v)
			} else if name := names[element]; name != "" {
				credentials[name] = string(v)
			}
		}
	}
}
