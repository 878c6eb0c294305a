import { expect, test } from 'vitest';
import { defaults } from '../../src/config/layers.ts';
import { reportQuality } from '../../src/main/quality-report.ts';
import type { CallQuality, MediaEvent } from '../../src/media/door.ts';
import type { PhoneEvent } from '../../src/phone/status.ts';
import type { AccountOptions } from '../../src/sip/agent-types.ts';
import type { CallUnit } from '../../src/sip/call.ts';
import { bodyOf, parseMessage, requestUri, text, texts, type Message } from '../../src/sip/message.ts';
import { FakeLog } from '../fakes/log.ts';
import { ANSWER, OFFER, Peer, Town } from '../sip/agent-bench.ts';

const quality: CallQuality = {
  heard: { words: 'good', mosLq: 4.3, mosCq: 4.1, r: 82, rLq: 90, lossPercent: 1.2, discardPercent: 0.3 },
  path: { burstPercent: 40, gapPercent: 0.5, burstMs: 120, gapMs: 8_000, jitterMs: 3, roundTripMs: 60, endSystemMs: 55, oneWayMs: 85, playoutDelayMs: 35, jitterNominalMs: 30, jitterMaximumMs: 35, jitterAbsoluteMs: 300 },
  there: { lossPercent: 2, discardPercent: 0, burstPercent: 0, gapPercent: 2, burstMs: 0, gapMs: 900, gmin: 16, roundTripMs: 61, endSystemMs: 70, signalDb: -24, noiseDb: 127, echoDb: 127, r: 80, mosLq: 4.2, mosCq: -1,
    concealment: 3, adaptive: 2, rate: 0, jitterNominalMs: 60, jitterMaximumMs: 60, jitterAbsoluteMs: 60 },
  codec: 'PCMA', payloadType: 8, packetMs: 20, ssrc: 0x1234, remoteSsrc: 0xabcd_0001,
};

/** A phone that calls another, with a collector at 10.0.0.9. */
async function world(collector = 'sip:quality@10.0.0.9', direction: 'out' | 'in' = 'out', account?: AccountOptions) {
  const town = new Town(), near = await town.phone('10.0.0.1'), far = await town.phone('10.0.0.2'), peer = await new Peer(town, '10.0.0.9').open();
  const settings = defaults(), log = new FakeLog();
  const [onMedia, onPhone]: [((event: MediaEvent) => void)[], ((event: PhoneEvent) => void)[]] = [[], []];
  const calls: { id: string; callId: string; remote: string }[] = [];
  reportQuality({
    clock: town.clock, log, media: { subscribe: (on) => { onMedia.push(on); } }, settings: () => ({ ...settings, calls: { ...settings.calls, qualityReport: collector } }),
    phone: { agent: near.agent, status: () => ({ calls }) as never, subscribe: (on) => { onPhone.push(on); return () => undefined; } },
  });
  const media = (event: MediaEvent): void => onMedia.forEach((on) => on(event));
  const phone = (event: Record<string, unknown>): void => onPhone.forEach((on) => on({ at: 0, ...event } as PhoneEvent));
  const [caller, called, to] = direction === 'out' ? [near, far, '10.0.0.2'] : [far, near, '10.0.0.1'];
  media({ event: 'opened', stream: 4, port: 20_000, rtcpPort: 20_001 });
  const call = caller.agent.call({ target: `sip:bob@${to}`, user: 'alice', offer: OFFER, ...(account === undefined ? {} : { account: caller.agent.addAccount(account) }) });
  await town.run(100);
  called.incoming[0]!.call.accept(ANSWER);
  await town.run(100);
  const own = direction === 'out' ? call : called.incoming[0]!.call;
  calls.push({ id: '4', callId: own.callId, remote: 'bob' });
  return { town, near, far, peer, log, call: own, media, phone, calls };
}
async function over(w: Awaited<ReturnType<typeof world>>, told: CallQuality | null = quality) {
  w.phone({ event: 'answered', call: '4' });
  await w.town.run(10_000);
  w.call.hangUp();
  w.phone({ event: 'ended', call: '4' });
  if (told !== null) w.media({ event: 'quality', stream: 4, quality: told, remote: '10.0.0.2:30000', last: true });
  await w.town.run(100);
}
const facts = (log: FakeLog): string[] => log.lines.map((line) => `${line.level} ${line.fact}`);

