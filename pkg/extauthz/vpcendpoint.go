package extauthz

import "strings"

// Where Envoy's proxy_protocol listener filter puts the TLV of type 0xEA, by the rule of envoy/private-api.yaml. It is
// metadata of the connection: no client's header gets there.
const (
	proxyProtocolMetadata = "envoy.filters.listener.proxy_protocol"
	awsTLV                = "aws_vpce"
)

// vpcEndpointSubtype is what the value of AWS's TLV begins with where a VPC endpoint's id follows (PP2_SUBTYPE_AWS_VPCE_ID;
// "Proxy protocol", User Guide for Network Load Balancers).
const vpcEndpointSubtype = "\x01"

// vpcEndpoint is the id of the VPC endpoint that a Network Load Balancer attests in the PROXY protocol's header, empty where
// there is no such TLV. A TLV that is there and cannot be read is never taken for none.
func vpcEndpoint(value metadataText) (string, *refusal) {
	if !value.present {
		return "", nil
	}
	id, ok := strings.CutPrefix(value.text, vpcEndpointSubtype)
	if !ok || !isVPCEndpointID(id) {
		return "", envoyConfig("the TLV 0xEA of the PROXY protocol's header (metadata " + proxyProtocolMetadata + ", " + awsTLV + ") holds no VPC endpoint id")
	}
	return id, nil
}

// isVPCEndpointID tells vpce-1a2b3c4d and its longer kin.
func isVPCEndpointID(s string) bool {
	rest, ok := strings.CutPrefix(s, "vpce-")
	return ok && rest != "" && len(rest) <= 32 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
