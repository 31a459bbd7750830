package gateway

import (
	"encoding/json"
	"encoding/xml"
	"html"
	"net/url"
	"strings"
	"testing"
)

// hostile is what a client may send in a query.
const hostile = "</script><script>\"'`\\\n\u2028&=${a()}*/;#\x00\u007f é😀"

// ask has a body template of a content type answer with the client's text, and with the message.
func ask(t *testing.T, contentType, template string, parameters map[string]string) string {
	t.Helper()
	a := refusing(map[string]GatewayResponse{"MISSING_AUTHENTICATION_TOKEN": {
		ResponseTemplates: map[string]string{contentType: template}, ResponseParameters: parameters,
	}})
	return mustNew(t, a).Authorize(t.Context(), get("/a?q="+url.QueryEscape(hostile))).Denial.Body
}

func TestEscapedForItsFormat(t *testing.T) {
	const asJSON = "</script><script>\\\"'`\\\\\\u000a\\u2028&=${a()}*/;#\\u0000\\u007f é😀"
	const asScript = `\u003c/script\u003e\u003cscript\u003e\u0022\u0027\u0060\u005c\u000a\u2028\u0026\u003d\u0024\u007ba\u0028\u0029\u007d\u002a/\u003b\u0023\u0000\u007f \u00e9\ud83d\ude00`
	const asStyle = `\00003c\00002fscript\00003e\00003cscript\00003e\000022\000027\000060\00005c\00000a\002028\000026\00003d\000024\00007ba\000028\000029\00007d\00002a\00002f\00003b\000023\000000\00007f \0000e9\01f600`
	const asMarkup = "&lt;/script&gt;&lt;script&gt;&#34;&#39;&#96;&#92;&#10;&#8232;&amp;&#61;&#36;{a()}*/;#\ufffd\ufffd é😀"
	for contentType, want := range map[string]string{
		"application/json": asJSON, "application/problem+json": asJSON, "APPLICATION/JSON; charset=utf-8": asJSON, "application/x-amz-json-1.1": asJSON,
		"text/javascript": asScript, "application/javascript": asScript, "Text/JavaScript;charset=utf-8": asScript, "application/x-javascript": asScript,
		"text/ecmascript": asScript, "application/ecmascript": asScript, "text/jscript": asScript, "text/javascript1.5": asScript, "application/json-p+jsonp": asScript,
		"text/css":  asStyle,
		"text/html": asMarkup, "application/xhtml+xml": asMarkup, "application/xml": asMarkup, "text/xml": asMarkup, "image/svg+xml": asMarkup,
		"application/soap+xml": asMarkup, "text/markdown": asMarkup, "application/octet-stream": asMarkup, "x/y": asMarkup,
		"text/plain": hostile, "text/plain; charset=utf-8": hostile,
		"application/x-www-form-urlencoded": url.QueryEscape(hostile),
	} {
		if got := ask(t, contentType, "$method.request.querystring.q", nil); got != want {
			t.Errorf("%s: %s\nwant %s", contentType, got, want)
		}
	}
	var back string
	if json.Unmarshal([]byte(`"`+asScript+`"`), &back) != nil || back != hostile {
		t.Errorf("the script's text means %q", back)
	}
	if shown := strings.NewReplacer("\x00", "\ufffd", "\u007f", "\ufffd").Replace(hostile); html.UnescapeString(asMarkup) != shown {
		t.Errorf("the page's text means %q", html.UnescapeString(asMarkup))
	}
	if err := xml.Unmarshal([]byte(`<e a="`+asMarkup+`">`+asMarkup+`</e>`), new(struct{})); err != nil {
		t.Error(err)
	}
}

func TestMessageInItsFormat(t *testing.T) {
	for contentType, want := range map[string]string{
		"application/json": `"Missing Authentication Token"`, "text/javascript": `"Missing Authentication Token"`, "text/css": `"Missing Authentication Token"`,
		"text/html": `"Missing Authentication Token"`, "text/plain": `"Missing Authentication Token"`,
	} {
		if got := ask(t, contentType, "$context.error.messageString", nil); got != want {
			t.Errorf("%s: %s, want %s", contentType, got, want)
		}
	}
}

// TestSentAsAnotherType maps a Content-Type over a template's: what the browser reads counts.
func TestSentAsAnotherType(t *testing.T) {
	sentAs := func(value string) map[string]string {
		return map[string]string{"gatewayresponse.header.content-Type": value}
	}
	for _, value := range []string{"'text/html'", "'application/xml'", "'text/javascript'", "method.request.header.Accept"} {
		body := ask(t, "application/json", `{"q":"$method.request.querystring.q"}`, sentAs(value))
		if !json.Valid([]byte(body)) || strings.ContainsAny(body, "<>'`&") {
			t.Errorf("JSON sent as %s: %s", value, body)
		}
		if value != "'text/javascript'" {
			body = ask(t, "text/plain", `$method.request.querystring.q`, sentAs(value))
			if strings.ContainsAny(body, "<>\"'`\\") {
				t.Errorf("text sent as %s: %s", value, body)
			}
		}
	}
	if body := ask(t, "application/json", "$method.request.querystring.q", sentAs("'application/problem+json'")); !strings.Contains(body, "</script>") {
		t.Errorf("JSON sent as JSON: %s", body)
	}
	a := guardedBy(t, testAPI("GET /{proxy+}"), allowBut(`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"execute-api:/*"}`))
	a.GatewayResponses = map[string]GatewayResponse{"DEFAULT_4XX": {ResponseParameters: sentAs("'text/html'")}}
	if d := mustNew(t, a).Authorize(t.Context(), get("/%3Cscript%3E")); d.Allow || strings.Contains(d.Denial.Body, "<") {
		t.Errorf("a default body sent as HTML: %s", d.Denial.Body)
	}
}
