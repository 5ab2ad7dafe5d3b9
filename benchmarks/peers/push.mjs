// firebase-admin and @parse/node-apn, unmodified: one job comes in as JSON, figures go out.
// Their packages are those of the sandbox's judges.
import http2 from 'node:http2';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';

const { sender, packages, seconds, batch, ...job } = JSON.parse(await text(process.stdin));
const require = createRequire(`${packages}/`);

const senders = {
  async firebase({ origin, bearer, project, message }) {
    const connect = http2.connect;
    http2.connect = (to, ...rest) =>
      connect(String(to).startsWith('https://fcm.googleapis.com') ? origin : to, ...rest);
    const { initializeApp } = require('firebase-admin/app');
    const { getMessaging } = require('firebase-admin/messaging');
    const credential = { getAccessToken: async () => ({ access_token: bearer, expires_in: 3600 }) };
    const messaging = getMessaging(initializeApp({ credential, projectId: project }));
    return async (addresses) => {
      const messages = addresses.map((token) => ({ ...message, token }));
      return (await messaging.sendEach(messages)).successCount;
    };
  },

  async apn({ port, key, keyId, teamId, topic, fields }) {
    const apn = require('@parse/node-apn');
    const provider = new apn.Provider({ token: { key, keyId, teamId }, address: 'localhost', port });
    const push = Object.assign(new apn.Notification(), { topic, pushType: 'alert' }, fields);
    return async (addresses) => (await provider.send(push, addresses)).sent.length;
  },
};

const send = await senders[sender](job);
const address = sender === 'apn'
  ? (number) => number.toString(16).padStart(64, '0')
  : (number) => `phone-${String(number).padStart(8, '0')}${'x'.repeat(140)}`;
const addresses = (from) => Array.from({ length: batch }, (_, each) => address((from + each) % 20000));

await send(addresses(0));
let sent = 0;
const began = process.hrtime.bigint();
const cpu = process.cpuUsage();
const passed = () => Number(process.hrtime.bigint() - began) / 1e9;
const keepSending = async () => {
  while (passed() < seconds) {
    sent += batch;
    const accepted = await send(addresses(sent));
    if (accepted !== batch) throw new Error(`${accepted} of ${batch} accepted`);
  }
};
await Promise.all([keepSending(), keepSending()]);
const { user, system } = process.cpuUsage(cpu);
const figures = { pushes: sent, wall: passed(), cpu: (user + system) / 1e6 };
process.stdout.write(JSON.stringify(figures), () => process.exit(0));
