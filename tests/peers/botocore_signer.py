"""botocore's Signature Version 4, line by line: requests in, signatures out, one JSON object each.

In:   {"form": "query"|"headers", "access_key_id", "secret_access_key", "session_token": text|null,
       "region", "service", "unix_time", "method", "url", "query": [[name, value]],
       "headers": [[name, value]], "body": text|null, "expires"}
Out:  {"signature", "signed_headers"}
A body that is null is not signed. The query's names and values, and the body, are not encoded. In
query form a name stands in the query once only, and the body is empty: this signer drops the other
names, and takes a body for more of the query.
The process ends with its stdin.
"""

import datetime
import json
import re
import sys
from urllib.parse import quote

import botocore.auth
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials


def signed(order):
    at = datetime.datetime.fromtimestamp(order["unix_time"], datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda: at.replace(tzinfo=None)
    request = AWSRequest(method=order["method"], url=order["url"])
    for name, value in order["headers"]:
        request.headers.add_header(name, value)
    body = order["body"]
    request.context["payload_signing_enabled"] = body is not None
    request.context["client_config"] = Config(s3={"payload_signing_enabled": body is not None})
    request.data = (body or "").encode()
    is_s3 = order["service"] == "s3"
    who = [
        Credentials(
            order["access_key_id"], order["secret_access_key"], order["session_token"]
        ),
        order["service"],
        order["region"],
    ]
    if order["form"] == "query":
        # It takes apart the query of the URL.
        pairs = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in order["query"]]
        request.url += "?" + "&".join(pairs) if pairs else ""
        signer = S3SigV4QueryAuth if is_s3 else SigV4QueryAuth
        signer(*who, expires=order["expires"]).add_auth(request)
        made = request.url.replace("%3B", ";")
    else:
        request.params = [(name, value) for name, value in order["query"]]
        signer = S3SigV4Auth if is_s3 else SigV4Auth
        signer(*who).add_auth(request)
        made = request.headers["Authorization"]
    return {
        "signature": re.search("Signature=([0-9a-f]{64})", made)[1],
        "signed_headers": re.search("SignedHeaders=([^,&]*)", made)[1],
    }


for line in sys.stdin:
    sys.stdout.write(json.dumps(signed(json.loads(line))) + "\n")
    sys.stdout.flush()
