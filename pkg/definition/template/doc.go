// Package template resolves a CloudFormation template: its parameters, conditions and intrinsic functions, and the files that it
// includes.
//
// Open puts in what other files hold: AWS::Include, and what Fn::ForEach repeats. Package sam then makes a CloudFormation template of
// a SAM template, as AWS does. Resolve replaces the functions by their values. Fill replaces `${…}` in an OpenAPI file that another
// tool fills in. Parameters reads files of parameters.
//
// To begin with, read Resolve in template.go; then resolver.call in functions.go, which lists the functions.
//
// # Decisions
//
// 2026-11-28: a value that nothing decides is not a fault. It becomes an Unresolved value, and the package that asks for it reports it: a
// template that takes the name of a bucket from another stack may be read without that name. Faults are what CloudFormation refuses.
//
// 2026-11-28: conditions have three values. A condition of which only a part is unknown may still be decided, and a function If whose
// branches are equal needs no condition.
//
// 2026-11-28: a value keeps the names of the parameters whose defaults decided it, and so does a map from which a condition has
// taken a property: AWS may deploy the template with other values.
//
// 2026-11-28: the functions in a definition that lies in S3 (BodyS3Location, DefinitionUri) are not resolved: API Gateway reads it, and
// CloudFormation does not.
//
// 2026-11-28: what AWS::Include puts in takes the place of the same keys beside it. Templates give an API some paths there, so that tools
// accept them which do not follow the include, and name them so ("never-created"); what AWS deploys is the file. AWS's documentation says
// nothing of such keys. A note names both places.
//
// 2026-11-28: a location in S3 stands for the file that a tool has uploaded there. It is looked for under its key, and under the last
// parts of its key, beside the template. The definition of an API is also looked for under the name of an asset of the AWS CDK.
//
// 2026-11-28: all that is made of a template is counted, so that functions which multiply each other's values end early.
package template
