package deploy

import (
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

// signed adds AWS_IAM to the example: GET /orders, for alice alone.
func signed(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	const routes = "    routes:\n"
	old := files["portcullis.yaml"]
	text := strings.Replace(old, routes, routes+"      - {route: GET /orders, authorization: AWS_IAM}\n", 1) +
		"iam:\n  accounts: [{file: account.json}]\n  accessKeys: [{file: ../secrets/access-keys.yaml}]\n"
	if strings.Count(old, routes) != 1 {
		t.Fatalf("the example has no routes:\n%s", old)
	}
	account := `{"UserDetailList": [{"Path": "/", "UserName": "alice", "UserId": "AIDAEXAMPLEALICE00000", "Arn": "arn:aws:iam::111122223333:user/alice",
		"CreateDate": "2026-01-01T00:00:00+00:00", "GroupList": [], "AttachedManagedPolicies": [], "UserPolicyList": []}], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}`
	return with(with(files, "portcullis.yaml", text), "account.json", account)
}

func keys(id, secret string) map[string]string {
	return map[string]string{"access-keys.yaml": `accessKeys: [{id: ` + id + `, secret: {value: ` + secret + `}, user: "arn:aws:iam::111122223333:user/alice"}]`}
}

// The Secret with the keys may come after the pods; a key that is taken out of it opens nothing any more, without a restart.
func TestKeys(t *testing.T) {
	t.Parallel()
	m := variant(t, "central")
	r := run(t, m)
	conn, err := grpc.NewClient(r.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	allowed := func(id, secret string) bool {
		request := &authz.Request{Method: "GET", Target: "/orders", Host: "pets.example.com"}
		request.SetBody(nil, authz.BodyComplete)
		sigv4test.Signer{KeyID: id, Secret: secret, Region: "eu-west-1", At: time.Now()}.Sign(request)
		lines := &corev3.HeaderMap{}
		for name, value := range request.Headers() {
			lines.Headers = append(lines.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
		}
		out, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: "GET", Host: request.Host, Path: request.Target, Scheme: "http", HeaderMap: lines,
			}},
			ContextExtensions: map[string]string{"portcullis.body": "buffered"},
		}})
		must(t, err)
		return out.GetStatus().GetCode() == 0
	}
	const old, other = "AKIAEXAMPLEALICE0001", "AKIAEXAMPLEALICE0002"
	if allowed(old, "first") {
		t.Fatal("a route that the example does not have is open")
	}
	files := signed(t, m.one(t, "ConfigMap", "portcullis-config").Data)
	r.config.write(t, files) // before its keys: refused, and accepted when they arrive
	until(t, "the refusal without keys", func() bool { return strings.Contains(r.readyz(t), "refused") })
	r.secrets.write(t, keys(old, "first"))
	until(t, "the first key", func() bool { return allowed(old, "first") })
	if allowed(old, "second") || allowed(other, "first") {
		t.Error("a signature of another key is good")
	}
	r.secrets.write(t, keys(other, "second"))
	until(t, "the second key", func() bool { return allowed(other, "second") })
	if allowed(old, "first") {
		t.Error("the key that was taken out is still good")
	}
}
