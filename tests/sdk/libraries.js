// Checks signed requests with providers' own Node.js libraries. One JSON object a line, on stdin and on stdout.
'use strict';

const readline = require('node:readline');

const octokit = require('@octokit/webhooks-methods');
const { EventWebhook, EventWebhookHeader } = require('@sendgrid/eventwebhook');
const { Webhook, WebhookVerificationError } = require('standardwebhooks');

const libraries = {
  standardwebhooks: ({ secret, headers }, body) => {
    new Webhook(secret).verify(body, headers);
    return true;
  },
  '@octokit/webhooks-methods': ({ secret, headers }, body) =>
    octokit.verify(secret, body.toString(), headers['x-hub-signature-256']),
  '@sendgrid/eventwebhook': ({ secret, headers }, body) => {
    const webhook = new EventWebhook();
    const key = webhook.convertPublicKeyToECDSA(secret);
    const [signature, timestamp] = [EventWebhookHeader.SIGNATURE(), EventWebhookHeader.TIMESTAMP()];
    return webhook.verifySignature(key, body, headers[signature.toLowerCase()], headers[timestamp.toLowerCase()]);
  },
};

async function accepts(request) {
  try {
    return await libraries[request.library](request, Buffer.from(request.body, 'base64'));
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify({ accepts: await accepts(JSON.parse(line)) })}\n`);
  }
}

main();