test('at the end of a call the collector gets a session report by PUBLISH (RFC 6035 §4.6)', async () => {
  const w = await world();
  await over(w);
  const publish = w.peer.last('PUBLISH');
  expect([requestUri(publish), text(publish, 'event'), text(publish, 'content-type'), w.peer.count('PUBLISH')]).toEqual(['sip:quality@10.0.0.9', 'vq-rtcpxr', 'application/vq-rtcpxr', 1]);
  const lines = bodyOf(publish).toString().split('\r\n'), start = w.town.clock.wall();
  expect(lines.slice(0, 8)).toEqual([
    'VQSessionReport: CallTerm', `CallID: ${w.call.callId}`, expect.stringMatching(/^LocalID: <sip:alice@10\.0\.0\.1[^;]*>$/), expect.stringMatching(/^RemoteID: <sip:bob@10\.0\.0\.2>$/), expect.stringMatching(/^OrigID: <sip:alice@/),
    'LocalAddr: IP=10.0.0.1 PORT=20000 SSRC=0x00001234', 'RemoteAddr: IP=10.0.0.2 PORT=30000 SSRC=0xabcd0001', 'LocalMetrics:',
  ]);
  const [, from, to] = /START=(\S+) STOP=(\S+)/.exec(lines[8]!)!;
  expect(Date.parse(to!) - Date.parse(from!)).toBe(10_000);
  expect(Math.abs(Date.parse(to!) - start)).toBeLessThan(2_000);
  expect(lines).toContain('PacketLoss: NLR=1.2 JDR=0.3');
  expect(lines).toContain('QualityEst: RLQ=90 RCQ=82 MOSLQ=4.3 MOSCQ=4.1 QoEEstAlg=G.107');
  expect(lines.slice(lines.indexOf('RemoteMetrics:')).filter((line) => /^(Pack|Sig|Qual|Jit)/.test(line))).toEqual(['JitterBuffer: JBA=2 JBR=0 JBN=60 JBM=60 JBX=60', 'PacketLoss: NLR=2.0 JDR=0.0', 'Signal: SL=-24', 'QualityEst: RCQ=80 MOSLQ=4.2']);
  expect(lines.at(-2)).toMatch(new RegExp(`^DialogID: ${w.call.callId};to-tag=\\S+;from-tag=\\S+$`));
  w.peer.answer(publish, 200, ['SIP-ETag: x', 'Expires: 0']);
  await w.town.run(100);
  expect(facts(w.log)).toEqual(['info quality reported']);
});

const HOME: AccountOptions = { id: 'home', user: '201', server: '10.0.0.2', proxy: '', transport: 'udp', password: 'secret', authUser: '', displayName: '', register: false, expiresS: 600 };

test('it comes from the user of the call\'s account, and a challenge is answered (RFC 3261 §22)', async () => {
  const w = await world(undefined, 'out', HOME);
  await over(w);
  const first = w.peer.last('PUBLISH');
  expect([text(first, 'from')!.replace(/;tag.*/, ''), /^LocalID: (.*)$/m.exec(bodyOf(first).toString())![1]]).toEqual(['<sip:201@10.0.0.2>', '<sip:201@10.0.0.2>']);
  w.peer.answer(first, 401, ['WWW-Authenticate: Digest realm="house", nonce="n1", algorithm=MD5, qop="auth"']);
  await w.town.run(100);
  const second = w.peer.last('PUBLISH');
  expect(text(second, 'authorization')).toMatch(/^Digest username="201", realm="house"/);
  expect(bodyOf(second)).toEqual(bodyOf(first));
  w.peer.answer(second, 200);
  await w.town.run(100);
  expect(facts(w.log)).toEqual(['info quality reported']);
});

