package e2e

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// ownNetwork gives a command a network and mounts of its own and a process group, all of which ends with its context.
func ownNetwork(_ *testing.T, cmd *exec.Cmd) {
	attr := &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// endGroup waits until all processes of a command's group have ended, and kills those that take too long.
func endGroup(cmd *exec.Cmd) {
	for deadline := time.Now().Add(groupTime); syscall.Kill(-cmd.Process.Pid, 0) == nil && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // there may be none
}

// groupTime is how long the processes of a group may take to end after SIGTERM.
const groupTime = 10 * time.Second
