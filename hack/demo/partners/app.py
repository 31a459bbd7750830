"""The Lambda authorizer of the demo: who shows a token that was signed with the secret may read trades, and nothing else."""

import hashlib
import hmac
import os


def handler(event, context):
    name, _, signature = event["authorizationToken"].removeprefix("Bearer ").partition(".")
    good = hmac.new(os.environ["SECRET"].encode(), name.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(good.encode(), signature.encode()):
        raise Exception("Unauthorized")  # API Gateway answers this message with 401
    api, stage, _ = event["methodArn"].split("/", 2)
    return {
        "principalId": name,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{api}/{stage}/GET/trades/*"}],
        },
        "context": {"tier": "gold"},
    }
