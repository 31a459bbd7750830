// Package backend tells which server an operation's integration sends requests to, if Envoy can send it what API Gateway would.
//
// API Gateway sends a request to the URI of the integration. Envoy sends the client's path, below the stage, to a host and a port, and
// may write a constant prefix before it. So Server returns a server only if the URI's path is that of the route behind a prefix.
//
// Start with Server.
//
// # Decisions
//
// 2026-11-28: a server comes from the text of the definition and from what its owner gives. A host or a port with a path parameter is
// refused, because a client would choose where its request goes.
//
// 2026-11-28: the name of an upstream has a digest of all that it stands for. An Envoy whose configuration is older or newer than that
// of portcullis then never has another server under the name, and answers 500.
package backend

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

// Server is a server behind Envoy.
type Server struct {
	// Address is host:port.
	Address string
	// TLSCA is the file of the authorities to trust for it; empty for a connection that is not encrypted.
	TLSCA string
	// PathPrefix stands before the path in the requests of the server.
	PathPrefix string
}

// maxReadable is how much of a name is readable, before the digest.
const maxReadable = 50

var unreadable = regexp.MustCompile(`[^a-z0-9]+`)

// Name returns the name of the upstream, such as orders-internal-8080-1a2b3c4d.
func (s Server) Name() string {
	digest := sha256.Sum256([]byte(s.Address + "\n" + s.TLSCA + "\n" + s.PathPrefix))
	text := strings.Trim(unreadable.ReplaceAllString(strings.ToLower(s.Address+s.PathPrefix), "-"), "-")
	return strings.TrimRight(text[:min(len(text), maxReadable)], "-") + "-" + hex.EncodeToString(digest[:4])
}

// Node returns the server in the terms of portcullis.yaml.
func (s Server) Node(at tree.Position) *tree.Node {
	n := tree.NewMap(at).Set("address", tree.NewText(s.Address, at))
	if s.TLSCA != "" {
		n.Set("tlsCa", tree.NewText(s.TLSCA, at))
	}
	if s.PathPrefix != "" {
		n.Set("pathPrefix", tree.NewText(s.PathPrefix, at))
	}
	return n
}

// String returns the URI of the server.
func (s Server) String() string {
	scheme := "http://"
	if s.TLSCA != "" {
		scheme = "https://"
	}
	return scheme + s.Address + s.PathPrefix
}

// Integration is the integration of an operation: it says where its requests go.
type Integration struct {
	*document.Document
	// Node is the integration, nil if the operation has none.
	Node *tree.Node
	// At is where the operation stands.
	At tree.Position
	// Route is the route of the operation, HTTP whether it is one of an HTTP API.
	Route routing.Key
	HTTP  bool
	// TLSCA is the file of the authorities to trust for https.
	TLSCA string
}

// The types of integrations that have a server.
const (
	httpProxy = "http_proxy"
	plainHTTP = "http"
)

// IsHTTP reports whether integrations of a type have a server.
func IsHTTP(kind string) bool {
	return strings.EqualFold(kind, httpProxy) || strings.EqualFold(kind, plainHTTP)
}

// Found is the result of reading an integration.
type Found struct {
	Server Server
	// At is where the server stands.
	At tree.Position
	// Differs says what the server gets in another way than from API Gateway.
	Differs []document.Trouble
	// None says that the integration has no server, as that of a Lambda function, or that its address is not in the definition.
	None bool
	// Trouble is why there is no Server, nil if there is one.
	Trouble *document.Trouble
}

// Server returns the server of an integration.
func (i *Integration) Server() Found {
	if none := i.none(); none != nil {
		return Found{None: true, Trouble: none}
	}
	f := Found{At: i.Node.Get("uri").Position()}
	var path string
	if f.Server, path, f.Trouble = i.address(); f.Trouble != nil {
		return f
	}
	for _, check := range []func() *document.Trouble{i.checkMethod, i.checkTLS} {
		if f.Trouble = check(); f.Trouble != nil {
			return f
		}
	}
	if f.Server.PathPrefix, f.Trouble = i.prefix(path, &f); f.Trouble == nil {
		i.differences(&f)
	}
	return f
}

// none says why an integration has no server, nil if it has one.
func (i *Integration) none() *document.Trouble {
	if document.Absent(i.Node) {
		return document.TroubleAt(i.At, "the operation has no integration, so its upstream is not known: "+i.remedy())
	}
	if document.Absent(i.Node.Get("type")) {
		return document.TroubleAt(i.Node.At, "the integration has no type: write http_proxy; or "+i.remedy())
	}
	kind, wrong := i.Text(i.Node.Get("type"), "the type of the integration")
	if wrong != nil {
		return document.TroubleAt(wrong.At, wrong.Message+"; "+i.remedy())
	}
	switch strings.ToLower(kind) {
	case httpProxy, plainHTTP:
	case "aws_proxy", "aws":
		return document.TroubleAt(i.Node.At, "an integration of the type "+kind+" names a function or a service of AWS, and no server that Envoy can connect to: "+i.remedy())
	case "mock":
		return document.TroubleAt(i.Node.At, "API Gateway itself answers for an integration of the type "+kind+", and portcullis does not: "+i.remedy())
	default:
		return document.TroubleAt(i.Node.At, "the integration has the type "+fault.Quoted(kind)+", which is not known: write http_proxy; or "+i.remedy())
	}
	connection, wrong := i.optional("connectionType")
	if wrong != nil {
		return document.TroubleAt(wrong.At, wrong.Message+"; "+i.remedy())
	}
	if connection != "" && !strings.EqualFold(connection, "INTERNET") {
		return document.TroubleAt(i.Node.Get("connectionType").Position(), "a connection of the type "+connection+" leads into a VPC, and the definition does not say to which address: "+i.remedy())
	}
	return nil
}

