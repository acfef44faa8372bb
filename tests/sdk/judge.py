"""Judges Twilio requests with the official Python SDK, as a Flask application would.

One JSON object a line, on stdin and on stdout. The forms are read by Werkzeug, which is what Flask's `request` is.
"""

import base64
import importlib.metadata
import io
import json
import sys

from twilio.request_validator import RequestValidator, get_signature_algorithm
from werkzeug.wrappers import Request

FORM = "application/x-www-form-urlencoded"


def key_id(settings):
    for item in settings.split(","):
        name, _, value = item.partition("=")
        if name.strip() == "key":
            return value.strip()
    return None


def judge(case):
    body = base64.b64decode(case["body"])
    environ = {"REQUEST_METHOD": case["method"], "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    if case["content_type"] is not None:
        environ["CONTENT_TYPE"] = case["content_type"]
    request = Request(environ)
    is_text = request.mimetype not in ("", FORM)
    # The documentation has the form checked as it is, and any other body as text.
    parameters = request.get_data(as_text=True) if is_text else request.form
    secret, algorithm = case["token"], None
    if case["settings"] is not None:
        secret = case["shared_keys"].get(key_id(case["settings"]))
        if secret is None:
            return False
        algorithm = get_signature_algorithm(case["settings"])
    return RequestValidator(secret).validate(case["url"], parameters, case["signature"] or "", algorithm)


def main():
    version = importlib.metadata.version("twilio")
    for line in sys.stdin:
        try:
            answer = {"python": judge(json.loads(line))}
        except Exception as error:  # An application answers 500: not accepted.
            answer = {"python": False, "raised": repr(error)}
        print(json.dumps(answer | {"version": version}))


main()
