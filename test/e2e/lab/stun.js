// A STUN server of the lab, by itself: answers each Binding request with the address it came from (RFC 8489 §14.2). node stun.js HOST PORT

import { createSocket } from 'node:dgram';

const [host, port] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.on('message', (request, from) => {
  if (request.length < 20 || request.readUInt16BE(0) !== 1 || request.readUInt32BE(4) !== 0x2112a442) return;
  const answer = Buffer.alloc(32);
  answer.writeUInt16BE(0x0101, 0);
  answer.writeUInt16BE(12, 2);
  request.copy(answer, 4, 4, 20);
  answer.writeUInt16BE(0x0020, 20);
  answer.writeUInt16BE(8, 22);
  answer.writeUInt16BE(1, 24);
  answer.writeUInt16BE(from.port ^ 0x2112, 26);
  from.address.split('.').forEach((part, i) => { answer[28 + i] = Number(part) ^ answer[4 + i]; });
  socket.send(answer, from.port, from.address);
  process.stdout.write(`asked by ${from.address}:${from.port}\n`);
});
socket.bind(Number(port), host, () => process.stdout.write('listening\n'));
