"""A Lambda authorizer as people write them. The token says what it does; each call leaves a line in the file $CALLS."""

import os
import time


def shown(event):
    """What identifies the caller, by the form of the event."""
    if event["type"] == "TOKEN":
        assert sorted(event) == ["authorizationToken", "methodArn", "type"], event
        return event["authorizationToken"]
    if event.get("version") == "2.0":
        return event["identitySource"][0]
    if event.get("version") == "1.0":
        assert event["authorizationToken"] == event["identitySource"] == event["headers"]["Authorization"], event
    return event["headers"]["Authorization"]


def policy(effect, resource):
    return {
        "principalId": "ann",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}],
        },
        "context": {"tier": "gold", "pets": 7, "member": True},
    }


def handler(event, context):
    token = shown(event)
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(token + " " + str(os.getpid()) + "\n")
    if token == "Unauthorized":
        raise Exception("Unauthorized")
    if token == "error":
        raise ValueError("Unauthorized: no such user")
    if token == "hang":
        time.sleep(60)
    if token == "slow":
        time.sleep(1)
    if token == "crash":
        os._exit(3)
    if token == "garbage":
        return "Allow"
    if token == "null":
        return None
    if token == "large":
        return {"padding": "x" * (10 << 20)}
    if event.get("routeKey", "").endswith("/simple"):
        return {"isAuthorized": token in ("allow", "slow"), "context": {"tier": "gold", "pets": 7, "member": True}}
    if token not in ("allow", "slow", "deny", "silent", "nested"):
        raise Exception("Unauthorized")
    arn = event["routeArn"] if "routeArn" in event else event["methodArn"]
    if token == "deny":
        return policy("Deny", arn)
    if token == "silent":
        return policy("Allow", arn + "/else")
    answer = policy("Allow", arn)
    if token == "nested":
        answer["context"]["list"] = ["a"]
    return answer
