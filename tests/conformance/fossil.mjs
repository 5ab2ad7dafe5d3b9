// The decoder of deltas inside the official JavaScript client, in both formats, as a judge: one
// case a line, `{before, delta}` in base 64; what it makes of them comes out the same way.
import { createInterface } from 'node:readline';
import { Centrifuge as Json } from 'centrifuge';
import { Centrifuge as Protobuf } from 'centrifuge/build/protobuf';

const json = new Json('ws://127.0.0.1')._codec;
const protobuf = new Protobuf('ws://127.0.0.1')._codec;

for await (const line of createInterface({ input: process.stdin })) {
  const { before, delta } = JSON.parse(line);
  const [known, data] = [before, delta].map((text) => new Uint8Array(Buffer.from(text, 'base64')));
  const binary = protobuf.applyDeltaIfNeeded({ data, delta: true }, known).newPrevValue;
  const text = new TextDecoder('utf-8', { fatal: true }).decode(data);
  const textual = json.applyDeltaIfNeeded({ data: text, delta: true }, known).newPrevValue;
  if (Buffer.compare(Buffer.from(binary), Buffer.from(textual))) throw new Error('they differ');
  process.stdout.write(Buffer.from(binary).toString('base64') + '\n');
}
