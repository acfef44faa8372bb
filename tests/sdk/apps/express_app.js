// An application that answers Twilio's calls, on Express and Twilio's SDK. It checks requests with the SDK's middleware,
// knows nothing of Hookhouse, and writes a line for each request that it accepts.
'use strict';

const express = require('express');
const twilio = require('twilio');

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
// The SDK compares a body's digest with `rawBody`.
const verify = (request, _response, bytes) => {
  request.rawBody = bytes;
};

const application = express();
application.use(express.urlencoded({ extended: false }));
application.use(express.json({ verify }));
application.all('/hooks/voice', twilio.webhook(), (request, response) => {
  const query = request.originalUrl.split('?')[1] ?? '';
  say({ method: request.method, query, attempt: request.header('Hookhouse-Attempt') });
  const answer = new twilio.twiml.VoiceResponse();
  answer.say('Hello from Express');
  response.type('text/xml').send(answer.toString());
});

application.listen(Number(process.env.PORT), '127.0.0.1', () => say('ready'));
