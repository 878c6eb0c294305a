// Finding the server by a real name server: SRV with dead and busy targets before the live one, NAPTR that leads to TCP, the name server gone;
// and calls over IPv6.

import { createSocket, type Socket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDnsmasq, type NameServer } from './lab/dnsmasq.ts';
import { startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { freePort, pause, runners, scratch, until } from './lab/process.ts';
import { runSipp } from './lab/sipp.ts';

const folder = scratch('locate');
const { up, stop } = runners();

/** A UDP port that hears requests and answers each with `status`, or with nothing; `sinceMs` is when it heard the first of them. */
async function mute(status?: string): Promise<{ readonly port: number; readonly heard: string[]; sinceMs: number; stop(): Promise<void> }> {
  const socket: Socket = createSocket('udp4'), heard: string[] = [];
  const port = await freePort();
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  socket.on('message', (bytes, from) => {
    const [start = '', ...lines] = bytes.toString().split('\r\n');
    if (heard.push(start.split(' ')[0]!) === 1) made.sinceMs = Date.now();
    if (status === undefined || start.startsWith('ACK')) return;
    const copied = lines.filter((l) => /^(Via|From|To|Call-ID|CSeq):/i.test(l)).map((l) => (/^To:/i.test(l) ? `${l};tag=busy` : l));
    socket.send([`SIP/2.0 ${status}`, ...copied, 'Content-Length: 0', '', ''].join('\r\n'), from.port, from.address);
  });
  const made = { port, heard, sinceMs: 0, stop: () => new Promise<void>((resolve) => { socket.close(() => resolve()); }) };
  return made;
}

let kamailio: Kamailio, names: NameServer, dead: Awaited<ReturnType<typeof mute>>, busy: Awaited<ReturnType<typeof mute>>, callee: Phone;

beforeAll(async () => {
  kamailio = await up(startKamailio(folder.path, { doors: {} }));
  [dead, busy] = await Promise.all([up(mute()), up(mute('503 Service Unavailable'))]);
  names = await up(startDnsmasq([
    'host-record=dead.test,127.0.0.1', 'host-record=busy.test,127.0.0.1', 'host-record=live.test,127.0.0.1',
    `srv-host=_sip._udp.pbx.test,dead.test,${dead.port},10,100`, `srv-host=_sip._udp.pbx.test,busy.test,${busy.port},20,100`, `srv-host=_sip._udp.pbx.test,live.test,${kamailio.port},30,100`,
    'naptr-record=tcp.test,20,10,s,SIP+D2U,,_sip._udp.tcp.test', 'naptr-record=tcp.test,10,10,s,SIP+D2T,,_sip._tcp.tcp.test',
    `srv-host=_sip._tcp.tcp.test,live.test,${kamailio.port},10,100`, `srv-host=_sip._udp.tcp.test,dead.test,${dead.port},10,100`,
  ]));
  callee = await up(startPhone(folder.path, { name: 'callee', set: accountAt(kamailio.server, '201', { 'calls.answer': 'auto' }) }));
  await callee.waitFor('registered');
});
afterAll(async () => {
  await stop();
  folder.remove();
});

const at = (server: string, user: string, more: Readonly<Record<string, string | number | boolean>> = {}) =>
  startPhone(folder.path, { name: `${server}-${user}`, set: { ...accountAt(server, user), 'sip.nameServers': names.address, ...more } });

/** From the command to the answer, in ms. */
async function call(phone: Phone, target: string, withinMs: number): Promise<number> {
  phone.forget();
  const begun = Date.now();
  await phone.must({ do: 'call', target });
  await phone.waitFor('answered', withinMs);
  const ms = Date.now() - begun;
  await phone.must({ do: 'hangup' });
  await phone.waitFor('ended', 5_000);
  return ms;
}

describe('SRV with three targets: one silent, one that answers 503, one that works (RFC 3263 §4.3)', () => {
  test('the phone registers within 5 s, and its calls go where it registered', async () => {
    const phone = await up(at('pbx.test', '202'));
    await phone.waitFor('registered', 10_000);
    const ms = Date.now() - dead.sinceMs;
    expect(dead.heard).toContain('REGISTER');
    expect(busy.heard).toContain('REGISTER');
    expect(await kamailio.bindings('202')).toBe(1);
    const called = await call(phone, '201', 5_000);
    console.log(`registered ${ms} ms after its first REGISTER, called in ${called} ms`);
    expect(ms).toBeLessThan(5_000);
    expect(called).toBeLessThan(2_000);
    expect(dead.heard).not.toContain('INVITE');
  });

  test('without a registration the first call finds its way within 5 s, the second at once', async () => {
    const phone = await up(at('pbx.test', '203', { 'accounts.0.register': false }));
    const first = await call(phone, '201', 5_000);
    expect(dead.heard).toContain('INVITE');
    expect(busy.heard).toContain('INVITE');
    const second = await call(phone, '201', 5_000);
    console.log(`first call ${first} ms, second ${second} ms`);
    expect(first).toBeLessThan(5_000);
    expect(second).toBeLessThan(2_000);
  });

  test('the name server gone and its answers outlived: calls go on', async () => {
    const phone = await up(at('pbx.test', '204', { 'accounts.0.register': false }));
    await call(phone, '201', 6_000);
    await names.stop();
    await pause(6_000);
    expect(await call(phone, '201', 8_000)).toBeLessThan(8_000);
    names = await up(startDnsmasq([
      'host-record=live.test,127.0.0.1', 'naptr-record=tcp.test,20,10,s,SIP+D2U,,_sip._udp.tcp.test', 'naptr-record=tcp.test,10,10,s,SIP+D2T,,_sip._tcp.tcp.test',
      `srv-host=_sip._tcp.tcp.test,live.test,${kamailio.port},10,100`,
    ]));
  });
});

test('a target whose port is closed is passed over in less than 2 s', async () => {
  const closed = await freePort();
  const other = await up(startDnsmasq(['host-record=live.test,127.0.0.1', `srv-host=_sip._udp.closed.test,live.test,${closed},10,100`, `srv-host=_sip._udp.closed.test,live.test,${kamailio.port},20,100`]));
  const phone = await up(at('closed.test', '208', { 'accounts.0.register': false, 'sip.nameServers': other.address }));
  const ms = await call(phone, '201', 5_000);
  console.log(`called in ${ms} ms past a closed port`);
  expect(ms).toBeLessThan(2_000);
});

test('NAPTR leads to TCP (RFC 3263 §4.1)', async () => {
  const phone = await up(at('tcp.test', '205', { 'sip.trace': true, 'log.level': 'debug' }));
  await phone.waitFor('registered', 6_000);
  const carried = phone.lines.filter((line) => line.event === 'message').map((line) => line['transport']);
  expect(new Set(carried)).toEqual(new Set(['tcp']));
  await call(phone, '201', 5_000);
});

describe('NAPTR of a domain with WebSocket (RFC 7118 §5.3)', () => {
  let web: NameServer;
  beforeAll(async () => {
    web = await up(startDnsmasq([
      'host-record=live.test,127.0.0.1', 'naptr-record=web.test,10,10,s,SIP+D2W,,_sip._tcp.web.test', 'naptr-record=web.test,20,10,s,SIP+D2U,,_sip._udp.web.test',
      `srv-host=_sip._tcp.web.test,live.test,${kamailio.port},10,100`, `srv-host=_sip._udp.web.test,live.test,${dead.port},10,100`,
    ]));
  });

  test.each(['auto', 'ws'])('leads the transport %s to it', async (transport) => {
    const phone = await up(at('web.test', transport === 'ws' ? '209' : '210', { 'accounts.0.transport': transport, 'sip.nameServers': web.address, 'sip.trace': true, 'log.level': 'debug' }));
    await phone.waitFor('registered', 6_000);
    const carried = phone.lines.filter((line) => line.event === 'message').map((line) => line['transport']);
    expect(new Set(carried)).toEqual(new Set(['ws']));
    await call(phone, '201', 5_000);
  });
});

describe('a request too large for UDP (RFC 3261 §18.1.1)', () => {
  // A long target stands twice in the INVITE
  const long = '2'.repeat(250);
  const carried = (phone: Phone, method: string) => {
    phone.seen('message'); // reads on
    return phone.lines.filter((line) => line.event === 'message' && line['direction'] === 'out' && String(line['message']).startsWith(`${method} `)).map((line) => line['transport']);
  };

  test('goes over TCP to a server that has it', async () => {
    const phone = await up(startPhone(folder.path, { name: 'large', set: { ...accountAt(kamailio.server, '206'), 'sip.trace': true, 'log.level': 'debug' } }));
    await phone.waitFor('registered');
    expect(await phone.say({ do: 'call', target: long }), 'Kamailio read it and knows nobody of that name').toMatchObject({ ok: false, status: 404 });
    expect(new Set(carried(phone, 'INVITE'))).toEqual(new Set(['tcp']));
    expect(new Set(carried(phone, 'REGISTER'))).toEqual(new Set(['udp']));
  });

  test('goes over UDP at once where TCP is refused', async () => {
    const phone = await up(startPhone(folder.path, { name: 'large-udp', set: { ...accountAt(`127.0.0.1:${busy.port}`, '207', { 'accounts.0.register': false }), 'sip.trace': true, 'log.level': 'debug' } }));
    const before = busy.heard.filter((m) => m === 'INVITE').length, begun = Date.now();
    expect(await phone.say({ do: 'call', target: long })).toMatchObject({ ok: false, status: 503 });
    expect(Date.now() - begun).toBeLessThan(1_000);
    expect(carried(phone, 'INVITE')).toEqual(['tcp', 'udp']);
    expect(busy.heard.filter((m) => m === 'INVITE').length - before).toBe(1);
  });
});

describe('IPv6', () => {
  test('a phone that listens everywhere and one on ::1 call each other, RTP passes both ways', async () => {
    const six = await up(startPhone(folder.path, { name: 'six', set: { 'sip.host': '::1', 'sip.allowAddresses': '::1', 'calls.answer': 'auto', 'sound.handset.device': 'tone:440' } }));
    const both = await up(startPhone(folder.path, { name: 'both', set: { 'sip.host': '', 'sip.allowAddresses': '::1', 'sound.handset.device': 'tone:440' } }));
    await both.must({ do: 'call', target: `sip:phone@[::1]:${six.port}` });
    await both.waitFor('answered', 5_000);
    // Keys travel as RTP events, so RTP passes both ways
    for (const [from, to] of [[both, six], [six, both]] as const) {
      await from.must({ do: 'dtmf', digits: '159#' });
      expect(await until(() => {
        to.seen('digit'); // reads on
        return to.lines.filter((l) => l.event === 'digit').map((l) => String(l['digit'])).join('') === '159#';
      }, 5_000)).toBe(true);
    }
    await both.must({ do: 'hangup' });
    await six.waitFor('ended', 5_000);
  });

  test('a phone that listens everywhere takes calls of the built-in uac over IPv6 and IPv4 alike', async () => {
    const phone = await up(startPhone(folder.path, { name: 'dual', set: { 'sip.host': '', 'sip.allowAddresses': '::1,127.0.0.1', 'calls.answer': 'auto', 'sound.handset.device': 'echo' } }));
    for (const [target, own] of [[`[::1]:${phone.port}`, '[::1]'], [`127.0.0.1:${phone.port}`, '127.0.0.1']] as const) {
      const result = await runSipp(folder.path, target, 'uac', ['-i', own, '-m', '20', '-l', '1', '-r', '20', '-d', '0'], 30);
      expect(result, target).toMatchObject({ code: 0, successful: 20, failed: 0 });
    }
  });
});
