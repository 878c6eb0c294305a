// The other side, in a process of its own so that it is not measured: a registrar and proxy with digest, who calls, is called and sends RTP.
// Told what to do by messages from its parent; answers each with a message.

import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';

const sip = createSocket('udp4');
const rtp = createSocket('udp4');
const md5 = (text) => createHash('md5').update(text).digest('hex');
const calls = new Map();
let phone;
let count = 0;
let sequence = 0;

const lines = (text) => {
  const [head] = text.split('\r\n\r\n');
  const [start, ...rest] = head.split('\r\n');
  const get = (name) => rest.filter((l) => l.toLowerCase().startsWith(`${name}:`)).map((l) => l.slice(name.length + 1).trim());
  return { start, get };
};
const send = (text) => sip.send(text, phone.port, phone.address);

sip.on('message', (bytes, from) => {
  const text = bytes.toString('latin1');
  const { start, get } = lines(text);
  const [method] = start.split(' ');
  if (method === 'SIP/2.0') return answer(start, get, text);
  const reply = (status, more = '', body = '') => sip.send(`SIP/2.0 ${status}\r\n${get('via').map((v) => `Via: ${v}\r\n`).join('')}From: ${get('from')[0]}\r\nTo: ${get('to')[0]}${/;tag=/.test(get('to')[0]) ? '' : ';tag=peer'}\r\nCall-ID: ${get('call-id')[0]}\r\nCSeq: ${get('cseq')[0]}\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`, from.port, from.address);
  if (method === 'REGISTER') {
    phone = from;
    const given = get('authorization')[0];
    if (given === undefined) return reply('401 Unauthorized', 'WWW-Authenticate: Digest realm="budget", nonce="abc", qop="auth", algorithm=MD5\r\n');
    const field = (name) => new RegExp(`[ ,]${name}="?([^",]+)`).exec(given)?.[1];
    const want = md5(`${md5(`${field('username')}:budget:secret`)}:abc:${field('nc')}:${field('cnonce')}:auth:${md5(`REGISTER:${field('uri')}`)}`);
    if (want !== field('response')) return reply('403 Forbidden');
    reply('200 OK', `Contact: ${get('contact')[0]};expires=600\r\n`);
    process.send({ did: 'registered' });
    return;
  }
  if (method === 'INVITE') return called(get, text, reply);
  if (method === 'BYE') {
    calls.get(get('call-id')[0])?.ended?.();
    calls.delete(get('call-id')[0]);
  }
  if (method !== 'ACK') reply('200 OK');
});

/** The phone calls: a password is asked for, it rings, and is answered; or it holds and resumes a call. */
function called(get, text, reply) {
  const more = `Contact: <sip:peer@127.0.0.1:${sip.address().port}>\r\n`;
  const accept = () => reply('200 OK', `${more}Content-Type: application/sdp\r\n`, description());
  if (/;tag=/.test(get('to')[0])) return accept();
  if (get('proxy-authorization')[0] === undefined) return reply('407 Proxy Authentication Required', 'Proxy-Authenticate: Digest realm="budget", nonce="def", qop="auth", algorithm=MD5\r\n');
  const id = get('call-id')[0], target = /<([^>]+)>/.exec(get('contact')[0])[1];
  calls.set(id, { id, uri: target, target, from: `${get('to')[0]};tag=peer`, to: get('from')[0], cseq: 1, rtpPort: Number(/m=audio (\d+)/.exec(text)?.[1]) });
  reply('180 Ringing', more);
  accept();
}

function answer(start, get, text) {
  const call = calls.get(get('call-id')[0]);
  const status = Number(start.split(' ')[1]);
  const method = get('cseq')[0].split(' ')[1];
  if (call === undefined) return;
  if (method === 'BYE') {
    calls.delete(call.id);
    call.ended?.();
    return;
  }
  if (status === 180) call.ringing?.();
  if (status >= 200) {
    call.to = get('to')[0];
    call.target = /<([^>]+)>/.exec(get('contact')[0] ?? '')?.[1] ?? call.uri;
    request(call, 'ACK', call.cseq);
    if (status < 300) {
      call.rtpPort = Number(/m=audio (\d+)/.exec(text)?.[1]);
      call.answered?.();
    } else call.failed?.(status);
  }
}

