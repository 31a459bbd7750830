# Calls a guarded API: python3 orders.py URL. boto3 finds credentials by itself, and botocore signs.
import sys, urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

request = AWSRequest("GET", sys.argv[1], headers={"Host": "pets.example.com"})
SigV4Auth(boto3.Session().get_credentials(), "execute-api", "eu-west-1").add_auth(request)
print(urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers))).read().decode(), end="")
