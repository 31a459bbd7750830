package authz

// Step names one step of a decision. Package gateway has their order.
type Step string

// The steps, in their order.
const (
	StepMethod     Step = "method"         // the method is letters and hyphens
	StepPath       Step = "path"           // the path has one canonical form
	StepHost       Step = "host"           // the host is a valid name or address
	StepStage      Step = "stage"          // host and base path, or Envoy's configuration, select a stage
	StepArrival    Step = "arrival"        // the request came by the right kind of endpoint
	StepStrict     Step = "strict_paths"   // the path has nothing that strictPaths refuses
	StepRoute      Step = "route"          // path and method are looked up
	StepPreflight  Step = "preflight"      // a CORS preflight is answered
	StepNoRoute    Step = "no_route"       // there is a route
	StepPattern    Step = "pattern"        // the path is not a pattern for a function's policy
	StepReadings   Step = "readings"       // every reading of the path is guarded alike
	StepLength     Step = "arn_length"     // the method ARN is not too long
	StepEndpoint   Step = "endpoint"       // the VPC endpoint's policy allows, and a private API has a policy
	StepBody       Step = "body"           // the body is released if no later step verifies it
	StepDenied     Step = "denied"         // the resource policy does not deny before a function is asked
	StepCaller     Step = "caller"         // the caller is authenticated
	StepDecision   Step = "decision"       // the policies decide
	StepAPIKey     Step = "api_key"        // the API key is valid, if the route requires one
	StepConnection Step = "connection"     // no proxy behind Envoy would drop a mapped header
	StepForwarded  Step = "forwarded_host" // no header names the host of another stage
	StepUpstream   Step = "upstream"       // the upstream's headers are set
	StepPass       Step = "pass"           // the request passes
	StepSTS        Step = "sts"            // a call of STS is answered; it has no other step
)
