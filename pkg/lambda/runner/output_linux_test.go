package runner

import (
	"strings"
	"testing"
)

func TestOutput(t *testing.T) {
	t.Parallel()
	c, l := helperConfig(t, "good")
	r := run(t, c)
	mustDo(t, r, command{"print", "first\n\x00\x1b[31m\xff\n" + strings.Repeat("a", 10_000) + "\nlast"})
	mustDo(t, r, command{"print", "\n" + strings.Repeat("many\n", 5000)})
	r.Close()
	text := l.String()
	for _, want := range []string{"line=first", "line=last", strings.Repeat("a", maxLine) + "…", `lines left out`, "stream=stdout"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %.40s in the log", want)
		}
	}
	if n := strings.Count(text, "many"); n > linesAtOnce+linesPerSecond || strings.Contains(text, strings.Repeat("a", maxLine+1)) || strings.ContainsAny(text, "\x00\x1b") {
		t.Errorf("%d lines, %d bytes", n, len(text))
	}
}

func TestOutputHidesEvents(t *testing.T) {
	t.Parallel()
	c, l := helperConfig(t, "good")
	r := run(t, c)
	const token = "eyJhbGciOiJSUzI1NiJ9.secret"
	for _, event := range []string{
		`{"do":"print event","type":"TOKEN","authorizationToken":"Bearer ` + token + `","methodArn":"arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/pets"}`,
		`{"do":"print event","headers":{"Authorization":"Bearer ` + token + `"},"multiValueHeaders":{"Cookie":["a=b; session=` + token + `"]},"requestContext":{"stage":"prod"}}`,
		`{"do":"print event","identitySource":["` + token + `"],"queryStringParameters":{"key":"` + token + `"},"routeArn":"prod"}`,
	} {
		if _, err := r.Invoke(t.Context(), "", []byte(event)); err != nil {
			t.Fatal(err)
		}
	}
	mustDo(t, r, command{"print", token + "\n" + strings.Repeat("x", maxRead-10) + token + "\n"})
	r.Close()
	if text := l.String(); strings.Contains(text, token[:10]) || strings.Count(text, redacted) < 6 || !strings.Contains(text, "prod") {
		t.Errorf("%s", text)
	}
}
