"""What the tutorial for X's webhooks ends with, written anew: Flask on waitress, the challenge answered, events printed.
It knows nothing of signatures and keeps nothing; a file stands for the terminal.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading

from flask import Flask, jsonify, request
from waitress import serve

CONSUMER_SECRET = os.environ["CONSUMER_SECRET"]

app = Flask(__name__)


@app.get("/events")
def challenge():
    token = request.args.get("crc_token")
    if token is None:
        return jsonify(error="No crc_token")
    digest = hmac.new(CONSUMER_SECRET.encode(), token.encode(), hashlib.sha256).digest()
    return jsonify(response_token="sha256=" + base64.b64encode(digest).decode())


@app.post("/events")
def event():
    with open(os.environ["TERMINAL"], "a") as terminal:
        terminal.write(json.dumps(request.get_json()) + "\n")
    return "", 200


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
serve(app, host="127.0.0.1", port=int(os.environ["PORT"]))
