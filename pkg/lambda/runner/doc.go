// Package runner runs a Lambda function without a cloud: it starts the function's own program and serves it the Lambda Runtime
// API, so that the same Python, Node or Go function that ran in AWS runs beside portcullis.
//
// A Runner is one function. It keeps a fixed number of processes, each of which handles one event at a time and has a Runtime
// API of its own, at an address of its own. See "Using the Lambda runtime API for custom runtimes" in AWS's documentation.
//
// # Decisions
//
// 2026-11-25: a process has a Runtime API of its own, at a random address of 127.0.0.0/8 and a port that the kernel chose, and
// no secret path. Of AWS's clients, the one for Node takes nothing but host:port, and the one for Python would fetch events
// from below a path and then could not report an error of the start. Where the address leaks (any process of the machine may
// list sockets) the next point holds.
//
// 2026-11-25: the peer of each connection is checked before a byte of it is read. The kernel is asked for the socket at the
// other end (netlink, sock_diag), and that socket must belong to the process that was started, or to one below it. Where the
// files of the process cannot be read (a container without CAP_SYS_PTRACE), the user must be one that the function has to
// itself; otherwise nobody is let in. Request ids are random, so that who was not given an event cannot answer it.
//
// 2026-11-25: a program inherits nothing of portcullis' environment and no open file. It runs in a session of its own, so that
// no process from outside can join its group; it can gain no privileges (no_new_privs); and it dies with portcullis. Functions
// that run as one user can trace each other: what needs to be apart needs Config.User, which only root can give.
//
// 2026-11-25: when a process has ended, or is ended, so is all that it started: its group, all below it, and what was left
// behind with its address in the environment. A process that left session and parents and cleared its environment is not
// found; a container around portcullis is. In a container, put an init in front of portcullis: of what a function leaves behind,
// it reaps only what it had to kill. A SIGKILL of portcullis reaches the program alone, not what that started.
//
// 2026-11-25: memory is resident memory, of the process and all below it, looked at four times a second; one that has more is
// killed. RLIMIT_AS and RLIMIT_DATA count what Go and Node reserve and never touch. A container's limit is harder.
//
// 2026-11-25: time runs from the moment that a process is given an event until it asks for the next one, as in Lambda. Too late,
// it is killed, and the event has no answer. The caller may give up earlier; then the answer is dropped and the process is not.
//
// 2026-11-25: a process that ends is started again at once, then after 100 ms, doubled up to 1 s where it had asked for events,
// and up to 30 s where it never got so far. While all processes wait like that, an event fails at once instead of waiting.
//
// 2026-11-25: a process that asks for an event before it answered the last one has failed that one. One that is not Lambda's
// answer to ours (an id that it does not have, a second answer) is refused with the status codes of the Runtime API, and
// changes nothing.
//
// 2026-11-25: an error of the start, as of a module that cannot be imported, is no function error here: its text must not
// decide between 401 and 500. It is logged, and the function is not available.
//
// 2026-11-28: what a function prints is logged without what the clients of its last events sent, and without the values of its
// variables whose names tell of a secret. Both are compared without escapes, and looked for in base64 and hexadecimal digits too.
//
// 2026-11-25: on systems other than Linux there is neither a check of the peer nor a signal when the parent dies, and New
// refuses.
package runner
