// Package cloudformation finds an API among the resources of a CloudFormation template: AWS::ApiGateway::RestApi and
// AWS::ApiGatewayV2::Api with all that belongs to them, methods, routes, authorizers, gateway responses, stages and domains.
//
// These resources become an OpenAPI document, joined to the API's Body if it has one, and package openapi reads that: one
// reader decides what guards a route. What is not known stays unknown in the document, so that the reader refuses the route.
//
// To begin with, read Read in read.go. rest.go and http.go make the document, stage.go the stages.
package cloudformation
