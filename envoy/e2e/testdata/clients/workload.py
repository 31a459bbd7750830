# Calls a guarded API as a workload with boto3: credentials come from a session's default chain, the signature from botocore's signer. A
# line of JSON in is a request for a connection, a line of JSON out is the answer's status.
import base64, json, sys

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

session = boto3.Session()
credentials = session.get_credentials()
http = URLLib3Session()


def call(r):
    url = f"{r['endpoint']}/@connections/{r['connection']}"
    request = AWSRequest(r["method"], url, data=base64.b64decode(r["body"]) or None)
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", session.region_name).add_auth(request)
    return {"status": http.send(request.prepare()).status_code}


for line in sys.stdin:
    try:
        answer = call(json.loads(line))
    except Exception as e:
        answer = {"error": repr(e)}
    print(json.dumps(answer), flush=True)
