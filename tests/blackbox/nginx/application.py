"""A Flask application that answers calls with TwiML. It prints its port, and ends with its standard input."""

import os
import sys
import threading

from flask import Flask, Response, jsonify, request
from twilio.twiml.voice_response import VoiceResponse
from werkzeug.serving import WSGIRequestHandler, make_server


class Silent(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def end_with_input():
    sys.stdin.read()
    os._exit(0)


app = Flask(__name__)


@app.route("/app/voice", methods=["GET", "POST"])
def voice():
    if request.is_json:
        return jsonify(got=request.get_json(), source=request.headers["Hookhouse-Source"])
    answer = VoiceResponse()
    said = request.values.get("Digits") or request.values.get("From", "nobody")
    answer.say(f"{request.method} {said}")
    return Response(str(answer), mimetype="text/xml", headers={"Set-Cookie": "call=1; Path=/"})


@app.route("/app/status", methods=["POST"])
def status():
    return "", 204


server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
threading.Thread(target=end_with_input, daemon=True).start()
print(server.port, flush=True)
server.serve_forever()
