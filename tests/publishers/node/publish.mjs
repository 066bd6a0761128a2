// Publishes as the platform's own event bus does: core NATS, the nested envelope, the subject equal to the type.
// No JetStream, no Nats-Msg-Id: nothing tells this publisher what arrived.
//
// node publish.mjs URL < events.ndjson, one {"type", "data"} per line
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { JSONCodec, connect } from "nats";

const connection = await connect({ servers: process.argv[2], maxReconnectAttempts: 0 });
const codec = JSONCodec();
let published = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { type, data } = JSON.parse(line);
  const metadata = {
    id: randomUUID(),
    version: "v1",
    timestamp: new Date().toISOString(),
    correlationId: randomUUID(),
    causationId: undefined,
    metadata: { source: "buddy-system" },
  };
  connection.publish(type, codec.encode({ type, data, metadata }));
  published += 1;
}
await connection.drain();
console.log(published);
