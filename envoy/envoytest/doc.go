// Package envoytest runs the real Envoy, portcullis and an upstream as processes and servers on free loopback ports, and what
// they are tested with: issuers of tokens and Redis. The tests in envoy/e2e and the demo stand on it.
//
// # Decisions
//
// 2026-11-23: Envoy runs as a child process with the configuration files that users copy, in which nothing but what a caller
// names is replaced, each replacement counted. No container is needed, and no port is chosen before it is bound: a listener
// asks for port 0 and its address is read back from Envoy's admin interface.
//
// 2026-11-23: the upstream reads HTTP/1.1 by itself. net/http would answer 400 to targets that Envoy forwards, and a test that
// asks what reached the upstream would not see them.
//
// 2026-11-23: a child is started from a goroutine that keeps its thread until the child has ended, and on Linux is killed with
// that thread: an interrupted or crashed test leaves no Envoy behind.
//
// 2026-11-25: cognito-local and redis-server cannot be asked for port 0. They get a port that was free a moment before, and
// another one if they do not start there. A part that is killed comes back at its old port, because its client looks
// there.
//
// 2026-11-25: the OpenID Connect issuer is oidc-provider in a script of testdata that lets a test rotate its keys and spoil its
// answers. Faults are at the key set and at the discovery document alone, so that a test gets tokens while they last. Signed is
// what a test asks for, wrong claims too: a token that is wrong in one claim alone shows that this claim is looked at.
//
// 2026-11-25: istiod runs with its configuration in files. It insists on a Kubernetes API, so it gets one that has nothing (kubeAPI): no
// cluster is needed, and what the tests ask of istiod is what it makes of resources, wherever they come from. It is compiled from its Go
// module, which takes too long for `make test`.
package envoytest
