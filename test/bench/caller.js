// Calls one after another, as fast as they are answered: INVITE, 200, ACK, BYE, 200. SIPp waits some milliseconds between two calls; this does not.
// Arguments: port, count. Prints { ok, seconds, failed }.

import { createSocket } from 'node:dgram';

const [port, count] = process.argv.slice(2).map(Number);
const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n';
const socket = createSocket('udp4');
let n = 0, ok = 0, failed = 0, began = 0, asked = '', timer, finished = false;

const send = (method, seq, to, branch, body = '') => {
  asked = method;
  socket.send([
    `${method} sip:bench@127.0.0.1:${port} SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bK${process.pid}.${n}${branch}`, 'Max-Forwards: 70', `From: <sip:caller@127.0.0.1>;tag=c${n}`, `To: ${to}`,
    `Call-ID: ${process.pid}.${n}`, `CSeq: ${seq} ${method}`, `Contact: <sip:caller@127.0.0.1:${socket.address().port}>`, ...(body === '' ? [] : ['Content-Type: application/sdp']), `Content-Length: ${body.length}`, '', body,
  ].join('\r\n'), port, '127.0.0.1');
};
const next = () => {
  clearTimeout(timer);
  if (ok + failed === count) {
    finished = true;
    process.stdout.write(JSON.stringify({ ok, failed, seconds: (performance.now() - began) / 1_000 }));
    socket.close();
    return;
  }
  n++;
  timer = setTimeout(() => {
    failed++;
    next();
  }, 1_000);
  send('INVITE', 1, '<sip:bench@127.0.0.1>', 'i', SDP);
};
socket.on('message', (bytes) => {
  const text = bytes.toString('latin1');
  if (finished || !text.includes(`${process.pid}.${n}\r\n`) || !text.includes(` ${asked}\r\n`) || text.startsWith('SIP/2.0 1')) return;
  if (asked === 'BYE') ok++;
  else if (!text.startsWith('SIP/2.0 200')) failed++;
  else {
    const to = /^To: *(.*)$/mi.exec(text)[1].trim();
    send('ACK', 1, to, 'a');
    return send('BYE', 2, to, 'b');
  }
  next();
});
socket.bind(0, '127.0.0.1', () => {
  began = performance.now();
  next();
});
