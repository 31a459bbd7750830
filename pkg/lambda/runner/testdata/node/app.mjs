// A Lambda authorizer of API Gateway's TOKEN kind, as one runs it in AWS.
console.log("starting");

export const handler = async (event, context) => {
  const token = event.authorizationToken;
  if (token === "unauthorized") throw new Error("Unauthorized");
  if (token === "broken") throw new TypeError("broken: " + token);
  if (token === "crash") process.exit(1);
  console.log("checked a token");
  return {
    principalId: token,
    policyDocument: {
      Version: "2012-10-17",
      Statement: [{Action: "execute-api:Invoke", Effect: "Allow", Resource: event.methodArn}],
    },
    context: {
      function: context.functionName,
      version: context.functionVersion,
      arn: context.invokedFunctionArn,
      memory: context.memoryLimitInMB,
      requestId: context.awsRequestId,
      left: context.getRemainingTimeInMillis(),
      table: process.env.TABLE,
    },
  };
};
