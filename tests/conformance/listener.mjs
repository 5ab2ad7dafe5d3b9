// A page's own means to listen without an SDK, EventSource or WebSocket: each push goes out on
// stdout as a line of JSON.
import { EventSource } from 'eventsource';

const [kind, url, request] = process.argv.slice(2);
const tell = (text) => process.stdout.write(text + '\n');

if (kind === 'uni_sse') {
  const source = new EventSource(`${url}?cf_connect=${encodeURIComponent(request)}`);
  source.onmessage = (event) => tell(event.data);
} else {
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send(request);
  socket.onmessage = (event) => tell(event.data);
}
process.stdin.on('end', () => process.exit(0)).resume();
