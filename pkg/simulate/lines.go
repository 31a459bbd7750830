package simulate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Lines answers each line of in, a request, with a line of out, in the same order: a response or, for a request without one,
// {"Error": {"Code": ..., "Message": ...}}. An answer is written as soon as it and all before it are there, so that a program may
// wait for each. It returns how many lines were not evaluated.
func Lines(in io.Reader, out io.Writer) (faulty int, err error) {
	workers := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(context.Background())
	work := make(chan *line)
	// order bounds how many lines are in memory.
	order := make(chan *line, 2*workers)
	group.Go(func() error {
		defer close(order)
		defer close(work)
		return readLines(ctx, in, order, work)
	})
	for range workers {
		group.Go(func() error {
			for l := range work {
				l.answer <- l.evaluate()
			}
			return nil
		})
	}
	group.Go(func() (err error) {
		faulty, err = writeAnswers(out, order)
		return err
	})
	return faulty, group.Wait()
}

// line is a request on its way.
type line struct {
	text    []byte
	tooLong bool
	answer  chan answer
}

type answer struct {
	text   []byte
	faulty bool
}

func (l *line) evaluate() answer {
	response, err := Response{}, error(invalid("the request is longer than %d bytes", maxBytes))
	if !l.tooLong {
		response, err = decodeAndRun(l.text)
	}
	if err == nil {
		return answer{text: encode(response)}
	}
	return answer{text: encode(failure(err)), faulty: true}
}

func decodeAndRun(text []byte) (Response, error) {
	return guarded(func() (Response, error) {
		r, err := Decode(text)
		if err != nil {
			return Response{}, err
		}
		return run(&r)
	})
}

// failure is written in place of a response that could not be given.
func failure(err error) any {
	e := &Error{PolicyEvaluation, err.Error()}
	errors.As(err, &e)
	return struct{ Error *Error }{e}
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte(`{"Error":{"Code":"` + PolicyEvaluation + `","Message":"the response has no JSON"}}` + "\n")
	}
	return b.Bytes()
}

// readLines puts each line in order and to work, until there are no more or the context ends.
func readLines(ctx context.Context, in io.Reader, order, work chan<- *line) error {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		l, err := readLine(r)
		if l == nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		for _, to := range []chan<- *line{order, work} {
			select {
			case to <- l:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// readLine returns the next line, of which it keeps no more than maxBytes, or nil and why there is none. What a failing reader
// leaves of a line is none.
func readLine(r *bufio.Reader) (*line, error) {
	l := &line{answer: make(chan answer, 1)}
	for {
		part, err := r.ReadSlice('\n')
		if l.tooLong = l.tooLong || len(l.text)+len(part) > maxBytes; l.tooLong {
			l.text = nil
		} else {
			l.text = append(l.text, part...)
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && (len(l.text) > 0 || l.tooLong):
			return l, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// writeAnswers writes the answers in order.
func writeAnswers(out io.Writer, order <-chan *line) (faulty int, err error) {
	w := bufio.NewWriterSize(out, 64<<10)
	for {
		l, more, err := receive(w, order)
		if err != nil || !more {
			return faulty, err
		}
		a, _, err := receive(w, l.answer)
		if err != nil {
			return faulty, err
		}
		if a.faulty {
			faulty++
		}
		if _, err := w.Write(a.text); err != nil {
			return faulty, err
		}
	}
}

// receive takes what comes next, and flushes before it has to wait.
func receive[T any](w *bufio.Writer, from <-chan T) (next T, more bool, err error) {
	if len(from) == 0 {
		if err := w.Flush(); err != nil {
			return next, false, err
		}
	}
	next, more = <-from
	return next, more, nil
}
