// Judges Twilio requests with the official Node.js SDK, in two ways: by the validators that applications call with a
// URL, and by the `webhook()` middleware in an Express application that is told its public protocol and host.
//
// One JSON object a line, on stdin and on stdout.
'use strict';

const http = require('node:http');
const querystring = require('node:querystring');
const readline = require('node:readline');
const { Duplex } = require('node:stream');

const express = require('express');
const twilio = require('twilio');
const { version } = require('twilio/package.json');

const FORM = 'application/x-www-form-urlencoded';

// The SDK's warnings about configuration would mix with the answers.
console.error = () => {};

const keep = (request, _response, bytes) => {
  request.rawBody = bytes;
};
const application = express();
application.use(express.urlencoded({ extended: false, verify: keep }));
application.use(express.json({ type: ['json', '+json'], verify: keep }));
application.use((request, response, next) => {
  const { token, protocol, host } = request.judged;
  twilio.webhook(token, { protocol, host })(request, response, next);
});
application.use((request) => request.done(true));
application.use((_error, request, _response, _next) => request.done(false));

function byMiddleware(judged, body) {
  return new Promise((resolve) => {
    // A body is read only while its connection is open.
    const request = new http.IncomingMessage(new Duplex({ read() {}, write() {} }));
    request.method = judged.method;
    request.url = judged.target;
    request.headers = {};
    if (judged.signature !== null) request.headers['x-twilio-signature'] = judged.signature;
    if (judged.content_type !== null) request.headers['content-type'] = judged.content_type;
    if (body.length > 0) request.headers['content-length'] = String(body.length);
    request.push(body);
    request.push(null);
    request.judged = judged;
    request.done = resolve;
    const response = new http.ServerResponse(request);
    response.end = () => resolve(false);
    application(request, response);
  });
}

function byValidator(judged, body) {
  const { token, url, content_type: type } = judged;
  const signature = judged.signature ?? '';
  const isForm = (type ?? FORM).split(';')[0].trim().toLowerCase() === FORM;
  const isText = !isForm && (body.length > 0 || /[?&]bodySHA256\b/.test(url));
  if (isText) return twilio.validateRequestWithBody(token, signature, url, body.toString());
  const parameters = querystring.parse(body.toString(), null, null, { maxKeys: 0 });
  return twilio.validateRequest(token, signature, url, parameters);
}

async function judge(judged) {
  const body = Buffer.from(judged.body, 'base64');
  const answer = { validate: false, webhook: null, version };
  try {
    answer.validate = byValidator(judged, body);
  } catch (error) {
    answer.raised = String(error);
  }
  if (!judged.handshake) answer.webhook = await byMiddleware(judged, body);
  return answer;
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await judge(JSON.parse(line)))}\n`);
  }
}

main();
