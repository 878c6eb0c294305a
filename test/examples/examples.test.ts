// Runs the examples as they stand, on loopback, with one another and a scripted registrar as peers.

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { createUa } from 'offhook/ua';
import { afterEach, describe, expect, test } from 'vitest';
import { text } from '../../src/sip/message.ts';
import { systemClock } from '../../src/system/clock.ts';
import { systemNetwork } from '../../src/system/network.ts';
import { Registrar } from '../fakes/registrar.ts';
import { answer } from './answer.ts';
import { call } from './call.ts';
import { message } from './message.ts';
import { options } from './options.ts';
import { publish } from './publish.ts';
import { refer } from './refer.ts';
import { register } from './register.ts';
import { subscribe } from './subscribe.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** The registrar of the unit tests, on a port of loopback's. */
async function registrar(): Promise<{ registrar: Registrar; server: string }> {
  const probe = await systemNetwork().udp({ host: '127.0.0.1', port: 0 }, { onDatagram: () => undefined, onError: () => undefined });
  const { port } = probe.local;
  probe.close();
  const made = new Registrar(systemClock() as never, { udp: (local: { port: number }, handler: never) => systemNetwork().udp({ host: '127.0.0.1', port: local.port }, handler), listen: (local: { port: number }, accept: never) => systemNetwork().listen({ host: '127.0.0.1', port: local.port }, accept) } as never, port);
  await made.start();
  closers.push(() => made.stop());
  made.users.set('201', 'secret');
  return { registrar: made, server: `127.0.0.1:${port}` };
}
const answering = async (ringMs: number): Promise<Awaited<ReturnType<typeof answer>>> => {
  const made = await answer(ringMs);
  closers.push(() => made.ua.close());
  return made;
};
const until = async (done: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !done(); i++) await pause(20);
};

describe('the examples of offhook/ua', () => {
  test('register', async () => {
    const { registrar: made, server } = await registrar();
    expect(await register(server, '201', 'secret')).toBe('registered at 127.0.0.1');
    expect(made.bindings.size, 'un-registered').toBe(0);
    expect(await register(server, '201', 'guess')).toMatch(/^201 is not registered at 127\.0\.0\.1:\d+: wrong password/);
  });

  test('call and answer', async () => {
    const { ua, callers } = await answering(50);
    expect(await call(ua.address, 50)).toBe('sent PCMA to 127.0.0.1:40002, hung up');
    expect(callers).toEqual(['Example']);
  });

  test('a call that is refused says why', async () => {
    const nobody = await createUa({ listen: { host: '127.0.0.1', port: 0 } }), busy = await createUa({ listen: { host: '127.0.0.1', port: 0 }, onCall: (incoming) => incoming.reject(486) });
    closers.push(() => nobody.close(), () => busy.close());
    expect(await call(nobody.address, 0)).toBe('Temporarily Unavailable (480)');
    expect(await call(busy.address, 0)).toBe('Busy Here (486)');
    expect(await call('sip:127.0.0.1:9;transport=tcp', 0)).toBe('the connection was refused (503)');
  });

  test('message', async () => {
    expect(await message()).toEqual(['phone: How are you?', '200 OK', '403 Forbidden']);
  });

  test('options', async () => {
    const { ua } = await answering(0);
    expect(await options(ua.address)).toBe('200 OK, takes INVITE ACK CANCEL');
    expect(await options('sip:127.0.0.1:9;transport=tcp')).toBe('nobody there (503)');
  });

  test('subscribe', async () => {
    const watched = await createUa({ listen: { host: '127.0.0.1', port: 0 }, onCall: (incoming) => incoming.progress(180), onWatch: () => 'in' });
    const stranger = await createUa({ listen: { host: '127.0.0.1', port: 0 } });
    closers.push(() => watched.close(), () => stranger.close());
    const lamp: string[] = [], none: string[] = [];
    const stop = await subscribe(watched.address, (lit) => lamp.push(lit)), stopNone = await subscribe(stranger.address, (lit) => none.push(lit));
    await until(() => lamp.length > 0 && none.length > 0);
    const caller = await createUa();
    closers.push(() => caller.close());
    caller.call(watched.address, { offer: Buffer.from('v=0') });
    await until(() => lamp.length > 1);
    await Promise.all([stop(), stopNone()]);
    expect(lamp).toEqual(['free', 'ringing', 'ringing', 'off: 0 unsubscribed']);
    expect(none).toEqual(['off: 403 Forbidden']);
  });

  test('publish', async () => {
    const { registrar: made, server } = await registrar();
    let tags = 0;
    made.override = (m) => m.method === 'PUBLISH' ? { status: 200, headers: [['SIP-ETag', `e${++tags}`], ['Expires', text(m, 'expires')!]] } : undefined;
    expect(await publish(`sip:201@${server}`)).toEqual(['published for 3600 s', 'published for 3600 s', 'ended: 0 removed']);
    expect(made.requests.map(({ message: m }) => `${text(m, 'sip-if-match') ?? '-'} ${text(m, 'expires')} ${/<basic>(\w+)/.exec(m.bytes.toString())?.[1] ?? '-'}`)).toEqual(['- 3600 open', 'e1 3600 closed', 'e2 0 -']);
  });

  test('refer', async () => {
    const { ua } = await answering(50);
    expect(await refer(ua.address)).toEqual(['100 Trying', '180 Ringing', '200 OK']);
  });

  test('each is short enough to be read at a glance', () => {
    const lines = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).map((name) => `${name} ${readFileSync(`${import.meta.dirname}/${name}`, 'utf8').split('\n').length}`);
    expect(lines.filter((line) => Number(line.split(' ')[1]) > 30)).toEqual([]);
  });
});

