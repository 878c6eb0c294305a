// What scanners and broken devices send, at a rate, from a process of its own. Arguments: JSON { kind, host, port, from, spread, rate, seconds }; with
// spread from so many addresses. Prints { sent, answers } at its end.

import { createSocket } from 'node:dgram';

const { kind, host = '127.0.0.1', port, from = '127.0.0.66', spread = 1, rate, seconds, seed = 1 } = JSON.parse(process.argv[2] ?? '{}');
let state = seed;
/** The same stream of chance each time. */
const chance = (below) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
let n = 0;
const message = (method, body = '', more = []) => {
  n++;
  return Buffer.from([
    `${method} sip:${100 + (n % 900)}@${host}:${port} SIP/2.0`, `Via: SIP/2.0/UDP ${from}:${own};branch=z9hG4bK${n}.${seed};rport`, 'Max-Forwards: 70', `From: "${n}" <sip:${n % 977}@${from}>;tag=${n}`,
    `To: <sip:${100 + (n % 900)}@${host}>`, `Call-ID: ${n}.${seed}@${from}`, `CSeq: 1 ${method}`, `Contact: <sip:${n % 977}@${from}:${own}>`, 'User-Agent: friendly-scanner', ...more,
    ...(body === '' ? [] : ['Content-Type: application/sdp']), `Content-Length: ${body.length}`, '', body,
  ].join('\r\n'), 'latin1');
};
const sdp = `v=0\r\no=- 1 1 IN IP4 ${from}\r\ns=-\r\nc=IN IP4 ${from}\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n`;
const mutated = () => {
  const bytes = message(['INVITE', 'OPTIONS', 'REGISTER', 'BYE', 'CANCEL', 'REFER', 'INFO', 'ACK'][chance(8)], sdp);
  for (let i = 1 + chance(8); i > 0; i--) {
    const at = chance(bytes.length);
    if (chance(3) === 0) bytes.copy(bytes, at, chance(bytes.length), chance(bytes.length) + 1);
    else bytes[at] = chance(256);
  }
  return chance(4) === 0 ? bytes.subarray(0, chance(bytes.length)) : bytes;
};
const garbage = () => {
  const bytes = Buffer.alloc(1 + chance(1_400));
  for (let i = 0; i < bytes.length; i++) bytes[i] = chance(256);
  return bytes;
};
/** Ends, changes and answers to a call that is not theirs: tags and branches guessed. */
const guess = () => Array.from({ length: 16 }, () => '0123456789abcdef'[chance(16)]).join('');
const forged = () => {
  const method = ['BYE', 'CANCEL', 'INVITE', 'UPDATE', 'INFO', 'REFER', 'NOTIFY'][chance(7)];
  const text = message(method, method === 'INVITE' ? sdp : '').toString('latin1').replace(/^To: .*$/m, (to) => `${to};tag=${guess()}`).replace(/^Call-ID: .*$/m, `Call-ID: ${guess()}`);
  if (chance(2) === 0) return Buffer.from(text, 'latin1');
  const status = ['200 OK', '180 Ringing', '487 Request Terminated', '603 Decline', '401 Unauthorized', '302 Moved Temporarily'][chance(6)];
  return Buffer.from(text.replace(/^.*$/m, `SIP/2.0 ${status}`).replace(/branch=[^;]*/, `branch=z9hG4bK${guess()}`).replace(/^Via: SIP\/2.0\/UDP [^;]*/m, `Via: SIP/2.0/UDP ${host}:${port}`), 'latin1');
};
const long = 'x'.repeat(8_000);
/** One header too long, too many of them, too many parameters or addresses. */
const oversized = () => message(['INVITE', 'OPTIONS', 'REGISTER'][n % 3], '', [
  [`Subject: ${long}`, `${'X: 1\r\n'.repeat(2_000)}X: 1`, `Contact: <sip:a@b>${';a=b'.repeat(2_000)}`, `Record-Route: ${'<sip:a@b>,'.repeat(2_000)}<sip:c@d>`, `Via: ${'SIP/2.0/UDP a,'.repeat(1_000)}SIP/2.0/UDP b`][chance(5)],
]);
const rtp = () => {
  n++;
  const bytes = Buffer.alloc(172, 0x33);
  bytes[0] = 0x80;
  bytes[1] = 8;
  bytes.writeUInt16BE(n & 0xffff, 2);
  bytes.writeUInt32BE((n * 160) >>> 0, 4);
  bytes.writeUInt32BE(0xdeadbeef, 8);
  return bytes;
};
const huge = () => Buffer.concat([message('INVITE', sdp, [`X-Long: ${'x'.repeat(30_000)}`, ...Array.from({ length: 2_000 }, (_, i) => `Via: SIP/2.0/UDP ${i}`)])], 65_507 - chance(3));

const makers = { invite: () => message('INVITE', sdp), options: () => message('OPTIONS'), register: () => message('REGISTER'), mutated, garbage, rtp, huge, forged, oversized };
const kinds = kind.split('+').map((name) => makers[name]);
let own = 0;
let sent = 0;
let answers = 0;
const sockets = [];
for (let i = 0; i < spread; i++) {
  const socket = createSocket('udp4');
  socket.on('message', () => { answers++; });
  socket.on('error', () => undefined);
  await new Promise((bound) => socket.bind(0, spread === 1 ? from : `127.1.${i >> 8}.${i & 255 || 1}`, bound));
  sockets.push(socket);
}
own = sockets[0].address().port;
const began = performance.now();
const timer = setInterval(() => {
  const at = (performance.now() - began) / 1_000;
  for (const due = Math.min(at, seconds) * rate; sent < due; sent++) sockets[sent % spread].send(kinds[sent % kinds.length](), port, host);
  if (at < seconds) return;
  clearInterval(timer);
  setTimeout(() => {
    process.stdout.write(`${JSON.stringify({ sent, answers })}\n`);
    process.exit(0);
  }, 200);
}, 2);