test('a collector elsewhere hears nothing of the account\'s challenges, nor the account\'s server of its (RFC 3261 §22.1)', async () => {
  const w = await world(undefined, 'out', HOME), { account } = w.call as CallUnit, { credentials } = w.near.agent.ua.unit(account)!;
  const lines = () => credentials!.headers('REGISTER', 'sip:10.0.0.2').map(([, line]) => /realm="([^"]*)"/.exec(line)![1]);
  credentials!.learn(parseMessage(Buffer.from('SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="pbx", nonce="n0", algorithm=MD5, qop="auth"\r\n\r\n')) as Message);
  await over(w);
  const first = w.peer.last('PUBLISH');
  expect(text(first, 'authorization')).toBeUndefined();
  w.peer.answer(first, 401, ['WWW-Authenticate: Digest realm="collector", nonce="n1", algorithm=MD5, qop="auth"']);
  await w.town.run(100);
  expect(texts(w.peer.last('PUBLISH'), 'authorization').map((line) => /realm="([^"]*)"/.exec(line)![1])).toEqual(['collector']);
  expect(lines()).toEqual(['pbx']);
});

test.each([ // the phone at 10.0.0.2 stands for the server, and is no collector
  ['at the account\'s server goes there', 'sip:quality@10.0.0.2', {}, [0, 'warn quality not reported']],
  ['elsewhere goes straight to it', 'sip:quality@10.0.0.9', {}, [1]],
  ['elsewhere goes by the proxy where the account has one', 'sip:quality@10.0.0.9', { proxy: '10.0.0.2' }, [0, 'warn quality not reported']],
])('a report to a collector %s', async (_, collector, more, expected) => {
  const w = await world(collector, 'out', { ...HOME, ...more });
  await over(w);
  expect([Math.min(1, w.peer.count('PUBLISH')), ...facts(w.log)]).toEqual(expected);
  if (expected.length > 1) expect(w.log.lines[0]!.fields).toMatchObject({ status: 405 });
});

test('of a call that came in the other side is OrigID', async () => {
  const w = await world(undefined, 'in');
  await over(w);
  const body = bodyOf(w.peer.last('PUBLISH')).toString();
  expect(/^OrigID: (.*)$/m.exec(body)![1]).toBe(/^RemoteID: (.*)$/m.exec(body)![1]);
});

test('without the last word of the media thread, what it said before is reported', async () => {
  const w = await world();
  w.phone({ event: 'answered', call: '4' });
  w.media({ event: 'quality', stream: 4, quality, remote: '10.0.0.2:30000', last: false });
  await w.town.run(5_000);
  expect(w.peer.count('PUBLISH')).toBe(0);
  w.phone({ event: 'ended', call: '4' });
  await w.town.run(1_100);
  expect(w.peer.count('PUBLISH')).toBe(1);
});

test('nothing is reported of a call that was hardly heard, of a service code, of one never answered, and when the setting was emptied', async () => {
  const short = await world();
  await over(short, null);
  await short.town.run(5_000);
  const service = await world();
  service.calls[0]!.remote = '*43';
  await over(service);
  const missed = await world();
  missed.phone({ event: 'ended', call: '4' });
  missed.media({ event: 'quality', stream: 4, quality, remote: '10.0.0.2:30000', last: true });
  await missed.town.run(2_000);
  const off = await world('');
  await over(off);
  expect([short, service, missed, off].map((w) => w.peer.count('PUBLISH'))).toEqual([0, 0, 0, 0]);
  expect([short, service, missed, off].flatMap((w) => facts(w.log))).toEqual([]);
});

test.each([
  ['refused', 489, 'warn quality not reported'],
  ['refused for now', 503, 'warn quality not reported'],
])('a report that is %s is a line of the log', async (_, status, line) => {
  const w = await world();
  await over(w);
  w.peer.answer(w.peer.last('PUBLISH'), status);
  await w.town.run(100);
  expect(facts(w.log)).toEqual([line]);
  expect(w.log.lines[0]!.fields).toMatchObject({ call: '4', to: 'sip:quality@10.0.0.9', status });
});

test('a collector that does not answer, or cannot be, disturbs nothing', async () => {
  const silent = await world(), nowhere = await world('sip:');
  await over(silent);
  await over(nowhere);
  await silent.town.run(40_000);
  expect(facts(silent.log)).toEqual(['warn quality not reported']);
  expect(facts(nowhere.log)).toEqual(['warn quality not reported: see the setting calls.qualityReport']);
  silent.near.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
  await silent.town.run(100);
  expect(silent.far.incoming).toHaveLength(2);
});
