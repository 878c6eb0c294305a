// A phone that is being talked on, while strangers do their worst: floods, broken messages, TCP that never ends, forged sound. The
// call must keep its sound, the next caller must get through, memory must come back, and the log must stay readable.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKamailio, type Kamailio } from './lab/kamailio.ts';
import { sdp, startPeer } from './lab/peer.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, start, until } from './lab/process.ts';

const folder = scratch('abuse');
const STRANGER = '127.0.0.66';
let kamailio: Kamailio;

beforeAll(async () => { kamailio = await startKamailio(folder.path); });
afterAll(async () => {
  await kamailio?.stop();
  folder.remove();
});

describe('in a call', () => {
  let victim: Phone; // answers and sends a tone
  let friend: Phone; // talks with it
  let caller: Phone; // wants to
  let restMb = 0;
  const rssMb = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${victim.program.child.pid}/status`, 'utf8'))?.[1]) / 1_024;
  const soundOf = async (phone: Phone, call: string) => (await phone.must({ do: 'measure', call }))['stats'] as Record<string, number> & { remote: string };
  let ids = { victim: '', friend: '' };

  beforeAll(async () => {
    const account = (user: string) => accountAt(kamailio.server, user, { 'media.codecs': 'PCMA', 'sound.handset.device': 'tone' });
    [victim, friend, caller] = await Promise.all([
      startPhone(folder.path, { name: 'victim', set: { ...account('201'), 'calls.answer': 'auto', 'sip.host': '' }, env: { NODE_OPTIONS: '--max-semi-space-size=4' } }), // as the unit does
      startPhone(folder.path, { name: 'friend', set: account('202') }),
      startPhone(folder.path, { name: 'caller', set: account('203') }),
    ]);
    await Promise.all([victim, friend, caller].map((phone) => phone.waitFor('registered')));
    ids = { friend: String((await friend.must({ do: 'call', target: '201' }))['call']), victim: String((await victim.waitFor('answered'))['call']) };
    await pause(2_000);
    restMb = rssMb();
  });
  afterAll(async () => { await Promise.all([victim, friend, caller].map((phone) => phone?.stop())); });

  /** While `abuse` lasts both sides hear each other, two calls get through, and the log says next to nothing. */
  async function endures(name: string, abuse: () => Promise<unknown>): Promise<void> {
    const before = { friend: await soundOf(friend, ids.friend), victim: await soundOf(victim, ids.victim), lines: victim.program.output().split('\n').length, atMs: Date.now() };
    const abused = abuse();
    const answeredMs: number[] = [];
    for (let i = 0; i < 2; i++) {
      await pause(1_200);
      const askedMs = Date.now();
      await caller.must({ do: 'call', target: '201' });
      answeredMs.push(Date.now() - askedMs);
      await caller.must({ do: 'hangup' });
    }
    const said = await abused;
    await pause(300);
    const ms = Date.now() - before.atMs;
    const missing = async (phone: Phone, call: string, was: Record<string, number>): Promise<number> => {
      const now = await soundOf(phone, call);
      expect(now['receivedPackets']! - was['receivedPackets']!).toBeGreaterThan(ms / 20 * 0.9);
      return (now['concealedMs']! - was['concealedMs']!) / ms * 100;
    };
    const gone = [await missing(friend, ids.friend, before.friend), await missing(victim, ids.victim, before.victim)];
    const lines = victim.program.output().split('\n').length - before.lines;
    console.log(`${name}: ${String(said).trim()}; missing sound ${gone.map((g) => g.toFixed(1)).join(' and ')} %, answered in ${answeredMs.join(' and ')} ms, ${lines} lines in the log, ${rssMb().toFixed(0)} MB`);
    // Two cores carry floods, server and three phones here
    for (const g of gone) expect(g).toBeLessThan(6);
    for (const answered of answeredMs) expect(answered).toBeLessThan(1_000);
    expect(lines).toBeLessThan(16); // the two calls have five each
  }

  const flood = (options: Record<string, unknown>) => async (): Promise<string> => {
    const program = start(process.execPath, [join(import.meta.dirname, 'lab/flood.js'), JSON.stringify({ port: victim.port, from: STRANGER, seconds: 6, ...options })]);
    expect(await program.ended).toBe(0);
    return program.output();
  };

  const floods = [
    ['3,000 INVITEs a second of a scanner', { kind: 'invite', rate: 3_000 }], ['3,000 INVITEs a second from 250 addresses', { kind: 'invite', rate: 3_000, spread: 250, seed: 2 }],
    ['3,000 OPTIONS and REGISTERs a second', { kind: 'options+register', rate: 3_000 }],
    ['3,000 random and mutated datagrams a second', { kind: 'garbage+mutated', rate: 3_000 }], ['datagrams of 64 kB', { kind: 'huge+huge', rate: 100 }],
    ['ends, changes and answers of a call with guessed tags, 3,000 a second', { kind: 'forged', rate: 3_000 }], ['the same from an address of the server', { kind: 'forged', rate: 1_000, from: '127.0.0.1', seed: 3 }],
    ['headers beyond any size', { kind: 'oversized', rate: 500 }],
  ] as const;
  test.each(floods)('%s', async (name, options) => endures(name, flood(options)));

  test('forged RTP with the right payload type is not heard', async () => {
    const { remote } = await soundOf(friend, ids.friend);
    const before = await soundOf(victim, ids.victim);
    await endures('forged RTP', flood({ kind: 'rtp', rate: 500, seconds: 4, port: Number(remote.split(':').at(-1)) }));
    const after = await soundOf(victim, ids.victim);
    expect(after['refusedPackets']! - before['refusedPackets']!).toBeGreaterThan(1_500);
    expect(after.remote).toBe(before.remote);
  });

  test('200 idle TCP connections, slow senders, lengths that lie, and who never reads', async () => {
    await endures('TCP', async () => {
      const sockets: Socket[] = [];
      const open = (): Socket => {
        const socket = connect({ port: victim.port, host: '127.0.0.1', localAddress: STRANGER });
        socket.on('error', () => undefined);
        sockets.push(socket);
        return socket;
      };
      const options = (n: number, length: string): string => [
        `OPTIONS sip:x@127.0.0.1 SIP/2.0`, `Via: SIP/2.0/TCP ${STRANGER};branch=z9hG4bKl${n}`, `From: <sip:x@${STRANGER}>;tag=${n}`, 'To: <sip:x@127.0.0.1>', `Call-ID: l${n}`, `CSeq: 1 OPTIONS`, `Content-Length: ${length}`, '', '',
      ].join('\r\n');
      for (let i = 0; i < 200; i++) open();
      for (const [n, length] of ['-1', '99999999999999999999', '4294967296', '65000', 'x', '1e9', '0x10', ''].entries()) open().write(options(n, length) + 'x'.repeat(70_000));
      const slow = Array.from({ length: 20 }, open);
      const deaf = open().pause();
      for (let i = 0; i < 80; i++) {
        for (const socket of slow) if (!socket.destroyed) socket.write('INVITE sip:x@127.0.0.1 SIP/2.0\r\n'.charAt(i % 31) || 'x');
        for (let n = 0; n < 300 && !deaf.destroyed; n++) deaf.write(options(1_000 + i * 300 + n, '0'));
        await pause(50);
      }
      for (const socket of sockets) socket.destroy();
      return `${sockets.length} connections`;
    });
  });

  test('memory comes back to within 20 MB, and nobody was ever told of more than once a minute', async () => {
    const back = await until(() => rssMb() < restMb + 20, 30_000, 500);
    console.log(`memory: ${restMb.toFixed(0)} MB at rest before, ${rssMb().toFixed(0)} MB after`);
    expect(back).toBe(true);
    expect(victim.lines.filter((l) => l.event === 'refused').length).toBeLessThan(4);
    expect(victim.lines.filter((l) => l.level === 'error' || l.level === 'raw')).toEqual([]);
    await friend.must({ do: 'hangup' });
    await victim.waitFor('ended', 2_000, (l) => l['call'] === ids.victim && l['by'] === 'them');
  });
});

describe('the command line', () => {
  let phone: Phone;
  const bundle = resolve(import.meta.dirname, '../../dist/offhook.js');
  const offhook = (...words: readonly string[]): Promise<{ code: number; out: string; err: string }> => new Promise((done) => {
    execFile(process.execPath, [bundle, '--state', phone.state, ...words], { timeout: 20_000 }, (error, out, err) => done({ code: error === null ? 0 : Number(error.code), out, err }));
  });
  beforeAll(async () => { phone = await startPhone(folder.path, { name: 'asked', set: {} }); });
  afterAll(async () => phone?.stop());

  const wrong: readonly (readonly [code: 1 | 2, ...words: readonly string[]])[] = [
    [2, 'frob'], [2, 'call'], [2, 'call', ''], [1, 'call', 'sip:'], [1, 'call', 'sip:x@'], [1, 'call', '12345'], [1, 'call', 'sip:a@b\r\nVia: x'], [1, 'call', 'sip:a@127.0.0.1:99999'], [2, 'call', '1', '2'],
    [2, 'call', 'sip:a@127.0.0.1:9', '--until', 'noon'], [2, 'call', 'sip:a@127.0.0.1:9', '--header', 'nocolon'], [2, 'call', 'sip:a@127.0.0.1:9', '--header', 'Bad Name: x'],
    [1, 'call', 'sip:a@127.0.0.1:9', '--header', 'Via: x'], [1, 'call', 'sip:a@127.0.0.1:9', '--account', 'none'], [2, 'call', '--until'],
    [1, 'answer'], [1, 'answer', '99'], [1, 'hangup'], [1, 'hangup', '7'], [1, 'hold'], [1, 'hold', 'x'], [2, 'hold', 'a', 'b'], [1, 'resume'], [2, 'transfer'], [1, 'transfer', '201'], [1, 'transfer', '--to', '3'],
    [2, 'dtmf'], [1, 'dtmf', '1'], [2, 'dtmf', '1', '--ms', 'x'], [2, 'mute'], [2, 'mute', 'maybe'], [1, 'mute', 'on'], [1, 'measure'], [1, 'lift'], [2, 'key'], [1, 'key', 'Q'], [2, 'status', 'extra'], [2, 'quit', 'extra'],
    [2, '--frob'], [1, 'settings', '--set', 'x=y'], [1, 'run'], [2, 'run', '--log', 'loud'], [2, 'run', 'extra'],
  ];
  test.each(wrong.map(([code, ...words]) => [code, words.join(' '), words] as const))('exit %i with one sentence: %s', async (code, _, words) => {
    const outcome = await offhook(...words);
    expect(outcome).toMatchObject({ code, out: '' });
    expect(outcome.err).toMatch(/\w{2,} \w{2,}/);
    expect(outcome.err).not.toMatch(/\n\s+at |\bundefined\b|\[object/);
  });

  test('the phone is unmoved by all of it, and a hundred questions at once are answered', async () => {
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => phone.say({ do: 'status' })));
    expect(outcomes.filter((o) => o.ok).length).toBeGreaterThanOrEqual(64);
    expect((await phone.status())['calls']).toEqual([]);
  });
});

describe('SIGTERM ends it within 5 s, tells the other side, and un-registers', () => {
  interface Ending { readonly name: string; readonly before: (phone: Phone) => Promise<(() => Promise<unknown>) | undefined> }
  const endings: readonly Ending[] = [
    { name: 'at rest', before: async () => undefined },
    {
      name: 'while it rings', before: async (phone) => {
        const peer = await startPeer(phone.port);
        peer.dialog().request('INVITE', { body: sdp(40_000) });
        await peer.next(/^SIP\/2.0 180/);
        return async () => { await peer.next(/^SIP\/2.0 480/); peer.close(); };
      },
    },
    {
      name: 'answered and not acknowledged', before: async (phone) => {
        const peer = await startPeer(phone.port);
        const talk = peer.dialog();
        talk.request('INVITE', { body: sdp(40_000) });
        await peer.next(/^SIP\/2.0 180/);
        await phone.must({ do: 'answer' });
        const ok = await peer.next(/^SIP\/2.0 200/);
        talk.learn(ok);
        return async () => {
          talk.ack();
          peer.respond(await peer.next(/^BYE/), '200 OK');
          peer.close();
        };
      },
    },
    {
      name: 'while it calls', before: async (phone) => {
        const peer = await startPeer(phone.port);
        void phone.say({ do: 'call', target: `sip:x@127.0.0.1:${peer.port}` }).catch(() => undefined);
        const invite = await peer.next(/^INVITE/);
        peer.respond(invite, '180 Ringing');
        await phone.waitFor('ringing');
        return async () => {
          const cancel = await peer.next(/^CANCEL/);
          peer.respond(cancel, '200 OK');
          peer.respond(invite, '487 Request Terminated');
          await peer.next(/^ACK/);
          peer.close();
        };
      },
    },
    {
      name: 'while it calls somebody who says nothing', before: async (phone) => {
        const peer = await startPeer(phone.port);
        void phone.say({ do: 'call', target: `sip:x@127.0.0.1:${peer.port}` }).catch(() => undefined);
        await peer.next(/^INVITE/);
        return async () => peer.close();
      },
    },
    {
      name: 'in a held call whose other side is deaf', before: async (phone) => {
        const peer = await startPeer(phone.port);
        void phone.say({ do: 'call', target: `sip:x@127.0.0.1:${peer.port}` });
        peer.respond(await peer.next(/^INVITE/), '200 OK', { body: sdp(40_000) });
        await peer.next(/^ACK/);
        void phone.say({ do: 'hold' }).catch(() => undefined);
        await peer.next(/^INVITE/);
        return async () => { await peer.next(/^BYE/); peer.close(); };
      },
    },
  ];
  test.concurrent.each(endings.map((ending, i) => ({ ...ending, user: String(210 + i) })))('$name', async ({ name, before, user }) => {
    const phone = await startPhone(folder.path, { name: `end-${user}`, set: accountAt(kamailio.server, user, { 'sip.allowAddresses': '127.0.0.1' }) });
    await phone.waitFor('registered');
    const then = await before(phone);
    const askedMs = Date.now();
    phone.program.child.kill('SIGTERM');
    await then?.();
    expect(await phone.program.ended).toBe(0);
    const ms = Date.now() - askedMs;
    console.log(`${name}: ended after ${ms} ms`);
    expect(ms).toBeLessThan(5_000);
    expect(phone.seen('phone ended')).toBeDefined();
    expect(phone.seen('unregistered')).toBeDefined();
    expect(await kamailio.bindings(user)).toBe(0);
  });
});
