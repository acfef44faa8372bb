"""What the tutorial for X's webhooks ends with, written anew: Flask on waitress, the challenge answered, events printed.

It proves nothing and keeps nothing. Flask and waitress are as they come.
"""

import base64
import hashlib
import hmac
import json
import sys

from flask import Flask, jsonify, request
from waitress import serve

CONSUMER_SECRET = b"a secret for benchmarks, shared by both sides"

app = Flask(__name__)


@app.get("/webhooks/x")
def challenge():
    token = request.args.get("crc_token", "")
    digest = hmac.new(CONSUMER_SECRET, token.encode(), hashlib.sha256).digest()
    return jsonify(response_token="sha256=" + base64.b64encode(digest).decode())


@app.post("/webhooks/x")
def event():
    print(json.dumps(request.get_json(), indent=2))
    return "", 200


serve(app, host="127.0.0.1", port=int(sys.argv[1]))
