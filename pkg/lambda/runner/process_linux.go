package runner

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program that was started, with all below it.
type process struct {
	pid     int
	cmd     *exec.Cmd
	address string        // of its Runtime API, which is in its environment and nobody else's
	uid     uint32        // whom it runs as
	ownUser bool          // portcullis and others run as somebody else
	exited  chan struct{} // closed when the program has ended; it is not reaped yet, so that its id stays its own
}

func supported() error { return nil }

// asRoot says whether a function without a user of its own runs as root.
func asRoot(user *User) bool { return user == nil && os.Geteuid() == 0 }

// restrictThread sees to it that programs started from this thread gain no privileges, whatever they execute.
func restrictThread() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// Harden keeps other processes of the same user, functions among them, from reading this one's memory and environment, and
// keeps secrets out of core dumps. What files this one was started with, such as a pipe that a key comes by, its functions do
// not get. It is for the command to call, early.
func Harden() error {
	if err := keepFiles(); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// keepFiles has every open file but the first three closed where a program is executed. Go does so with those that it opens.
func keepFiles() error {
	names, err := readNames("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// startProcess starts a program. It gets a SIGKILL when the calling thread ends.
func startProcess(program string, c *Config, env []string, address string, out *output) (*process, error) {
	cmd := &exec.Cmd{Path: program, Args: c.Command, Dir: c.Dir, Env: env, Stdout: out.stdout, Stderr: out.stderr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{cmd: cmd, address: address, uid: uint32(os.Geteuid()), exited: make(chan struct{})} //nolint:gosec // a user id
	if c.User != nil {
		p.ownUser = c.User.UID != p.uid
		p.uid = c.User.UID
	}
	if p.ownUser {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.User.UID, Gid: c.User.GID}
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	go p.await()
	return p, nil
}

// await waits for the program's end and leaves it to be reaped.
func (p *process) await() {
	defer close(p.exited)
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// hasExited asks the kernel whether the program has ended, which may not have been noticed yet.
func (p *process) hasExited() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, p.pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err != nil && !errors.Is(err, unix.EINTR) || info.Signo != 0
}

// status says how the program ended, once it was reaped.
func (p *process) status() string { return p.cmd.ProcessState.String() }

// terminate asks the whole group to end.
func (p *process) terminate() { unix.Kill(-p.pid, unix.SIGTERM) } //nolint:errcheck // what does not end is killed

// kill ends the program and all it has started, and reaps it.
func (p *process) kill() {
	killed := p.sweep()
	<-p.exited
	for range 10 { // what was forking while the first was swept
		more := p.sweep()
		if len(more) == 0 {
			break
		}
		killed = append(killed, more...)
	}
	p.cmd.Wait() //nolint:errcheck // how it ended is in the state
	late := time.Now().Add(reapWithin)
	for _, pid := range append(killed, -p.pid) {
		reap(pid, late)
	}
}

// reapWithin is how long killed processes are waited for. One that does not go is not ours, but somebody's who does not reap.
const reapWithin = 500 * time.Millisecond

// reap waits until a process, or a group, that was killed is gone. What has lost its parent is a child of this process if it is a
// container's first process, and we are to reap it then.
func reap(pid int, late time.Time) {
	for {
		unix.Wait4(pid, nil, unix.WNOHANG, nil) //nolint:errcheck // it need not be our child
		if errors.Is(unix.Kill(pid, 0), unix.ESRCH) || time.Now().After(late) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// sweep kills the group, all below the program and what has its address in the environment, and returns the latter two.
func (p *process) sweep() []int {
	found := append(descendants(p.pid), withAddress(p.address)...)
	unix.Kill(-p.pid, unix.SIGKILL) //nolint:errcheck // it may be gone
	found = slices.DeleteFunc(found, func(pid int) bool { return pid == p.pid })
	for _, pid := range found {
		unix.Kill(pid, unix.SIGKILL) //nolint:errcheck // it may be gone
	}
	return found
}

// memory returns the memory of the program and its children, in bytes.
func (p *process) memory() int64 {
	sum := residentBytes(p.pid)
	for _, pid := range descendants(p.pid) {
		sum += residentBytes(pid)
	}
	return sum
}

// errStranger says that the other end of a connection belongs to somebody else.
var errStranger = errors.New("it comes from a process that is not the function's")

// holds returns nil if the program or one below it has the socket open.
func (p *process) holds(socket socket) error {
	if socket.uid != p.uid || socket.inode == 0 {
		return errStranger
	}
	has, err := hasSocket(p.pid, socket.inode)
	switch {
	case has:
		return nil
	case errors.Is(err, os.ErrPermission) && p.ownUser:
		return nil
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("whose it is cannot be told: %w", err)
	}
	for _, pid := range descendants(p.pid) {
		if has, _ := hasSocket(pid, socket.inode); has {
			return nil
		}
	}
	return errStranger
}
