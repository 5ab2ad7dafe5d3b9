// Senders for Node.js, unmodified. One job comes in as JSON, one verdict goes out as JSON; only
// the addresses are ours.
import http2 from 'node:http2';
import { createECDH } from 'node:crypto';
import { text } from 'node:stream/consumers';

const judges = {
  // firebase-admin speaks HTTP/2 to an address of its own: the connection is led to the sandbox.
  async firebase({ origin, bearer, project, messages }) {
    const connect = http2.connect;
    let connections = 0;
    http2.connect = (to, ...rest) => {
      connections += 1;
      return connect(String(to).startsWith('https://fcm.googleapis.com') ? origin : to, ...rest);
    };
    const { initializeApp } = await import('firebase-admin/app');
    const { getMessaging } = await import('firebase-admin/messaging');
    const credential = { getAccessToken: async () => ({ access_token: bearer, expires_in: 3600 }) };
    const app = initializeApp({ credential, projectId: project });
    const { responses } = await getMessaging(app).sendEach(messages);
    return {
      connections,
      responses: responses.map((each) => each.messageId ?? each.error.code),
    };
  },

  async apn({ port, key, keyId, teamId, topic, addresses, fields }) {
    const { default: apn } = await import('@parse/node-apn');
    const provider = new apn.Provider({ token: { key, keyId, teamId }, address: 'localhost', port });
    const push = Object.assign(new apn.Notification(), { topic, pushType: 'alert' }, fields);
    const { sent, failed } = await provider.send(push, addresses);
    await provider.shutdown();
    return {
      sent: sent.map((each) => each.device),
      failed: failed.map(({ device, status, response }) => [device, status, response?.reason]),
    };
  },

  async webpush({ subscription, payload, vapid, options }) {
    const { default: webpush } = await import('web-push');
    webpush.setVapidDetails('mailto:push@example.org', vapid.publicKey, vapid.privateKey);
    try {
      const { statusCode, headers } = await webpush.sendNotification(subscription, payload, options);
      return { status: statusCode, location: headers.location };
    } catch (refused) {
      if (refused.statusCode === undefined) throw refused;
      return { status: refused.statusCode };
    }
  },

  // The browser's side: http_ece reads what we sent.
  async read({ body, privateKey, auth }) {
    const { default: ece } = await import('http_ece');
    const key = createECDH('prime256v1');
    key.setPrivateKey(Buffer.from(privateKey, 'base64url'));
    const params = { version: 'aes128gcm', privateKey: key, authSecret: auth };
    return { text: ece.decrypt(Buffer.from(body, 'base64url'), params).toString() };
  },
};

const { judge, ...job } = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(await judges[judge](job)), () => process.exit(0));