// remedy says how to give an upstream beside the definition.
func (i *Integration) remedy() string {
	return fmt.Sprintf("write the server in upstreams of portcullis.yaml, and its name in values of the definition: {%q: NAME}, or in upstream of the API", "upstream "+i.Route.String())
}

// optional returns the text of a field, empty if it is absent.
func (i *Integration) optional(key string) (string, *document.Trouble) {
	if document.Absent(i.Node.Get(key)) {
		return "", nil
	}
	return i.Text(i.Node.Get(key), key+" of the integration")
}

// refuse returns a Trouble with the remedy.
func (i *Integration) refuse(at tree.Position, format string, args ...any) *document.Trouble {
	return document.TroubleAt(at, fmt.Sprintf(format, args...)+"; or "+i.remedy())
}

var (
	hostShape = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	// stageVariable matches a stage variable without a value that all stages have.
	stageVariable = regexp.MustCompile(`\$\{stageVariables\.([^}]*)\}`)
	ports         = map[string]string{"http": "80", "https": "443"}
)

// address returns the server of the integration's URI, without a prefix, and the URI's path.
func (i *Integration) address() (s Server, path string, wrong *document.Trouble) {
	n := i.Node.Get("uri")
	if document.Absent(n) {
		return s, "", i.refuse(i.Node.At, "the integration has no uri: write the URI of its server")
	}
	at := n.At
	if text, ok := n.Scalar(); ok {
		if m := stageVariable.FindStringSubmatch(i.Fill(text)); m != nil {
			return s, "", i.refuse(at, "the stage variable %s has no value that all stages share, and a route has one upstream: give it by variables of the stages, or by values: {%q: …}", m[1], m[0])
		}
	}
	text, wrong := i.Text(n, "the uri of the integration")
	if wrong != nil {
		return s, "", i.refuse(wrong.At, "%s", wrong.Message)
	}
	scheme, rest, ok := strings.Cut(strings.TrimSpace(text), "://")
	scheme = strings.ToLower(scheme)
	if !ok || ports[scheme] == "" {
		return s, "", i.refuse(at, "%s is not the URI of a server: write http://host:port/path or https://host/path", fault.Quoted(text))
	}
	if strings.ContainsAny(rest, "?#") {
		return s, "", i.refuse(at, "the uri %s has a query or a fragment, which Envoy does not send: remove it", fault.Quoted(text))
	}
	authority := rest
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		authority, path = rest[:slash], rest[slash:]
	}
	if strings.ContainsAny(authority, "{}") {
		return s, "", i.refuse(at, "the host or the port of %s depends on the request, and a client must not choose the upstream: write them out", fault.Quoted(text))
	}
	if s, wrong = i.server(scheme, authority, at); wrong != nil {
		return s, "", wrong
	}
	return s, path, nil
}

// server returns the server of a URI's authority.
func (i *Integration) server(scheme, authority string, at tree.Position) (s Server, wrong *document.Trouble) {
	host, port := authority, ports[scheme]
	if h, p, err := net.SplitHostPort(authority); err == nil {
		host, port = h, p
	}
	ip, notIP := netip.ParseAddr(strings.Trim(host, "[]"))
	if notIP == nil {
		host = ip.String()
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || notIP != nil && !hostShape.MatchString(host) {
		return s, i.refuse(at, "%s is not a host and a port: write one such as orders.internal:8080", fault.Quoted(authority))
	}
	s.Address = net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(number, 10))
	if scheme == "https" {
		s.TLSCA = i.TLSCA
		if notIP == nil {
			return s, i.refuse(at, "the certificate of %s is verified by a host name: write a name instead of the IP address", fault.Quoted(authority))
		}
	}
	return s, nil
}

// checkMethod refuses an integration whose server gets another method than the client's.
func (i *Integration) checkMethod() *document.Trouble {
	method, wrong := i.optional("httpMethod")
	switch {
	case wrong != nil:
		return i.refuse(wrong.At, "%s", wrong.Message)
	case method == "", strings.EqualFold(method, routing.Any), strings.EqualFold(method, i.Route.Method):
		return nil
	}
	return i.refuse(i.Node.Get("httpMethod").Position(), "API Gateway sends %s for requests of the route %s, and Envoy sends the client's method: write the route's method as httpMethod", method, i.Route)
}

// checkTLS refuses what weakens the verification of the server, or changes by which name it is verified.
func (i *Integration) checkTLS() *document.Trouble {
	config := i.Node.Get("tlsConfig")
	if document.Absent(config) {
		return nil
	}
	if t := document.Unknown(config); t != nil {
		return i.refuse(t.At, "tlsConfig is not known: %s", t.Message)
	}
	if skip := config.Get("insecureSkipVerification"); !document.Absent(skip) {
		if insecure, ok := skip.Truth(); insecure || !ok {
			return i.refuse(skip.Position(), "insecureSkipVerification lets any server answer, and is not supported: give the certificate's authority by upstreamTlsCa of the definition")
		}
	}
	if name := config.Get("serverNameToVerify"); !document.Absent(name) {
		return i.refuse(name.Position(), "serverNameToVerify is not supported, because Envoy verifies the host name of the address: write that name in the uri")
	}
	return nil
}
