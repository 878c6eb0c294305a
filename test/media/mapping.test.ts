import { describe, expect, test } from 'vitest';
import type { Media, MediaCommand, MediaEvent } from '../../src/media/door.ts';
import { createEngine } from '../../src/media/engine.ts';
import { createCodec } from '../../src/media/codec.ts';
import { hostIn, isNear, serverOf, throughNat } from '../../src/media/mapping.ts';
import type { DatagramSocket, Endpoint, Network } from '../../src/ports/net.ts';
import { buildBinding, isStun, mappedIn } from '../../src/sip/stun.ts';
import { FakeAudio } from '../fakes/audio.ts';
import { FakeClock, settle } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { Wire } from '../fakes/network.ts';
import { FakeRandom } from '../fakes/random.ts';
import { mediaSettings, session } from './bench.ts';

const INSIDE = '192.168.1.20', SERVER: Endpoint = { host: '203.0.113.5', port: 3478 }, PUBLIC = '198.51.100.7', FAR = 'sip:bob@198.51.100.90:5060';

/** The answer of a STUN server (RFC 8489 §14.2). */
function answer(request: Buffer, at: Endpoint): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt16BE(0x0101, 0);
  bytes.writeUInt16BE(12, 2);
  request.copy(bytes, 4, 4, 20);
  bytes.writeUInt32BE(0x0020_0008, 20);
  bytes[25] = 1;
  bytes.writeUInt16BE(at.port ^ 0x2112, 26);
  at.host.split('.').forEach((part, i) => { bytes[28 + i] = Number(part) ^ bytes[4 + i]!; });
  return bytes;
}

interface Options {
  readonly server?: string;
  readonly resolve?: (name: string) => Promise<string | undefined>;
  /** What the server makes of the port; undefined: no answer. */
  readonly maps?: (port: number) => Endpoint | undefined;
  readonly host?: string;
}

async function rig({ server = SERVER.host, resolve = async () => undefined, maps = (port) => ({ host: PUBLIC, port: port + 40_000 - 16_384 }), host = INSIDE }: Options = {}) {
  const clock = new FakeClock(), wire = new Wire(clock, 3), log = new FakeLog(), events: MediaEvent[] = [], asked: { atMs: number; from: Endpoint; bytes: Buffer }[] = [];
  const box = { maps };
  const stun: DatagramSocket = await wire.host(SERVER.host).udp(SERVER, {
    onDatagram(bytes, from) {
      asked.push({ atMs: clock.now(), from, bytes });
      const at = box.maps(from.port);
      if (at !== undefined) stun.send(answer(bytes, at), from);
    },
    onError: () => undefined,
  });
  const make = (udp: Network): Media => createEngine({ clock, random: new FakeRandom(5), udp, audio: new FakeAudio(clock), codec: createCodec }, mediaSettings());
  const media = throughNat({ clock, random: new FakeRandom(9), log, udp: wire.host(host), stun: { binding: buildBinding, isStun, mappedIn }, resolve }, server, make);
  media.subscribe((event) => events.push(event));
  let stream = 0;
  const open = async (more: Partial<Extract<MediaCommand, { do: 'open' }>> = {}, ms = 1_000) => {
    media.command({ do: 'open', stream: ++stream, host, cname: 'x', far: FAR, ...more });
    await clock.run(ms, 1);
    return events.find((e) => e.event === 'opened' && e.stream === stream) as Extract<MediaEvent, { event: 'opened' }> | undefined;
  };
  return { clock, wire, log, events, asked, media, open, box, stun, get stream() { return stream; } };
}

