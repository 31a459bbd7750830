# Signs with awscrt. A line of JSON in is a request, a line of JSON out is the signed one.
import base64, datetime, io, json, sys
from urllib.parse import urlsplit

from awscrt import auth, http


def sign(r):
    parts = urlsplit(r["url"])
    headers = http.HttpHeaders([("host", parts.netloc)] + [tuple(h) for h in r["headers"]])
    body = base64.b64decode(r["body"])
    target = parts.path + ("?" + parts.query if parts.query else "")
    request = http.HttpRequest(r["method"], target, headers, io.BytesIO(body) if body else None)
    date = None
    if r.get("time"):
        date = datetime.datetime.strptime(r["time"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    presigned, asymmetric = r["mode"].startswith("presigned"), r["mode"].endswith("sigv4a")
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4_ASYMMETRIC if asymmetric else auth.AwsSigningAlgorithm.V4,
        signature_type=auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS if presigned else auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=auth.AwsCredentialsProvider.new_static(r["accessKeyId"], r["secretAccessKey"], r.get("sessionToken") or None),
        region=r["region"],
        service=r["service"],
        date=date,
        expiration_in_seconds=r["expires"] if presigned else None,
    )
    signed = auth.aws_sign_request(request, config).result(10)
    return {"target": signed.path, "headers": [[n, v] for n, v in signed.headers if n.lower() != "host"]}


for line in sys.stdin:
    try:
        answer = sign(json.loads(line))
    except Exception as e:
        answer = {"error": repr(e)}
    print(json.dumps(answer), flush=True)
