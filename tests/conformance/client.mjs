// The official JavaScript client behind a line protocol, many of them in one process: every TCP
// connection to it is a client. Commands come in, answers and events go out, one JSON object a
// line. It adds nothing to the client's behaviour.
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { EventSource } from 'eventsource';

const libraries = {
  json: await import('centrifuge'),
  protobuf: await import('centrifuge/build/protobuf'),
};

// Hands out one token after the other, and the last of them for ever; null is for who is not
// authorized any more, and for `never` the application does not answer. The first of several is the one that a client begins with.
const handingOut = ([first, ...rest], UnauthorizedError, asked) => {
  const waiting = rest.length ? rest : [first];
  return async () => {
    asked();
    const token = waiting.length > 1 ? waiting.shift() : waiting[0];
    if (token === null) throw new UnauthorizedError();
    if (token === 'never') await new Promise(() => {});
    return token;
  };
};

class Hosted {
  constructor(tell, { ways, format, tokens, options }) {
    this.tell = tell;
    this.binary = format === 'protobuf';
    this.library = libraries[format];
    const { data, ...others } = options;
    this.client = new this.library.Centrifuge(ways, {
      eventsource: EventSource,
      token: tokens[0] ?? '',
      getToken: tokens.length ? handingOut(tokens, this.library.UnauthorizedError, () => tell({ event: 'token' })) : null,
      data: data === undefined ? null : this.out(data),
      minReconnectDelay: 50,
      maxReconnectDelay: 500,
      ...others,
    });
    this.subscriptions = new Map();
    this.listen();
  }

  out(data) {
    return this.binary ? new TextEncoder().encode(JSON.stringify(data)) : data;
  }

  into(data) {
    if (!this.binary) return data;
    return data?.length ? JSON.parse(new TextDecoder().decode(data)) : undefined;
  }

  info(info) {
    if (!info) return null;
    const { user, client } = info;
    return { user, client, conn: this.into(info.connInfo), chan: this.into(info.chanInfo) };
  }

  shown({ offset, data, info, tags }) {
    return { offset: offset ?? 0, data: this.into(data), info: this.info(info), tags: tags ?? {} };
  }

  // What the client and its subscriptions say alike; `prefix` tells the server's own apart.
  listenTo(source, prefix, channel) {
    const said = (name, change) =>
      source.on(name, (ctx) =>
        this.tell({ event: prefix + name, channel: ctx.channel ?? channel, ...change(ctx) }));
    for (const name of ['subscribing', 'subscribed', 'unsubscribed']) {
      said(name, (ctx) => ({ ...ctx, data: this.into(ctx.data) }));
    }
    said('publication', (ctx) => this.shown(ctx));
    for (const name of ['join', 'leave']) {
      said(name, (ctx) => ({ user: ctx.info.user, info: this.info(ctx.info) }));
    }
  }

  listen() {
    for (const name of ['connecting', 'connected', 'disconnected', 'message']) {
      this.client.on(name, (ctx) =>
        this.tell({ event: name, ...ctx, data: this.into(ctx.data) }));
    }
    this.client.on('error', (ctx) => this.tell({ event: 'error', ...ctx.error, type: ctx.type }));
    this.listenTo(this.client, 'server-');
  }

  connect() {
    this.client.connect();
  }

  disconnect() {
    this.client.disconnect();
  }

  ready() {
    return this.client.ready(5000);
  }

  // Cuts the network beneath the client, as a tunnel or a lift would.
  drop() {
    this.client._transport.close();
  }

  // Says something that the client never would.
  say({ frame }) {
    this.client._transport.send(frame);
  }

  // The client believes that it answers, but nothing leaves it any more.
  mute() {
    this.client._transport.send = () => {};
  }

  subscribe({ channel, getState, tokens, options }) {
    const { data, ...others } = options ?? {};
    const wanted = { minResubscribeDelay: 50, maxResubscribeDelay: 500, ...others };
    if (data !== undefined) wanted.data = this.out(data);
    if (tokens) {
      wanted.token = tokens[0];
      wanted.getToken = handingOut(tokens, this.library.UnauthorizedError, () =>
        this.tell({ event: 'subscription-token', channel }));
    }
    if (getState) {
      const states = [...getState];
      wanted.getState = async () => {
        this.tell({ event: 'state', channel });
        return states.length > 1 ? states.shift() : states[0];
      };
    }
    const subscription = this.client.newSubscription(channel, wanted);
    this.subscriptions.set(channel, subscription);
    this.listenTo(subscription, '', channel);
    subscription.on('error', (ctx) =>
      this.tell({ event: 'subscription-error', channel, ...ctx.error, type: ctx.type }));
    subscription.subscribe();
  }

  deltaStats({ channel }) {
    return this.subscriptions.get(channel).deltaStats();
  }

  unsubscribe({ channel }) {
    this.subscriptions.get(channel).unsubscribe();
  }

  resubscribe({ channel }) {
    this.subscriptions.get(channel).subscribe();
  }

  async rpc({ method, data }) {
    return { data: this.into((await this.client.rpc(method, this.out(data))).data) };
  }

  publish({ channel, data }) {
    return this.client.publish(channel, this.out(data));
  }

  send({ data }) {
    return this.client.send(this.out(data));
  }

  async history({ channel, options }) {
    const result = await this.client.history(channel, options);
    return { ...result, publications: result.publications.map((each) => this.shown(each)) };
  }

  async presence({ channel }) {
    const { clients } = await this.client.presence(channel);
    return Object.fromEntries(
      Object.entries(clients).map(([client, info]) => [client, this.info(info)]),
    );
  }

  async presenceStats({ channel }) {
    const { numClients, numUsers } = await this.client.presenceStats(channel);
    return { clients: numClients, users: numUsers };
  }
}

const serve = async (socket) => {
  socket.setNoDelay(true);
  const tell = (value) => socket.writable && socket.write(JSON.stringify(value) + '\n');
  let hosted;
  socket.on('error', () => {});
  for await (const line of createInterface({ input: socket })) {
    const { id, action, ...rest } = JSON.parse(line);
    try {
      if (action === 'new') hosted = new Hosted(tell, rest);
      const answer = action === 'new' ? undefined : hosted[action](rest);
      Promise.resolve(answer).then(
        (result) => tell({ id, result: result ?? null }),
        (error) => tell({ id, error: { code: error.code ?? -1, message: error.message } }),
      );
    } catch (error) {
      tell({ id, error: { code: -1, message: String(error) } });
    }
  }
  hosted?.client.disconnect();
};

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
process.stdin.on('end', () => process.exit(0)).resume();
