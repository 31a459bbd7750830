package e2e

import "testing"

// lenientAPIs share an upstream: pets, whose policy opens what ends in .css and whose /admin is guarded, and an open one.
const lenientAPIs = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    resourcePolicy:
      inline:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: "*", Action: "execute-api:Invoke", Resource: ["execute-api:/*/GET/*.css", "execute-api:/*/GET/files/*"]}]
    routes:
      - {route: "ANY /{proxy+}", authorization: NONE}
  - id: b1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [open.example.com]}]
    authorizers:
      staff: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:staff"}}
    routes:
      - {route: "ANY /{proxy+}", authorization: NONE}
      - {route: ANY /admin, authorizer: staff}
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:staff": {url: "http://127.0.0.1:9"}
`

// TestLenientServers sends what some servers read as another request than Envoy does.
func TestLenientServers(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: lenientAPIs, edits: byHost("pets.example.com", "open.example.com")})
	const pets, open = "pets.example.com", "open.example.com"
	t.Run("a wildcard takes no text that servers cut off", func(t *testing.T) {
		for _, target := range []string{"/admin;.css", "/admin;x=y.css", "/admin%3B.css", "/admin%253b.css", "/admin%3F.css", "/admin%23.css", "/admin%EF%BC%9B.css"} {
			s.denied(t, s.at(t, pets, target), 403)
		}
		for _, target := range []string{"/a.css", "/a;v=1/b.css", "/a%2Fb.css", "/files/a;b"} {
			s.allowed(t, s.at(t, pets, target))
		}
	})
	t.Run("other forms of characters", func(t *testing.T) {
		for _, target := range []string{
			"/%EF%BD%81dmin", "/%EF%BC%8Fadmin", "/admin%EF%BC%8F", "/admin%EF%BC%9Bx", "/admin%CD%BEx", "/%E2%81%84admin", "/x/%EF%BC%8E%EF%BC%8E/admin",
			"/%E2%80%8Badmin", "/admin%E1%A0%8E", "/admin%EF%BC%9Fx", "/%F0%9D%90%9Admin", "/%EF%BC%8561dmin",
		} {
			s.denied(t, s.at(t, open, target), 400)
		}
		for _, target := range []string{"/caf%C3%A9", "/cafe%CC%81", "/%EF%BC%A1%EF%BC%A2", "/a%E2%80%8Bb"} {
			s.allowed(t, s.at(t, open, target))
		}
	})
	t.Run("a forwarded host", func(t *testing.T) {
		for _, header := range []string{"X-Forwarded-Host: " + pets, "X_Forwarded_Host: " + pets, "Forwarded: for=192.0.2.1;host=" + pets, "X-Original-Host: " + pets, "X-Host: PETS.example.com:80"} {
			if a := s.at(t, open, "/x", header); a.status == 200 {
				t.Errorf("%s passes", header)
			}
			if seen := s.upstream.Take(); len(seen) != 0 {
				t.Errorf("%s: the upstream saw %+v", header, seen)
			}
		}
		s.allowed(t, s.at(t, open, "/x", "X-Forwarded-Host: www.example.net"))
		s.allowed(t, s.at(t, open, "/x", "X-Forwarded-Host: "+open))
	})
}