function request(call, method, cseq, body = '') {
  send(`${method} ${call.target ?? call.uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${sip.address().port};branch=z9hG4bK${call.id}${method === 'ACK' ? 'a' : method};rport\r\nMax-Forwards: 70\r\nFrom: ${call.from}\r\nTo: ${call.to}\r\nCall-ID: ${call.id}\r\nCSeq: ${cseq} ${method}\r\nContact: <sip:peer@127.0.0.1:${sip.address().port}>\r\n${body ? 'Content-Type: application/sdp\r\n' : ''}Content-Length: ${body.length}\r\n\r\n${body}`);
}

function invite() {
  const id = `c${++count}`;
  const uri = `sip:201@127.0.0.1:${phone.port}`;
  const call = { id, uri, from: `"Peer" <sip:peer@127.0.0.1>;tag=${id}`, to: `<${uri}>`, cseq: 1 };
  calls.set(id, call);
  request(call, 'INVITE', 1, description());
  return call;
}
const description = () => `v=0\r\no=- ${count} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${rtp.address().port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n`;
const becomes = (call, what) => new Promise((resolve, reject) => {
  call[what] = resolve;
  call.failed = (status) => reject(new Error(`call refused with ${status}`));
});
const bye = (call) => {
  request(call, 'BYE', 2);
  return becomes(call, 'ended');
};

setInterval(() => {
  for (const call of calls.values()) {
    if (!call.rtpPort) continue;
    const packet = Buffer.alloc(172, 0xff);
    packet[0] = 0x80;
    packet[1] = 0;
    packet.writeUInt16BE(sequence & 0xffff, 2);
    packet.writeUInt32BE((sequence * 160) >>> 0, 4);
    packet.writeUInt32BE(0x1234, 8);
    rtp.send(packet, call.rtpPort, '127.0.0.1');
  }
  sequence++;
}, 20);

const does = {
  nothing() { return Promise.resolve(); },
  async ring() { await becomes(invite(), 'ringing'); },
  async answered() { const call = [...calls.values()].at(-1); if (!call.rtpPort) await becomes(call, 'answered'); },
  async call() { await becomes(invite(), 'answered'); },
  async bye() { for (const call of [...calls.values()]) await bye(call); },
  async calls({ number }) {
    for (let i = 0; i < number; i++) {
      const call = invite();
      await becomes(call, 'answered');
      await bye(call);
    }
  },
  async nonsense({ number }) {
    const good = `INVITE sip:201@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${sip.address().port};branch=z9hG4bKn%d\r\nMax-Forwards: 70\r\nFrom: <sip:x@127.0.0.1>;tag=n%d\r\nTo: <sip:201@127.0.0.1>\r\nCall-ID: n%d\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n`;
    for (let i = 0; i < number; i++) {
      const bytes = Buffer.from(good.replaceAll('%d', String(i)), 'latin1');
      for (let k = 0; k < 6; k++) bytes[(i * 7_919 + k * 104_729) % bytes.length] = (i * 31 + k * 17) & 0xff;
      sip.send(bytes.subarray(0, 20 + ((i * 37) % (bytes.length - 20))), phone.port, phone.address);
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
  },
};
process.on('message', (message) => {
  does[message.do](message).then(() => process.send({ did: message.do }), (error) => process.send({ did: message.do, error: String(error) }));
});
process.on('disconnect', () => process.exit(0));

sip.bind(0, '127.0.0.1', () => rtp.bind(0, '127.0.0.1', () => process.send({ did: 'listen', port: sip.address().port })));
