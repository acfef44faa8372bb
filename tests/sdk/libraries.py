"""Checks signed requests with providers' own Python libraries. One JSON object a line, on stdin and on stdout."""

import base64
import json
import sys

import slack_sdk.signature
import standardwebhooks
import stripe


def accepts(request):
    secret, headers, body = request["secret"], request["headers"], base64.b64decode(request["body"])
    match request["library"]:
        case "standardwebhooks":
            standardwebhooks.Webhook(secret).verify(body, headers)
        case "stripe":
            stripe.Webhook.construct_event(body, headers["stripe-signature"], secret)
        case "slack_sdk":
            return slack_sdk.signature.SignatureVerifier(secret).is_valid_request(body, headers)
    return True


for line in sys.stdin:
    try:
        answer = {"accepts": accepts(json.loads(line))}
    except (standardwebhooks.WebhookVerificationError, stripe.SignatureVerificationError) as error:
        answer = {"accepts": False, "because": repr(error)}
    print(json.dumps(answer))