describe('a stream', () => {
  test('opens with the address and ports that a STUN server sees, each of its sockets asked for itself', async () => {
    const r = await rig();
    const opened = await r.open({}, 20);
    expect(r.asked.map(({ from }) => from.port)).toEqual([r.asked[0]!.from.port, r.asked[0]!.from.port + 1]);
    const port = r.asked[0]!.from.port + 40_000 - 16_384;
    expect(opened).toEqual({ event: 'opened', stream: 1, host: PUBLIC, port, rtcpPort: port + 1 });
    expect(r.asked[0]!.bytes.toString('hex', 0, 8)).toBe('000100002112a442'); // RFC 8489 §5
    expect(r.asked[0]!.bytes.subarray(8)).not.toEqual(r.asked[1]!.bytes.subarray(8));
    await r.clock.run(2_000);
    expect(r.asked).toHaveLength(2);
    expect(r.log.lines.filter(({ level }) => level !== 'debug')).toEqual([]);
  });

  test('names the port of RTCP as the NAT has it, not the next one (RFC 3605)', async () => {
    const r = await rig({ maps: (port) => ({ host: PUBLIC, port: port % 2 === 0 ? 50_123 : 50_777 }) });
    expect(await r.open()).toMatchObject({ host: PUBLIC, port: 50_123, rtcpPort: 50_777 });
  });

  test('whose server is silent is asked for again after 100 and 300 ms, and opens after 500 with its own address; the log says so', async () => {
    const r = await rig({ maps: () => undefined });
    expect(await r.open({}, 499)).toBeUndefined();
    await r.clock.run(2, 1);
    expect(r.events.find((e) => e.event === 'opened')).toEqual({ event: 'opened', stream: 1, port: r.asked[0]!.from.port, rtcpPort: r.asked[0]!.from.port + 1 });
    const first = r.asked.filter(({ from }) => from.port === r.asked[0]!.from.port);
    expect(first.map(({ atMs }) => Math.round(atMs - first[0]!.atMs))).toEqual([0, 100, 300]);
    expect(new Set(first.map(({ bytes }) => bytes.toString('hex'))).size).toBe(1);
    expect(r.log.lines).toMatchObject([{ level: 'warn', fields: { server: SERVER.host }, fact: 'STUN server silent: the call tells the address inside the NAT' }]);
  });

  test('does not wait again for a server that was silent a moment ago, until it answers', async () => {
    const r = await rig({ maps: () => undefined });
    await r.open();
    expect(await r.open({}, 20)).not.toHaveProperty('host');
    r.box.maps = (port) => ({ host: PUBLIC, port });
    await r.open({}, 20); // too late for this one, but heard
    expect(await r.open({}, 20)).toMatchObject({ host: PUBLIC });
    r.box.maps = () => undefined;
    await r.open();
    await r.clock.run(60_000, 100);
    r.box.maps = (port) => ({ host: PUBLIC, port });
    expect(await r.open({}, 20)).toMatchObject({ host: PUBLIC });
    expect(r.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
  });

  test('outlives a lost question', async () => {
    const r = await rig();
    let lost = 2;
    const { maps } = r.box;
    r.box.maps = (port) => (--lost >= 0 ? undefined : maps(port));
    expect(await r.open({}, 120)).toMatchObject({ host: PUBLIC });
  });

  test.each(['sip:bob@192.168.1.44', 'sip:bob@10.0.0.3:5070;transport=tcp', '172.20.1.1:5060', '127.0.0.1', '[2001:db8::1]:5060', '169.254.3.3'])('for %s, on this side of the NAT, asks nobody', async (far) => {
    const r = await rig();
    expect(await r.open({ far }, 20)).not.toHaveProperty('host');
    expect(r.asked).toEqual([]);
    expect(r.log.lines).toEqual([]);
  });

  test('for a server whose name leads into the own network asks nobody', async () => {
    const r = await rig({ resolve: async (name) => (name === 'pbx.home' ? '192.168.1.2' : undefined) });
    expect(await r.open({ far: 'pbx.home:5070' }, 20)).not.toHaveProperty('host');
    expect(r.asked).toEqual([]);
  });

  test('to loopback, of IPv6, and of a multicast group is left alone', async () => {
    for (const host of ['127.0.0.1', '2001:db8::20']) {
      const r = await rig({ host });
      expect(await r.open({}, 20)).not.toHaveProperty('host');
      expect(r.asked).toEqual([]);
    }
    const r = await rig();
    r.media.command({ do: 'open', stream: 9, host: '239.1.1.1', group: { host: '239.1.1.1', port: 5_004 }, cname: '' });
    await settle();
    expect(r.events).toMatchObject([{ event: 'opened', stream: 9, port: 5_004 }]);
    expect(r.asked).toEqual([]);
  });

  test('finds its server by name and port', async () => {
    const names: string[] = [];
    const r = await rig({ server: 'stun.example.org:3478', resolve: async (name) => {
      names.push(name);
      return name === 'stun.example.org' ? SERVER.host : undefined;
    } });
    expect(await r.open({ far: 'sip.example.org' })).toMatchObject({ host: PUBLIC });
    expect(names).toEqual(['sip.example.org', 'stun.example.org']);
  });

  test('whose server has no name, or a name server that never answers, opens all the same', async () => {
    for (const resolve of [async () => undefined, () => new Promise<undefined>(() => undefined), () => Promise.reject(new Error('nobody answers'))]) {
      const r = await rig({ server: 'stun.example.org', resolve });
      expect(await r.open({ far: '198.51.100.90' }, 510)).not.toHaveProperty('host');
    }
  });

  test('that is closed while its server is asked leaves nothing behind', async () => {
    const r = await rig({ maps: () => undefined });
    r.media.command({ do: 'open', stream: 1, host: INSIDE, cname: 'x', far: FAR });
    await r.clock.run(50, 1);
    r.media.command({ do: 'close', stream: 1 });
    const before = r.asked.length;
    await r.clock.run(1_000);
    expect(r.asked).toHaveLength(before);
  });
});

describe('what comes back', () => {
  test('from others, to other questions, and what is no address counts for nothing', async () => {
    const r = await rig({ maps: () => undefined });
    r.media.command({ do: 'open', stream: 1, host: INSIDE, cname: 'x', far: FAR });
    await r.clock.run(10, 1);
    const { from, bytes } = r.asked[0]!;
    const stranger = await r.wire.host('203.0.113.66').udp({ host: '203.0.113.66', port: 3_478 }, { onDatagram: () => undefined, onError: () => undefined });
    stranger.send(answer(bytes, { host: '203.0.113.66', port: 1 }), from);
    r.stun.send(answer(buildBinding(Buffer.alloc(12, 7)), { host: '203.0.113.66', port: 2 }), from);
    const refused = answer(bytes, { host: '203.0.113.66', port: 3 });
    refused.writeUInt16BE(0x0111, 0);
    r.stun.send(refused, from);
    await r.clock.run(600, 1);
    expect(r.events).toEqual([{ event: 'opened', stream: 1, port: from.port, rtcpPort: from.port + 1 }]);
  });

  test('as STUN never reaches the call, and all else does', async () => {
    const r = await rig();
    const opened = (await r.open())!;
    const far = { host: '198.51.100.90', port: 7_000 }, from = r.asked[0]!.from;
    const peer = await r.wire.host(far.host).udp(far, { onDatagram: () => undefined, onError: () => undefined });
    r.media.command({ do: 'negotiated', stream: 1, session: { ...session({ host: far.host, of: () => [{ event: 'opened', stream: 1, port: far.port, rtcpPort: far.port + 1 }] } as never) } });
    peer.send(buildBinding(Buffer.alloc(12, 1)), from);
    peer.send(Buffer.from('80080001000000000000000155555555', 'hex'), from);
    await r.clock.run(50);
    r.media.command({ do: 'measure', stream: 1, ask: 1 });
    expect(r.events.find((e) => e.event === 'stats')).toMatchObject({ stats: { receivedPackets: 1, refusedPackets: 0 } });
    expect(opened.host).toBe(PUBLIC);
  });
});

describe('while nothing is sent', () => {
  async function held() {
    const r = await rig(), far = { host: '198.51.100.90', port: 7_000 }, heard: { atMs: number; bytes: number }[] = [];
    await r.open();
    await r.wire.host(far.host).udp(far, { onDatagram: (bytes) => heard.push({ atMs: r.clock.now(), bytes: bytes.length }), onError: () => undefined });
    const negotiate = (direction: 'sendrecv' | 'recvonly') => r.media.command({ do: 'negotiated', stream: 1, session: session({ host: far.host, of: () => [{ event: 'opened', stream: 1, port: far.port, rtcpPort: far.port + 1 }] } as never, { direction }) });
    negotiate('sendrecv');
    await r.clock.run(1_000);
    r.asked.length = 0;
    return { ...r, heard, negotiate };
  }
  const ofRtp = (r: { readonly asked: readonly { readonly from: Endpoint }[] }) => r.asked.filter(({ from }) => from.port % 2 === 0);

  test('as on hold, the NAT is kept from forgetting: every 15 s or so the server is asked and the other side gets nothing, in a datagram (RFC 6263 §4)', async () => {
    const r = await held();
    r.negotiate('recvonly');
    await r.clock.run(100);
    r.heard.length = 0;
    await r.clock.run(60_000, 100);
    expect(ofRtp(r).length).toBeGreaterThanOrEqual(2);
    expect(ofRtp(r).length).toBeLessThanOrEqual(4);
    expect(r.heard.map(({ bytes }) => bytes)).toEqual(ofRtp(r).map(() => 0));
  });

  test('but not while sound is', async () => {
    const r = await held();
    await r.clock.run(60_000, 100);
    expect(ofRtp(r)).toEqual([]);
    expect(r.heard.every(({ bytes }) => bytes > 0)).toBe(true);
  });

  test('a NAT that has another address for the call is told of', async () => {
    const r = await held();
    r.negotiate('recvonly');
    r.box.maps = (port) => ({ host: PUBLIC, port: port + 1_000 });
    await r.clock.run(40_000, 100);
    expect(r.log.lines.filter(({ level, fact }) => level === 'warn' && fact.startsWith('the NAT gave a call another address')).length).toBeGreaterThan(0);
  });

  test('and nothing goes on after the call', async () => {
    const r = await held();
    r.media.command({ do: 'close', stream: 1 });
    await r.clock.run(40_000, 100);
    expect(r.asked).toEqual([]);
    r.media.close();
    expect(r.clock.pending).toBe(0);
  });
});

test('servers and far sides are read as settings and calls write them', () => {
  expect([serverOf('stun.example.org'), serverOf('203.0.113.5:19302')]).toEqual([{ host: 'stun.example.org', port: 3_478 }, { host: '203.0.113.5', port: 19_302 }]);
  expect(['sip:bob@pbx.example:5060;transport=tcp', 'sips:pbx.example', 'pbx.example:5070', '192.0.2.1', 'sip:b@[2001:db8::1]:5060', '201'].map(hostIn)).toEqual(['pbx.example', 'pbx.example', 'pbx.example', '192.0.2.1', '[2001:db8::1]', '201']);
  expect(['172.15.0.1', '172.16.0.1', '172.32.0.1', '192.169.0.1', '8.8.8.8', '100.64.0.1'].map(isNear)).toEqual([false, true, false, false, false, false]);
});
