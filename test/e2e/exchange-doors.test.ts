// An exchange that takes TLS and WebSocket besides UDP: a baresip over TLS and phones of ours over each call one another; wrong certificates,
// old versions of TLS, and calls to sips: addresses.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askControl } from '../../src/system/control.ts';
import { makeAuthority } from '../fakes/certificates.ts';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { openBrowser } from './lab/browser.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { freePort, pause, scratch, start, startedHere, until, type Program } from './lab/process.ts';

const folder = scratch('doors');
const { up, stop } = startedHere();
afterAll(async () => {
  await stop();
  folder.remove();
});

const pem = (name: string, text: string): string => {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
};
const authority = makeAuthority('House authority'), stranger = makeAuthority('Another authority');
const own = authority.issue('house', ['ip:127.0.0.1']), ca = pem('ca.pem', authority.cert), cert = pem('house.pem', own.cert + own.key);
const USERS = ['201', '202', '203', '204', '205', '206'];
const bundle = resolve(import.meta.dirname, '../../dist/offhook.js');

/** `offhook exchange` with these settings too. */
function launch(name: string, more: Readonly<Record<string, string | number>>): Program {
  const settings = { 'exchange.host': '127.0.0.1', ...Object.fromEntries(USERS.flatMap((user, i) => [[`exchange.users.${i}.user`, user], [`exchange.users.${i}.password`, `secret-${user}`]])), ...more };
  return start(process.execPath, [bundle, 'exchange', '--state', join(folder.path, name), '--log', 'json', ...Object.entries(settings).flatMap(([k, v]) => ['--set', `${k}=${v}`])]);
}

const ports = { udp: 0, tls: 0, ws: 0, wss: 0 };
let exchange: Program, bare: Baresip, tls: Phone, udp: Phone, web: Phone;
const phoneOver = (transport: keyof typeof ports | 'tcp', user: string, more: Readonly<Record<string, string | number | boolean>> = {}, host = '127.0.0.1') => up(startPhone(folder.path, {
  name: `${user}-${transport}-${Math.random().toString(36).slice(2, 7)}`, set: accountAt(`${host}:${ports[transport === 'tcp' ? 'udp' : transport]}`, user, { 'accounts.0.transport': transport, 'sip.tlsCa': ca, 'media.codecs': 'PCMA', ...more }),
}));

async function openHouse(): Promise<Program> {
  const program = launch('exchange', { 'exchange.port': ports.udp, 'exchange.tlsPort': ports.tls, 'exchange.wsPort': ports.ws, 'exchange.wssPort': ports.wss, 'exchange.tlsCert': cert, 'exchange.users.3.digest': 'MD5' });
  await up(Promise.resolve(program));
  await program.waitFor(/"exchange started"/, 10_000);
  return program;
}

beforeAll(async () => {
  for (const key of Object.keys(ports) as (keyof typeof ports)[]) ports[key] = await freePort();
  exchange = await openHouse();
  [tls, udp, web, bare] = await Promise.all([
    phoneOver('tls', '201'), phoneOver('udp', '202'), phoneOver('wss', '203'),
    up(startBaresip(folder.path, { user: '204', password: 'secret-204', server: `127.0.0.1:${ports.tls}`, transport: 'tls', codec: 'PCMA/8000' })),
  ]);
  await Promise.all([tls, udp, web].map((phone) => phone.waitFor('registered')));
});

interface Status { readonly exchange: { readonly doors: readonly unknown[]; readonly users: readonly { readonly user: string; readonly phones: readonly { readonly transport: string; readonly userAgent: string }[] }[] } }

const status = async (): Promise<Status['exchange']> => ((await askControl(join(folder.path, 'exchange', 'control.sock'), { do: 'status' }))['status'] as Status).exchange;
/** Of each user in turn: 'tls Offhook'. */
const registered = async (): Promise<string[]> => (await status()).users.map((u) => u.phones.map((p) => `${p.transport} ${p.userAgent.split('/')[0]!.split(' ')[0]}`).join());

test('each is registered over its transport', async () => {
  const { doors } = await status();
  expect(await registered()).toEqual(['tls Offhook', 'udp Offhook', 'wss Offhook', 'tls baresip', '', '']);
  expect(doors).toEqual([{ transport: 'tls', port: ports.tls }, { transport: 'ws', port: ports.ws }, { transport: 'wss', port: ports.wss }]);
});

