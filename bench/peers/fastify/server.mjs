// A receiver on Fastify that proves each event of X on the bytes it came in, and keeps nothing.

import { createHmac, timingSafeEqual } from "node:crypto";
import fastify from "fastify";

const secret = process.env.BENCH_SECRET;
const app = fastify();

app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => done(null, body));

app.post("/webhooks/x", (request, reply) => {
  const expected = Buffer.from("sha256=" + createHmac("sha256", secret).update(request.body).digest("base64"));
  const received = Buffer.from(request.headers["x-twitter-webhooks-signature"] ?? "");
  if (received.length !== expected.length || !timingSafeEqual(received, expected)) {
    return reply.code(403).send();
  }
  JSON.parse(request.body);
  return reply.code(200).send();
});

await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
