// Package e2e tests portcullis through the real Envoy, with the configuration files that users copy.
//
// # Decisions
//
// 2026-11-23: each test has its own upstream, portcullis and Envoy; together they are up in a fifth of a second. The files of
// envoy/ are used as they are but for addresses and ports, the time limit of a check (which a busy machine would exceed) and
// what a test is about, and each replacement must hit.
//
// 2026-11-23: requests are written to the socket byte by byte: a client library would tidy up the very things that are tried.
//
// 2026-11-25: the tests of a mesh (TestMesh…) run a real istiod that is given what `portcullis envoy --for istio` prints and what the owner
// of a mesh has, and the Envoys that it configures. They run by `make e2e-mesh` alone. What stands in for the mesh's agents is an authority
// of the test's own (meshCA). Two of istiod's settings differ from its defaults because only Istio's own build of Envoy knows the filters:
// metadata exchange and its metrics.
package e2e