/** One phone calls another, which answers and hangs up: its BYE finds back. */
async function talk(from: Phone, to: Phone, target: string): Promise<void> {
  from.forget();
  to.forget();
  const calling = from.must({ do: 'call', target, until: 'answered' });
  const incoming = await to.waitFor('incoming');
  await to.must({ do: 'answer', call: incoming['call'] });
  await calling;
  await pause(200); // the ACK
  await to.must({ do: 'hangup', call: incoming['call'] });
  await from.waitFor('ended');
  await to.waitFor('ended');
}

describe('calls', () => {
  test('between our phones over TLS, UDP and WebSocket, each way', async () => {
    for (const [from, to, number] of [[tls, udp, '202'], [udp, tls, '201'], [tls, web, '203'], [web, tls, '201'], [web, udp, '202'], [udp, web, '203']] as const) await talk(from, to, number);
  });

  test.each([['TLS', () => tls, '201'], ['UDP', () => udp, '202']] as const)('between a baresip over TLS and our phone over %s, each way', async (_, phoneOf, user) => {
    const phone = phoneOf();
    phone.forget();
    bare.forget();
    await bare.command('dial', user);
    const incoming = await phone.waitFor('incoming');
    await phone.must({ do: 'answer', call: incoming['call'] });
    await bare.waitFor('CALL_ESTABLISHED');
    await pause(200);
    await phone.must({ do: 'hangup', call: incoming['call'] });
    await bare.waitFor('CALL_CLOSED');

    bare.forget();
    phone.forget();
    const calling = phone.must({ do: 'call', target: '204', until: 'answered' });
    await bare.waitFor('CALL_INCOMING');
    await bare.command('accept');
    await calling;
    await pause(200);
    await bare.command('hangup');
    await phone.waitFor('ended');
  });

  test('a phone over WebSocket in clear is called too', async () => {
    const plain = await phoneOver('ws', '205');
    await plain.waitFor('registered');
    await talk(udp, plain, '205');
    await plain.stop();
  });

  test('a page in a browser registers over WebSocket, and a call to it comes there (RFC 7118)', async () => {
    const visitor = await openBrowser();
    try {
      const { page } = visitor;
      await page.evaluate(`globalThis.heard = []; globalThis.socket = new WebSocket('ws://127.0.0.1:${ports.ws}/anything', 'sip');
        socket.onmessage = ({ data }) => heard.push(data); new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; })`);
      const say = async (lines: readonly string[], until_: RegExp): Promise<string> => {
        await page.evaluate((message) => { (globalThis as unknown as { socket: { send(m: string): void } }).socket.send(message); }, [...lines, 'Content-Length: 0', '', ''].join('\r\n'));
        return hear(until_);
      };
      const hear = async (wanted: RegExp): Promise<string> => {
        let found: string | undefined;
        await until(async () => (found = (await page.evaluate('heard') as string[]).find((m) => wanted.test(m))) !== undefined, 5_000);
        return found ?? `nothing like ${wanted}`;
      };
      const uri = `sip:127.0.0.1:${ports.ws}`, register = (seq: number, more: readonly string[]): string[] => [
        `REGISTER ${uri} SIP/2.0`, `Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKb${seq}`, 'Max-Forwards: 70', `From: <sip:206@127.0.0.1:${ports.ws}>;tag=b`, `To: <sip:206@127.0.0.1:${ports.ws}>`, 'Call-ID: browser', `CSeq: ${seq} REGISTER`,
        'Contact: <sip:q7x@df7jal23ls0d.invalid;transport=ws>', ...more,
      ];
      const asked = await say(register(1, []), /^SIP\/2\.0 401/), nonce = /algorithm=MD5.*nonce="([^"]*)"|nonce="([^"]*)".*algorithm=MD5/.exec(asked), md5 = (text: string): string => createHash('md5').update(text).digest('hex');
      const said = nonce?.[1] ?? nonce?.[2] ?? '', response = md5(`${md5('206:offhook:secret-206')}:${said}:00000001:c:auth:${md5(`REGISTER:${uri}`)}`);
      expect(await say(register(2, [`Authorization: Digest username="206", realm="offhook", nonce="${said}", uri="${uri}", response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"`]), /^SIP\/2\.0 200.*CSeq: 2 REGISTER/s)).toMatch(/^Contact: <sip:q7x@df7jal23ls0d\.invalid;transport=ws>/m);
      expect((await registered())[5]).toMatch(/^ws/);

      const calling = udp.say({ do: 'call', target: '206', until: 'answered' }), invite = await hear(/^INVITE sip:q7x@df7jal23ls0d\.invalid;transport=ws SIP/);
      expect(invite).toMatch(/^Via: SIP\/2\.0\/WS 127\.0\.0\.1:/m);
      const copied = invite.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/i.test(line)).map((line) => (/^To:/i.test(line) ? `${line};tag=b` : line));
      await say(['SIP/2.0 486 Busy Here', ...copied], /^ACK /);
      expect(await calling).toMatchObject({ ok: false, status: 486 });
    } finally {
      await visitor.close();
    }
  });

  test('once the exchange is there anew phones over TLS and WebSocket have come again within 10 s, and are called', async () => {
    await exchange.stop();
    exchange = await openHouse();
    expect(await until(async () => (await registered()).join().includes('tls Offhook,udp Offhook,wss Offhook'), 10_000)).toBe(true);
    for (const [from, to, number] of [[udp, tls, '201'], [tls, web, '203']] as const) await talk(from, to, number);
  });
});

