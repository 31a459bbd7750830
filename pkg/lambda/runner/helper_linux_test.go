package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The test binary is a function's program as well: one that does what the event says, good or bad.

const (
	helperStart = "RUNNER_HELPER" // how the program starts; also what makes the test binary that program
	helperURL   = "RUNNER_URL"    // for a program that is not the function's
)

type command struct {
	Do   string `json:"do"`
	Text string `json:"text,omitempty"`
}

// api is a client of the Runtime API that can be misused.
type api struct {
	base string
	http *http.Client
}

func newAPI(address string) *api {
	return &api{base: "http://" + address + apiVersion, http: &http.Client{}}
}

func (a *api) next() (id string, event []byte, header http.Header) {
	res, err := a.http.Get(a.base + "/runtime/invocation/next")
	if err != nil {
		fatal("next: %v", err)
	}
	defer res.Body.Close()
	event, err = io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		fatal("next: %v %v", res.Status, err)
	}
	return res.Header.Get(headerRequestID), event, res.Header
}

// post returns the status, or 0 if the connection broke.
func (a *api) post(path, errorType string, body []byte) int {
	req, err := http.NewRequest(http.MethodPost, a.base+"/runtime/"+path, bytes.NewReader(body))
	if err != nil {
		fatal("%v", err)
	}
	if errorType != "" {
		req.Header.Set(headerErrorType, errorType)
	}
	res, err := a.http.Do(req)
	if err != nil {
		return 0
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		fatal("%v", err)
	}
	res.Body.Close()
	return res.StatusCode
}

func (a *api) answer(id string, v any) int {
	body, err := json.Marshal(v)
	if err != nil {
		fatal("%v", err)
	}
	return a.post("invocation/"+id+"/response", "", body)
}

// note leaves something behind for the test to read.
func note(file, text string) {
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		fatal("%v", err)
	}
}

func fatal(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(70)
}

// helper is the program. It does not return.
func helper(start string) {
	a := newAPI(os.Getenv(apiVariable))
	switch start {
	case "crash":
		fmt.Fprintln(os.Stderr, "no module named app")
		os.Exit(3)
	case "silent":
		select {}
	case "slow":
		time.Sleep(300 * time.Millisecond)
	case "init error":
		a.post("init/error", "Runtime.ImportModuleError", []byte(`{"errorMessage":"Unauthorized","errorType":"Runtime.ImportModuleError"}`))
		select {}
	case "once":
		if _, err := os.Stat("started"); err == nil {
			os.Exit(4)
		}
		note("started", "")
	case "impostor":
		impostor()
	case "aws-lambda-go":
		goFunction()
	case "child":
		startChild(&syscall.SysProcAttr{}, os.Getenv("RUNNER_CHILD"))
		time.Sleep(time.Minute)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	for {
		id, event, header := a.next()
		var c command
		if err := json.Unmarshal(event, &c); err != nil {
			fatal("%v", err)
		}
		if c.Do == "print event" {
			fmt.Printf("%s\n", event)
			c.Do = "echo"
		}
		act(a, id, c, header)
	}
}

// act does what an event says.
func act(a *api, id string, c command, header http.Header) {
	switch c.Do {
	case "echo":
		a.answer(id, c.Text)
	case "environment":
		a.answer(id, os.Environ())
	case "headers":
		a.answer(id, header)
	case "sleep":
		d, err := time.ParseDuration(c.Text)
		if err != nil {
			fatal("%v", err)
		}
		time.Sleep(d)
		a.answer(id, "slept")
	case "pid":
		a.answer(id, os.Getpid())
	case "start":
		a.answer(id, a.post("init/error", "", []byte(`{}`)))
	case "print":
		fmt.Print(c.Text)
		a.answer(id, "printed")
	case "spawn two":
		startChild(&syscall.SysProcAttr{}, "sleep")
		startChild(&syscall.SysProcAttr{Setsid: true}, "sleep")
		a.answer(id, "spawned")
	case "spawn":
		startChild(&syscall.SysProcAttr{}, "sleep")
		startChild(&syscall.SysProcAttr{Setsid: true}, "sleep")
		startChild(&syscall.SysProcAttr{Setsid: true}, "orphan")
		time.Sleep(200 * time.Millisecond)
		a.answer(id, "spawned")
	default:
		misbehave(a, id, c)
	}
}

func misbehave(a *api, id string, c command) {
	switch c.Do {
	case "exit":
		os.Exit(len(c.Text))
	case "hang":
		select {}
	case "answer and hang":
		a.answer(id, "answered")
		select {}
	case "next":
	case "fail":
		a.post("invocation/"+id+"/error", "Exception", []byte(c.Text))
	case "big":
		a.post("invocation/"+id+"/response", "", []byte(`"`+strings.Repeat("a", 10<<20)+`"`))
	case "big error":
		a.post("invocation/"+id+"/error", "Big", []byte(`{"errorType":"X","errorMessage":"Unauthorized","stackTrace":"`+strings.Repeat("a", 10<<20)+`"}`))
	case "twice":
		first, second := a.answer(id, "first"), a.answer(id, "second")
		note("twice", fmt.Sprint(first, second))
	case "wrong id":
		note("wrong", fmt.Sprint(a.answer("8476a536-e9f4-11e8-9739-2dfe598c3fcd", "wrong"), a.answer("%20", "empty")))
		a.answer(id, "right")
	case "trailer":
		trailer(a, id)
	case "half":
		half(a, id)
	case "eat":
		var eaten [][]byte
		for range 400 {
			eaten = append(eaten, bytes.Repeat([]byte{1}, 1<<20))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		fatal("%d", len(eaten))
	default:
		fatal("no such command %q", c.Do)
	}
}

// trailer answers with what would be an Allow, and takes it back in the trailer, as aws-lambda-go does when a stream breaks.
func trailer(a *api, id string) {
	body, w := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, a.base+"/runtime/invocation/"+id+"/response", body)
	if err != nil {
		fatal("%v", err)
	}
	req.Trailer = http.Header{headerErrorType: {"Stream"}}
	go func() {
		_, err := w.Write([]byte(`"allow"`))
		w.CloseWithError(err)
	}()
	res, err := a.http.Do(req)
	if err != nil {
		fatal("%v", err)
	}
	res.Body.Close()
}

// half promises more than it sends, and ends.
func half(a *api, id string) {
	req, err := http.NewRequest(http.MethodPost, a.base+"/runtime/invocation/"+id+"/response", strings.NewReader(`"allow"`))
	if err != nil {
		fatal("%v", err)
	}
	req.ContentLength = 100
	a.http.Do(req) //nolint:bodyclose,errcheck // it fails
	os.Exit(5)
}

func startChild(attr *syscall.SysProcAttr, start string) {
	exe, err := os.Executable()
	if err != nil {
		fatal("%v", err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), helperStart+"="+start)
	cmd.SysProcAttr = attr
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fatal("%v", err)
	}
}

// sleeper is a process that the function started and left alone.
func sleeper(start string) {
	if start == "orphan" { // its child has no parent soon
		startChild(&syscall.SysProcAttr{Setsid: true}, "sleep")
		os.Exit(0)
	}
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
	time.Sleep(time.Minute)
}

// impostor tries to get an event and to answer one, and prints what it got.
func impostor() {
	for range 20 {
		res, err := http.Get(os.Getenv(helperURL) + apiVersion + "/runtime/invocation/next")
		if err != nil {
			fmt.Println("refused")
			continue
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Println("stolen:", string(body))
	}
	os.Exit(0)
}
