//go:build !linux

package envoytest

import "syscall"

// endWithParent can tie a child to its parent on Linux only: elsewhere a test that is killed leaves it running.
func endWithParent() *syscall.SysProcAttr { return nil }
