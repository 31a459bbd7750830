# Signs with botocore and the credentials of a boto3 session. A line of JSON in is a request, a line of JSON out is the signed one.
import base64, datetime, functools, json, sys
from urllib.parse import parse_qsl, urlsplit

import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest

clock = botocore.auth.get_current_datetime


@functools.cache
def credentials_of(key, secret, token):
    return boto3.Session(key, secret, token).get_credentials().get_frozen_credentials()


def sign(r):
    credentials = credentials_of(r["accessKeyId"], r["secretAccessKey"], r.get("sessionToken") or None)
    at = r.get("time")
    botocore.auth.get_current_datetime = (
        (lambda *_: datetime.datetime.strptime(at, "%Y%m%dT%H%M%SZ")) if at else clock
    )
    url, params = r["url"], None
    if r["mode"] == "header" and "+" in url:  # botocore reads a URL as encoded already, where a plus is itself; parameters are not
        url, _, query = url.partition("?")
        params = dict(parse_qsl(query, keep_blank_values=True))
    request = AWSRequest(r["method"], url, data=base64.b64decode(r["body"]) or None, params=params)
    for name, value in r["headers"]:
        request.headers.add_header(name, value)
    if r["mode"] == "presigned":
        signer = botocore.auth.SigV4QueryAuth(credentials, r["service"], r["region"], expires=r["expires"])
    else:
        signer = botocore.auth.SigV4Auth(credentials, r["service"], r["region"])
    signer.add_auth(request)
    parts = urlsplit(request.prepare().url)
    headers = [[name, value] for name, value in request.headers.items()]
    return {"target": parts.path + ("?" + parts.query if parts.query else ""), "headers": headers}


for line in sys.stdin:
    try:
        answer = sign(json.loads(line))
    except Exception as e:
        answer = {"error": repr(e)}
    print(json.dumps(answer), flush=True)
