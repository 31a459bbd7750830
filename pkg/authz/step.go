package authz

// Step is one step of a decision, by the name that an explanation prints. pkg/gateway has their order.
type Step string

// The steps, in their order.
const (
	StepMethod     Step = "method"         // the method is letters and hyphens
	StepPath       Step = "path"           // the path has one canonical form
	StepHost       Step = "host"           // the host is a name or an address
	StepStage      Step = "stage"          // host and base path, or Envoy's configuration, lead to a stage
	StepArrival    Step = "arrival"        // the request came by the API's kind of endpoint
	StepStrict     Step = "strict_paths"   // the path holds nothing that strictPaths refuses
	StepRoute      Step = "route"          // path and method are looked up
	StepPreflight  Step = "preflight"      // a CORS preflight is answered
	StepNoRoute    Step = "no_route"       // there is a route
	StepPattern    Step = "pattern"        // no function is told a path that would be a pattern
	StepReadings   Step = "readings"       // every reading of the path is guarded alike
	StepLength     Step = "arn_length"     // the method ARN is not too long
	StepEndpoint   Step = "endpoint"       // the VPC endpoint's policy allows, and a private API has a policy
	StepBody       Step = "body"           // a body that no later step verifies is released
	StepDenied     Step = "denied"         // the resource policy does not deny before a function is asked
	StepCaller     Step = "caller"         // the caller is authenticated
	StepDecision   Step = "decision"       // the policies decide
	StepAPIKey     Step = "api_key"        // a route that requires an API key gets one that counts
	StepConnection Step = "connection"     // no header that is mapped would be dropped behind Envoy
	StepForwarded  Step = "forwarded_host" // no header names the host of another stage
	StepUpstream   Step = "upstream"       // the upstream's headers are made
	StepPass       Step = "pass"           // the request passes
)
