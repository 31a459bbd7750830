package runner

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// idleWorker is a worker without a process, which has been given an event.
func idleWorker(tb testing.TB) (*worker, *invocation) {
	tb.Helper()
	c, _ := helperConfig(tb, "good")
	r, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	w := &worker{
		r: r, doomed: make(chan struct{}), ended: make(chan struct{}), proc: &process{}, timer: time.NewTimer(time.Hour),
		out: &output{log: slog.New(slog.DiscardHandler), redactor: newRedactor(nil)},
	}
	inv := &invocation{id: newRequestID(), arn: testARN, event: []byte("{}"), done: make(chan result, 1)}
	if !w.take(inv, w.ask()) {
		tb.Fatal("the event was not taken")
	}
	tb.Cleanup(w.stopTimer)
	close(r.closing)
	close(w.ended) // so that a request for the next event does not wait
	return w, inv
}

// Of all requests to the Runtime API, only a complete answer to the event is taken as the answer, unchanged.
func FuzzRuntimeAPI(f *testing.F) {
	f.Add("POST", "/2018-06-01/runtime/invocation/ID/response", []byte(`{"a":1}`), "")
	f.Add("POST", "/2018-06-01/runtime/invocation/ID/error", []byte(`{"errorMessage":"Unauthorized"}`), "Error")
	f.Add("POST", "/2018-06-01/runtime/invocation//response", []byte(`{}`), "")
	f.Add("GET", "/2018-06-01/runtime/invocation/ID/response", []byte(``), "")
	f.Add("PUT", "/2018-06-01/runtime/invocation/ID/../ID/response", []byte(``), "")
	f.Add("POST", "/2018-06-01/runtime/init/error", []byte(`{"errorType":1}`), "\r\n")
	f.Add("GET", "/2018-06-01/runtime/invocation/next", []byte(``), "")
	f.Fuzz(func(t *testing.T, method, path string, body []byte, errorType string) {
		w, inv := idleWorker(t)
		path = strings.ReplaceAll(path, "ID", inv.id)
		req, err := http.NewRequest(method, "http://127.0.0.1/", bytes.NewReader(body))
		if err != nil {
			return
		}
		req.URL.Path = path
		req.Header.Set(headerErrorType, errorType)
		rec := httptest.NewRecorder()
		w.handler().ServeHTTP(rec, req)
		select {
		case res := <-inv.done:
			exact := method == http.MethodPost && path == apiVersion+"/runtime/invocation/"+inv.id+"/response"
			if res.err == nil && (!exact || !bytes.Equal(res.answer, body) || rec.Code != http.StatusAccepted) {
				t.Errorf("%s %q: answer %q", method, path, res.answer)
			}
			if res.err != nil && res.answer != nil {
				t.Errorf("%s %q: an answer beside %v", method, path, res.err)
			}
		default:
			if rec.Code == http.StatusAccepted {
				t.Errorf("%s %q: accepted and dropped", method, path)
			}
		}
	})
}

func FuzzDiagAnswer(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, diagMessage))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := diagAnswer(b); err != nil && got != (socket{}) {
			t.Errorf("%+v beside %v", got, err)
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add("Bearer abcdefgh", `{"headers":{"a":"Bearer abcdefgh"}}`)
	f.Fuzz(func(t *testing.T, line, event string) {
		r := newRedactor(nil)
		r.remember([]byte(event))
		got := r.redact(line, false)
		for _, s := range secretsOf([]byte(event)) {
			if strings.Contains(got, s) && !strings.Contains(redacted, s) && !strings.Contains(s, redacted[:1]) && !strings.Contains(s, redacted[len(redacted)-1:]) {
				t.Errorf("%q is in %q", s, got)
			}
		}
	})
}
