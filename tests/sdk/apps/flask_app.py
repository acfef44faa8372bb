"""An application that answers Twilio's calls, on Flask and Twilio's SDK. It checks requests as the SDK's documentation
shows, knows nothing of Hookhouse, and writes a line for each request that it accepts.
"""

import json
import os
from functools import wraps

from flask import Flask, Response, abort, request
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import VoiceResponse
from werkzeug.serving import WSGIRequestHandler, make_server

app = Flask(__name__)
validator = RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])


def from_twilio(view):
    @wraps(view)
    def checked(*args, **kwargs):
        body = request.get_data(as_text=True) if request.is_json else request.form
        if not validator.validate(request.url, body, request.headers.get("X-Twilio-Signature", "")):
            abort(403)
        return view(*args, **kwargs)

    return checked


@app.route("/hooks/voice", methods=["GET", "POST"])
@from_twilio
def voice():
    attempt = request.headers.get("Hookhouse-Attempt")
    print(json.dumps({"method": request.method, "query": request.query_string.decode(), "attempt": attempt}), flush=True)
    response = VoiceResponse()
    response.say("Hello from Flask")
    return Response(str(response), content_type="text/xml")


class Quiet(WSGIRequestHandler):
    def log_request(self, *args):
        pass


if __name__ == "__main__":
    server = make_server("127.0.0.1", int(os.environ["PORT"]), app, threaded=True, request_handler=Quiet)
    print(json.dumps("ready"), flush=True)
    server.serve_forever()
