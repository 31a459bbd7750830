"""A Lambda authorizer of API Gateway's TOKEN kind, as one runs it in AWS."""
import os

print("starting")


def handler(event, context):
    token = event["authorizationToken"]
    if token == "unauthorized":
        raise Exception("Unauthorized")
    if token == "broken":
        raise ValueError("broken: " + token)
    if token == "crash":
        os._exit(1)
    print("checked a token")
    return {
        "principalId": token,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": event["methodArn"]}],
        },
        "context": {
            "function": context.function_name,
            "version": context.function_version,
            "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb,
            "requestId": context.aws_request_id,
            "left": context.get_remaining_time_in_millis(),
            "table": os.environ["TABLE"],
        },
    }
