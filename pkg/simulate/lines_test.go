package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func request(action string) string {
	return fmt.Sprintf(`{"PolicyInputList":[%s],"ActionNames":[%q]}`, allowIt, action)
}

// answers are the action of each answer's result or the error's message.
func answers(t testing.TB, out string) (all []string) {
	t.Helper()
	for _, text := range strings.SplitAfter(out, "\n") {
		if text == "" {
			continue
		}
		var got struct {
			EvaluationResults []EvaluationResult
			Error             *Error
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || !strings.HasSuffix(text, "\n") {
			t.Fatalf("%v: %q", err, text)
		}
		if got.Error != nil {
			all = append(all, got.Error.Message)
		} else {
			all = append(all, got.EvaluationResults[0].EvalActionName)
		}
	}
	return all
}

// TestLines has an answer in the place of each line, whatever the line is.
func TestLines(t *testing.T) {
	in := []string{
		request("a:One"), "", request("a:Two") + "\r", "{", "  ", `{"ActionNames":["a:One"],"Surprise":1}`,
		`{"CallerArn":"` + strings.Repeat("x", maxBytes) + `"}`, request("a:Three"), request("a:*"), "\xff", request("a:Last"),
	}
	want := []string{
		"a:One", "the request is empty", "a:Two", "unexpected end of JSON", "the request is empty", "Surprise: there is no such field",
		"the request is longer than", "a:Three", "ActionNames[0]: ", "the request is not UTF-8", "a:Last",
	}
	for _, end := range []string{"", "\n"} {
		var out bytes.Buffer
		faulty, err := Lines(strings.NewReader(strings.Join(in, "\n")+end), &out)
		if err != nil || faulty != 7 {
			t.Errorf("Lines: %d, %v, want 7", faulty, err)
		}
		got := answers(t, out.String())
		if len(got) != len(want) {
			t.Fatalf("%d answers, want %d: %q", len(got), len(want), got)
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("line %d: %s, want %s", i+1, got[i], want[i])
			}
		}
	}
}

func TestLinesInOrder(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	var in, out bytes.Buffer
	for i := range 2000 {
		fmt.Fprintln(&in, request(fmt.Sprint("a:", i)))
	}
	if faulty, err := Lines(iotest.HalfReader(&in), &out); faulty != 0 || err != nil {
		t.Fatal(faulty, err)
	}
	got := answers(t, out.String())
	if len(got) != 2000 {
		t.Fatalf("%d answers", len(got))
	}
	for i := range got {
		if want := fmt.Sprint("a:", i); got[i] != want {
			t.Fatalf("answer %d: %s", i, got[i])
		}
	}
}

// TestLinesAnswersAtOnce is a program that waits for each answer before it asks again.
func TestLinesAnswersAtOnce(t *testing.T) {
	inRead, in := io.Pipe()
	out, outWrite := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := Lines(inRead, outWrite)
		outWrite.Close()
		ended <- err
	}()
	for i := range 10 {
		want := fmt.Sprint("a:", i)
		fmt.Fprintln(in, request(want))
		buffer := make([]byte, 1<<16)
		n, err := out.Read(buffer)
		if err != nil || answers(t, string(buffer[:n]))[0] != want {
			t.Fatalf("%v: %s", err, buffer[:n])
		}
	}
	in.Close()
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("%v, %q", err, rest)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestLinesFails has an input that breaks off inside a line, which is no request then, and an output that is gone.
func TestLinesFails(t *testing.T) {
	broken := errors.New("broken")
	var out bytes.Buffer
	in := io.MultiReader(strings.NewReader(request("a:One")+"\n"+request("a:Two")), iotest.ErrReader(broken))
	if _, err := Lines(in, &out); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	if got := answers(t, out.String()); len(got) != 1 || got[0] != "a:One" {
		t.Errorf("answers %q", got)
	}
	many := strings.NewReader(strings.Repeat(request("a:One")+"\n", 1000))
	if _, err := Lines(many, failingWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
