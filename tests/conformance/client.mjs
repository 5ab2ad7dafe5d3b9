// The official JavaScript client behind a line protocol: commands come in on stdin, answers and
// events go out on stdout, one JSON object a line. It adds nothing to the client's behaviour.
import { createInterface } from 'node:readline';
import { EventSource } from 'eventsource';

const [url, format, tokens, transports, emulationEndpoint] = process.argv.slice(2);
const { Centrifuge } = await import(
  format === 'protobuf' ? 'centrifuge/build/protobuf' : 'centrifuge'
);
const tell = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const binary = format === 'protobuf';
const out = (data) => (binary ? encoder.encode(JSON.stringify(data)) : data);
const into = (data) => (binary && data?.length ? JSON.parse(decoder.decode(data)) : data);

const waiting = JSON.parse(tokens);
// Without a list of transports the client knows only the WebSocket at `url`.
const fallbacks = JSON.parse(transports);
const client = new Centrifuge(fallbacks.length ? fallbacks : url, {
  emulationEndpoint,
  eventsource: EventSource,
  token: waiting.shift() ?? '',
  getToken: async () => {
    tell({ event: 'token' });
    return waiting.length > 1 ? waiting.shift() : (waiting[0] ?? '');
  },
  minReconnectDelay: 50,
  maxReconnectDelay: 500,
});
for (const name of ['connecting', 'connected', 'disconnected']) {
  client.on(name, (ctx) => tell({ event: name, ...ctx, data: into(ctx.data) }));
}
client.on('error', (ctx) => tell({ event: 'error', ...ctx.error, type: ctx.type }));
client.on('message', (ctx) => tell({ event: 'message', data: into(ctx.data) }));

const subscriptions = new Map();
const shown = (publication) => ({ offset: publication.offset, data: into(publication.data) });

const actions = {
  connect: async () => client.connect(),
  disconnect: async () => client.disconnect(),
  ready: async () => client.ready(5000),
  // Cuts the network beneath the client, as a tunnel or a lift would.
  drop: async () => client._transport.close(),
  subscribe: async ({ channel, getState, tokens, delta }) => {
    const options = { delta };
    if (tokens) {
      options.token = tokens.shift() ?? '';
      options.getToken = async () => {
        tell({ event: 'subscription-token', channel });
        return tokens.length > 1 ? tokens.shift() : (tokens[0] ?? '');
      };
    }
    if (getState) {
      options.getState = async () => {
        tell({ event: 'state', channel });
        return getState;
      };
    }
    const subscription = client.newSubscription(channel, options);
    subscriptions.set(channel, subscription);
    for (const name of ['subscribing', 'subscribed', 'unsubscribed']) {
      subscription.on(name, (ctx) => tell({ event: name, ...ctx, data: into(ctx.data) }));
    }
    subscription.on('error', (ctx) =>
      tell({ event: 'subscription-error', channel, ...ctx.error, type: ctx.type }));
    subscription.on('publication', (ctx) =>
      tell({ event: 'publication', channel, ...shown(ctx) }));
    for (const name of ['join', 'leave']) {
      subscription.on(name, (ctx) => tell({ event: name, channel, user: ctx.info.user }));
    }
    subscription.subscribe();
  },
  deltaStats: async ({ channel }) => subscriptions.get(channel).deltaStats(),
  unsubscribe: async ({ channel }) => subscriptions.get(channel).unsubscribe(),
  resubscribe: async ({ channel }) => subscriptions.get(channel).subscribe(),
  rpc: async ({ method, data }) => ({ data: into((await client.rpc(method, out(data))).data) }),
  publish: async ({ channel, data }) => client.publish(channel, out(data)),
  send: async ({ data }) => client.send(out(data)),
  history: async ({ channel, options }) => {
    const result = await client.history(channel, options);
    return { ...result, publications: result.publications.map(shown) };
  },
  presence: async ({ channel }) => client.presence(channel),
  presenceStats: async ({ channel }) => client.presenceStats(channel),
};

tell({ event: 'started' });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, action, ...rest } = JSON.parse(line);
  actions[action](rest).then(
    (result) => tell({ id, result: result ?? null }),
    (error) => tell({ id, error: { code: error.code ?? -1, message: error.message } }),
  );
}
process.exit(0);