describe('what the library refuses by itself', () => {
  test('texts, referrals and watchers that nobody asked for', async () => {
    const ua = await createUa({ listen: { host: '127.0.0.1', port: 0 } }), other = await createUa();
    closers.push(() => ua.close(), () => other.close());
    expect((await other.message(ua.address, 'x')).status).toBe(403);
    expect(await other.refer(ua.address, 'sip:carol@127.0.0.1')).toEqual({ status: 403, reason: 'Forbidden' });
    expect((await other.request({ method: 'PUBLISH', target: ua.address, headers: [['Event', 'presence']] })).status).toBe(405);
  });

  test('a text that is none: 415', async () => {
    const ua = await createUa({ listen: { host: '127.0.0.1', port: 0 }, onMessage: () => undefined }), other = await createUa();
    closers.push(() => ua.close(), () => other.close());
    const { status, response } = await other.request({ method: 'MESSAGE', target: ua.address, headers: [['Content-Type', 'text/html']], body: Buffer.from('<b>') });
    expect([status, text(response!, 'accept')]).toEqual([415, 'text/plain']);
  });

  test('a referral to something that is no address, or to another method', async () => {
    const ua = await createUa({ listen: { host: '127.0.0.1', port: 0 }, onRefer: (r) => r.refuse(603) }), other = await createUa();
    closers.push(() => ua.close(), () => other.close());
    expect((await other.refer(ua.address, 'mailto:x')).status).toBe(400);
    expect((await other.refer(ua.address, 'sip:carol@127.0.0.1;method=BYE')).status).toBe(501);
    expect((await other.refer(ua.address, 'sip:carol@127.0.0.1')).status).toBe(603);
  });

  test('a target that is no address', async () => {
    const ua = await createUa();
    closers.push(() => ua.close());
    expect(() => ua.call('no where')).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS' }));
    await expect(ua.message('no where', 'x')).rejects.toMatchObject({ code: 'BAD_ADDRESS' });
    await expect(ua.refer('no where', 'sip:a@b')).rejects.toMatchObject({ code: 'BAD_ADDRESS' });
    await expect(ua.options('no where')).rejects.toMatchObject({ code: 'BAD_ADDRESS' });
  });
});
