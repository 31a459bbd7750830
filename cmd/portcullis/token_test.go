package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

type signerKey struct{}

// signer is the key that signs a script's tokens.
type signer struct{ key *rsa.PrivateKey }

// keySet makes a new key, which signs from now on, and writes the key set that holds it to a file in one step: keyset FILE KID
func keySet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keyset FILE KID")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	ts.Value(signerKey{}).(*signer).key = key
	set := fmt.Sprintf(`{"keys":[{"kty":"RSA","use":"sig","kid":%q,"e":"AQAB","n":%q}]}`, args[1], base64url(key.N.Bytes()))
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path+".new", []byte(set), 0o600))
	ts.Check(os.Rename(path+".new", path))
}

// token signs a payload, which is valid for an hour unless it says otherwise, and gives the token a name: token NAME KID PAYLOAD
func token(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: token NAME KID PAYLOAD")
	}
	payload := map[string]any{"exp": time.Now().Add(time.Hour).Unix()}
	ts.Check(json.Unmarshal([]byte(args[2]), &payload))
	text, err := json.Marshal(payload)
	ts.Check(err)
	signed := base64url([]byte(`{"alg":"RS256","kid":"`+args[1]+`"}`)) + "." + base64url(text)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, ts.Value(signerKey{}).(*signer).key, crypto.SHA256, sum[:])
	ts.Check(err)
	ts.Setenv(args[0], signed+"."+base64url(signature))
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// checkToken is check with a token in the Authorization header: checktoken TOKEN allow|STATUS HOST PATH
func checkToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: checktoken TOKEN allow|STATUS HOST PATH")
	}
	conn, err := grpc.NewClient(of(ts).grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	ts.Check(err)
	defer conn.Close()
	eventually(ts, false, "checktoken "+strings.Join(args[1:], " "), func() (bool, string) {
		got, err := ask(authv3.NewAuthorizationClient(conn), args[2], args[3], "Bearer "+args[0])
		if err != nil {
			return false, err.Error()
		}
		return got == args[1], got
	})
}