describe('sips:', () => {
  test('a call to a phone over TLS goes encrypted all the way', async () => {
    await talk(tls, web, `sips:203@127.0.0.1:${ports.tls}`);
    await talk(web, tls, `sips:201@127.0.0.1:${ports.wss};transport=ws`);
  });

  test('one to a phone over UDP is refused', async () => {
    udp.forget();
    expect(await tls.say({ do: 'call', target: `sips:202@127.0.0.1:${ports.tls}`, until: 'answered' })).toMatchObject({ ok: false, status: 480 });
    expect(udp.seen('incoming')).toBeUndefined();
  });
});

describe('certificates', () => {
  test('a phone that reaches it by another name than the certificate bears is told', async () => {
    const phone = await phoneOver('tls', '206', {}, 'localhost');
    expect(await phone.waitFor('registration failed')).toMatchObject({ why: 'not trusted', detail: expect.stringContaining('its certificate is for 127.0.0.1, not for localhost') as string });
    await phone.stop();
  });

  test.each([['-tls1', false], ['-tls1_1', false], ['-tls1_2', true], ['-tls1_3', true]] as const)('openssl s_client %s is taken: %s', async (version, taken) => {
    const client = start('openssl', ['s_client', '-connect', `127.0.0.1:${ports.tls}`, '-CAfile', ca, '-verify_return_error', '-cipher', 'DEFAULT@SECLEVEL=0', version]);
    expect(await until(() => /^SSL handshake has read|handshake failure|alert protocol version|no protocols available/m.test(client.output()), 5_000), client.output()).toBe(true);
    expect(/Verify return code: 0 \(ok\)/.test(client.output()) && /Cipher is (TLS|ECDHE)/.test(client.output())).toBe(taken);
    await client.stop();
  });

  test('a renewed one is shown at once; one that is gone is said, by the setting', async () => {
    const foreign = stranger.issue('house', ['ip:127.0.0.1']);
    writeFileSync(cert, foreign.cert + foreign.key);
    const phone = await phoneOver('tls', '206');
    expect(await phone.waitFor('registration failed')).toMatchObject({ why: 'not trusted', detail: expect.stringContaining('CN=Another authority') as string });
    await phone.stop();
    writeFileSync(cert, foreign.cert);
    const again = await phoneOver('tls', '206');
    await again.waitFor('registration failed');
    expect(exchange.output()).toMatch(/"TLS cannot be used: there is no private key in the file [^"]*house\.pem \(setting exchange\.tlsCert\)/);
    await again.stop();
  });
});

describe('what keeps it from starting is said by its setting', () => {
  test('a port that is taken', async () => {
    const free = await freePort(), second = launch('taken', { 'exchange.port': free, 'exchange.wssPort': ports.tls, 'exchange.tlsCert': cert });
    expect(await until(() => /WSS port \d+ is in use by another program on this machine: [^"]*--set exchange\.wssPort=/.test(second.output()), 10_000), second.output()).toBe(true);
    await second.stop();
  });

  test('TLS without a certificate', async () => {
    const free = await freePort(), second = launch('bare', { 'exchange.port': free, 'exchange.tlsPort': await freePort() });
    expect(await until(() => /exchange\.tlsCert/.test(second.output()), 10_000), second.output()).toBe(true);
    await second.stop();
  });
});
