package envoytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// stopTime is how long a process may take to end after SIGTERM before it is killed.
const stopTime = 5 * time.Second

// Process is a child process. It ends when Stop is called, or with this process, however that ends.
type Process struct {
	cmd            *exec.Cmd
	stdout, stderr output
	done           chan struct{}
}

// Start runs a program until Stop.
func Start(path string, args ...string) (*Process, error) {
	return StartCommand(exec.Command(path, args...))
}

// StartCommand runs a command that has not been started until Stop.
func StartCommand(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = endWithParent()
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the child is tied to this thread, see endWithParent
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in its output
		}
	}()
	return p, <-started
}

// Stop ends the process and waits for it. It may be called more than once.
func (p *Process) Stop() {
	p.Signal(syscall.SIGTERM)
	p.Signal(syscall.SIGCONT)
	select {
	case <-p.done:
	case <-time.After(stopTime):
		p.Kill()
	}
}

// Kill ends the process at once and waits for it.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Signal sends a signal. A process that has ended does not get it.
func (p *Process) Signal(sig os.Signal) { _ = p.cmd.Process.Signal(sig) }

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stdout returns the standard output of the process so far.
func (p *Process) Stdout() string { return p.stdout.String() }

// Stderr returns the standard error of the process so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// Await calls ready until it says true, the process ends or the context does.
func (p *Process) Await(ctx context.Context, ready func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-p.done:
			return p.failed(errors.New("ended too early"))
		case <-ctx.Done():
			return p.failed(ctx.Err())
		}
	}
	return nil
}

func (p *Process) failed(err error) error {
	return fmt.Errorf("%s: %w; it wrote:\n%s%s", p.cmd.Path, err, p.Stdout(), p.Stderr())
}

// output is a buffer that one goroutine writes while others read.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
