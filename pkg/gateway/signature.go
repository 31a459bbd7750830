package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// noRoute answers a request for which there is no route. A REST API takes such a request for one that should have been
// signed, and complains about the signature; what the client sent in Authorization is told hashed only.
func (in *invocation) noRoute() error {
	reason := authz.Reason{Code: authz.CodeNoRoute, Detail: "the API has no such resource and method"}
	fault := ""
	switch value, lines := in.request.Header("authorization"); {
	case lines > 1:
		all := slices.Collect(in.request.HeaderValues("authorization"))
		fault = notKeyValue(strings.Join(all, ","))
	case value != "":
		fault = signatureFault(value, in.request)
	}
	if fault == "" {
		return &refusal{kind: missingAuthenticationToken, reason: reason}
	}
	return &refusal{kind: invalidSignature, message: fault, errorType: "IncompleteSignatureException", reason: reason}
}

// signatureFault says what an Authorization header lacks to be a signature; empty if it has all parts.
func signatureFault(value string, r *authz.Request) string {
	_, parameters, ok := strings.Cut(value, " ")
	if !ok {
		parameters = value
	}
	missing := []string{"Credential", "Signature", "SignedHeaders"}
	for piece := range strings.SplitSeq(parameters, ",") {
		name, _, ok := strings.Cut(piece, "=")
		if !ok {
			return notKeyValue(value)
		}
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == strings.TrimSpace(name) })
	}
	var text strings.Builder
	for _, name := range missing {
		text.WriteString("Authorization header requires '" + name + "' parameter. ")
	}
	_, amzDates := r.Header("x-amz-date")
	_, dates := r.Header("date")
	if amzDates+dates == 0 {
		text.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if text.Len() == 0 {
		return ""
	}
	return text.String() + "(Hashed with SHA-256 and encoded with Base64) Authorization=" + hashed(value)
}

func notKeyValue(value string) string {
	return "Invalid key=value pair (missing equal-sign) in Authorization header " +
		"(hashed with SHA-256 and encoded with Base64): '" + hashed(value) + "'."
}

func hashed(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.StdEncoding.EncodeToString(sum[:])
}
