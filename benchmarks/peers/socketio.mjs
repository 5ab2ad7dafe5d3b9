// socket.io as its documentation shows it: one room, no tuning, no compression.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http, { perMessageDeflate: false, transports: ['websocket'] });
io.on('connection', (socket) => {
  socket.join('room');
  socket.on('pub', (message) => io.to('room').emit('pub', message));
  socket.on('cmd', (message, acknowledge) => acknowledge(message));
});
http.listen(0, '127.0.0.1', () => console.log(http.address().port));
