// Calls with peers of every habit, message by message: what the phone, as people run it, puts on the wire (RFC 3261, 3264, 3311, 3515, 4028).

import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves, sdp, startPeer, type Heard, type Peer, type Talk } from './lab/peer.ts';
import { startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, until } from './lab/process.ts';
import { runSipp } from './lab/sipp.ts';

const folder = scratch('sip');
let auto: Phone; // answers at once
let desk: Phone; // rings until told
const peers: Peer[] = [];
const peerAt = async (phone: Phone, user?: string): Promise<Peer> => {
  const peer = await startPeer(phone.port, user);
  peers.push(peer);
  return peer;
};

beforeAll(async () => {
  const common = { 'sip.allowAddresses': '127.0.0.1', 'media.codecs': 'PCMA,PCMU' };
  [auto, desk] = await Promise.all([
    startPhone(folder.path, { name: 'auto', set: { ...common, 'calls.answer': 'auto', 'sound.handset.device': 'tone' } }),
    startPhone(folder.path, { name: 'desk', set: common }),
  ]);
});
afterAll(async () => {
  await Promise.all([auto?.stop(), desk?.stop()]);
  for (const peer of peers) peer.close();
  folder.remove();
});

/** A call of the peer's that the phone has answered and the peer acknowledged. */
async function called(phone: Phone, parts: Parameters<Talk['request']>[1] = { body: sdp(40_000) }): Promise<{ peer: Peer; talk: Talk; ok: Heard }> {
  const peer = await peerAt(phone);
  const talk = peer.dialog();
  talk.request('INVITE', parts);
  const ok = await peer.next(/^SIP\/2.0 200 .*INVITE/);
  talk.learn(ok);
  talk.ack(parts?.body === undefined ? { body: sdp(40_000) } : {});
  return { peer, talk, ok };
}
const hungUp = async (peer: Peer, talk: Talk): Promise<void> => {
  talk.request('BYE');
  await peer.next(/^SIP\/2.0 200 .*BYE/);
};

describe('called', () => {
  test('an INVITE without SDP gets our offer in the 200, and the ACK answers it (RFC 3261 §13.2.1)', async () => {
    auto.forget();
    const { peer, talk, ok } = await called(auto, {});
    expect(ok.body).toMatch(/m=audio \d+ RTP\/AVP 8 0/);
    const answered = await auto.waitFor('answered');
    await until(async () => ((await auto.status())['calls'] as { id: string; codec: string }[]).some((c) => c.id === answered['call'] && c.codec === 'PCMU'), 2_000);
    expect((await auto.status())['calls']).toMatchObject([{ codec: 'PCMU' }]);
    await hungUp(peer, talk);
  });

  test('an INVITE without SDP whose ACK brings none is ended by BYE (RFC 3261 §13.2.1)', async () => {
    const peer = await peerAt(auto);
    const talk = peer.dialog();
    talk.request('INVITE');
    talk.learn(await peer.next(/^SIP\/2.0 200 .*INVITE/));
    talk.ack();
    peer.respond(await peer.next(/^BYE/), '200 OK');
  });

  test('the 200 comes again until its ACK, at T1 and 2·T1, then never (RFC 3261 §13.3.1.4)', async () => {
    const peer = await peerAt(auto);
    const talk = peer.dialog();
    talk.request('INVITE', { body: sdp(40_000) });
    const ok = await peer.next(/^SIP\/2.0 200 .*INVITE/);
    await pause(1_700);
    expect(peer.count(/^SIP\/2.0 200 .*INVITE/)).toBe(3);
    talk.learn(ok);
    talk.ack();
    await pause(2_300);
    expect(peer.count(/^SIP\/2.0 200 .*INVITE/)).toBe(3);
    await hungUp(peer, talk);
  });

  test('hung up before the ACK: BYE waits for the ACK (RFC 3261 §15)', async () => {
    const peer = await peerAt(auto);
    const talk = peer.dialog();
    auto.forget();
    talk.request('INVITE', { body: sdp(40_000) });
    talk.learn(await peer.next(/^SIP\/2.0 200 .*INVITE/));
    const { call } = await auto.waitFor('answered') as unknown as { call: string };
    void auto.say({ do: 'hangup', call });
    expect(await peer.quiet(/^BYE/, 300)).toBe(true);
    talk.ack();
    peer.respond(await peer.next(/^BYE/), '200 OK');
  });

  test('CANCEL while ringing: 200 to it, 487 to the INVITE (RFC 3261 §9.2)', async () => {
    const peer = await peerAt(desk);
    const talk = peer.dialog();
    talk.request('INVITE', { body: sdp(40_000) });
    await peer.next(/^SIP\/2.0 180/);
    talk.request('CANCEL');
    await peer.next(/^SIP\/2.0 200 .*CANCEL/);
    await peer.next(/^SIP\/2.0 487 .*INVITE/);
    talk.request('ACK');
    expect((await desk.status())['calls']).toEqual([]);
  });

  test('a CANCEL that crosses our 200 changes nothing, and the ACK confirms the call (RFC 3261 §9.2)', async () => {
    const { peer, talk } = await called(auto);
    talk.cseq = 1;
    const branch = /branch=([^;\s]+)/.exec(peer.all[0]!.header('via'))![1]!;
    talk.request('CANCEL', { branch, to: '<sip:phone@127.0.0.1>' });
    await peer.next(/^SIP\/2.0 (200|481) .*CANCEL/);
    expect(await peer.quiet(/^BYE|487/, 300)).toBe(true);
    await hungUp(peer, talk);
  });

  test('BYEs that cross are each answered 200', async () => {
    auto.forget();
    const { peer, talk } = await called(auto);
    const { call } = await auto.waitFor('answered') as unknown as { call: string };
    const gone = auto.say({ do: 'hangup', call });
    const theirs = await peer.next(/^BYE/);
    talk.request('BYE');
    expect((await peer.next(/^SIP\/2.0 \d+ .*BYE/)).start).toMatch(/200|481/);
    peer.respond(theirs, '200 OK');
    expect(await gone).toMatchObject({ ok: true });
  });

  test.each([
    ['sendonly', { direction: 'sendonly' }, 'recvonly', true], ['inactive', { direction: 'inactive' }, 'inactive', true], ['c=0.0.0.0', { host: '0.0.0.0' }, 'recvonly', true],
  ])('hold by re-INVITE with %s, and back (RFC 3264 §8.4)', async (_, hold, answer, remoteHeld) => {
    auto.forget();
    const { peer, talk, ok } = await called(auto);
    talk.request('INVITE', { body: sdp(40_000, { ...hold, version: 2 }) });
    const held = await peer.next(/^SIP\/2.0 200 .*2 INVITE/);
    talk.ack();
    expect(held.body).toMatch(new RegExp(`a=(${answer})`));
    expect(held.header('contact')).toBe(ok.header('contact'));
    await auto.waitFor('held', 1_000, (l) => l['by'] === 'them');
    expect((await auto.status())['calls']).toMatchObject([{ remoteHeld }]);
    talk.request('INVITE', { body: sdp(40_000, { version: 3 }) });
    const back = await peer.next(/^SIP\/2.0 200 .*3 INVITE/);
    talk.ack();
    expect(back.body).toContain('a=sendrecv');
    await auto.waitFor('resumed', 1_000);
    await hungUp(peer, talk);
  });

  test('a re-INVITE changes the codec (RFC 3264 §8.3.2)', async () => {
    const { peer, talk } = await called(auto);
    talk.request('INVITE', { body: sdp(40_000, { codecs: [8], version: 2 }) });
    const ok = await peer.next(/^SIP\/2.0 200 .*2 INVITE/);
    talk.ack();
    expect(ok.body).toMatch(/m=audio \d+ RTP\/AVP 8\r\n/);
    expect((await auto.status())['calls']).toMatchObject([{ codec: 'PCMA' }]);
    await hungUp(peer, talk);
  });

  test('a re-INVITE without SDP gets all we can in its 200, and the ACK answers (RFC 3261 §14.2)', async () => {
    const { peer, talk, ok } = await called(auto, { body: sdp(40_000, { codecs: [0] }) });
    expect(ok.body).toMatch(/RTP\/AVP 0\r\n/);
    talk.request('INVITE');
    const offer = await peer.next(/^SIP\/2.0 200 .*2 INVITE/);
    expect(offer.body).toMatch(/m=audio \d+ RTP\/AVP 8 0/);
    talk.ack({ body: sdp(40_000, { codecs: [8], version: 2 }) });
    expect(await until(async () => ((await auto.status())['calls'] as { codec: string }[])[0]?.codec === 'PCMA', 1_000)).toBe(true);
    await hungUp(peer, talk);
  });

  test('a re-INVITE that cannot be had gets 488 and the call goes on (RFC 3261 §14.2)', async () => {
    const { peer, talk } = await called(auto);
    talk.request('INVITE', { body: sdp(0, { media: 'm=audio 40000 RTP/AVP 18\r\na=rtpmap:18 G729/8000', version: 2 }) });
    await peer.next(/^SIP\/2.0 488 .*2 INVITE/);
    talk.request('ACK');
    await pause(100);
    expect((await auto.status())['calls']).toMatchObject([{ codec: 'PCMU', state: 'established' }]);
    await hungUp(peer, talk);
  });

  test('UPDATE without SDP gets 200, with SDP our answer (RFC 3311 §5.2)', async () => {
    const { peer, talk } = await called(auto);
    talk.request('UPDATE');
    expect((await peer.next(/^SIP\/2.0 200 .*UPDATE/)).body).toBe('');
    talk.request('UPDATE', { body: sdp(40_000, { direction: 'sendonly', version: 2 }) });
    const ok = await peer.next(/^SIP\/2.0 200 .*UPDATE/);
    expect(ok.body).toContain('a=recvonly');
    expect(ok.header('contact')).not.toBe('');
    await hungUp(peer, talk);
  });

  test('keys by INFO are heard, nonsense in them gets 400, other packages 415 (RFC 6086)', async () => {
    auto.forget();
    const { peer, talk } = await called(auto);
    talk.request('INFO', { type: 'application/dtmf-relay', body: 'Signal=5\r\nDuration=160\r\n' });
    await peer.next(/^SIP\/2.0 200 .*INFO/);
    expect(await auto.waitFor('digit')).toMatchObject({ digit: '5', ms: 160 });
    talk.request('INFO', { type: 'application/dtmf-relay', body: 'Signal=Z\r\n' });
    await peer.next(/^SIP\/2.0 400 .*INFO/);
    talk.request('INFO', { type: 'application/media_control+xml', body: '<x/>' });
    await peer.next(/^SIP\/2.0 415 .*INFO/);
    await hungUp(peer, talk);
  });

  test('OPTIONS inside and outside a dialog tell what we can (RFC 3261 §11.2)', async () => {
    const { peer, talk } = await called(auto);
    talk.request('OPTIONS');
    const inside = await peer.next(/^SIP\/2.0 200 .*OPTIONS/);
    const outside = peer.dialog();
    outside.request('OPTIONS');
    for (const ok of [inside, await peer.next(/^SIP\/2.0 200 .*OPTIONS/)]) {
      expect(ok.header('allow')).toMatch(/INVITE, ACK, CANCEL, BYE, OPTIONS/);
      expect(ok.header('accept')).toContain('application/sdp');
    }
    await hungUp(peer, talk);
  });

  const refusals: readonly (readonly [string, string, Parameters<Talk['request']>[1], RegExp, string, RegExp])[] = [
    ['an unknown method', 'FROBNICATE', {}, /^SIP\/2.0 501/, 'allow', /INVITE/],
    ['a method not for us', 'PUBLISH', {}, /^SIP\/2.0 405/, 'allow', /INVITE/],
    ['an unknown extension', 'INVITE', { headers: ['Require: nonsense'], body: sdp(40_000) }, /^SIP\/2.0 420/, 'unsupported', /^nonsense$/],
    ['a body of another kind', 'INVITE', { type: 'text/plain', body: 'hello' }, /^SIP\/2.0 415/, 'accept', /application\/sdp/],
    ['a dialog we do not know', 'BYE', { to: '<sip:phone@127.0.0.1>;tag=none' }, /^SIP\/2.0 481/, 'to', /tag=none/],
    ['an INVITE of such a dialog', 'INVITE', { to: '<sip:phone@127.0.0.1>;tag=none', body: sdp(40_000) }, /^SIP\/2.0 481/, 'to', /tag=none/],
    ['a UPDATE of such a dialog', 'UPDATE', { to: '<sip:phone@127.0.0.1>;tag=none' }, /^SIP\/2.0 481/, 'to', /tag=none/],
    ['an INFO of such a dialog', 'INFO', { to: '<sip:phone@127.0.0.1>;tag=none' }, /^SIP\/2.0 481/, 'to', /tag=none/],
    ['video alone', 'INVITE', { body: sdp(0, { media: 'm=video 40000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000' }) }, /^SIP\/2.0 488/, 'to', /tag=/],
    ['DTLS-SRTP alone', 'INVITE', { body: sdp(0, { media: `m=audio 40000 UDP/TLS/RTP/SAVPF 0\r\na=setup:actpass\r\na=fingerprint:sha-256 ${'AB:'.repeat(31)}AB` }) }, /^SIP\/2.0 488/, 'to', /tag=/],
    ['a description that is none', 'INVITE', { body: 'hello' }, /^SIP\/2.0 4(88|00)/, 'to', /tag=/],
    ['another scheme', 'OPTIONS', { uri: 'mailto:a@b.c' }, /^SIP\/2.0 416/, 'to', /tag=/],
  ];
  test.each(refusals)('%s is refused as the RFC says', async (_, method, parts, status, header, value) => {
    const peer = await peerAt(auto);
    const talk = peer.dialog();
    talk.request(method, parts);
    const refusal = await peer.next(/^SIP\/2.0 [2-6]/);
    if (method === 'INVITE') talk.request('ACK', { to: refusal.header('to') });
    expect(refusal.start).toMatch(status);
    expect(refusal.header(header)).toMatch(value);
    expect(await peer.quiet(/^SIP\/2.0 [2-6]/, method === 'INVITE' ? 600 : 50)).toBe(true); // its ACK ended it
  });

  test('audio and video offered: audio is taken, video gets port 0 in its place (RFC 3264 §6)', async () => {
    const { peer, talk, ok } = await called(auto, { body: sdp(0, { media: 'm=video 40002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\nm=audio 40000 RTP/AVP 0' }) });
    expect(ok.body.match(/m=.*/g)!.map((l) => l.split(' ').slice(0, 2).join(' ').replace(/[1-9]\d+/, 'N'))).toEqual(['m=video 0', 'm=audio N']);
    await hungUp(peer, talk);
  });

  test('a peer with session timer refreshes by re-INVITE, and nothing changes (RFC 4028 §9)', async () => {
    const timer = { headers: ['Supported: timer', 'Session-Expires: 90;refresher=uac', 'Min-SE: 90'], body: sdp(40_000) };
    const { peer, talk, ok } = await called(auto, timer);
    expect([ok.header('require'), ok.header('session-expires')]).toEqual(['timer', '90;refresher=uac']);
    talk.request('INVITE', timer);
    const again = await peer.next(/^SIP\/2.0 200 .*2 INVITE/);
    talk.ack();
    expect(again.body).toBe(ok.body); // nothing changed, so nothing does: RFC 3264 §8
    await hungUp(peer, talk);
  });

  test('Record-Route: later requests carry the route set, loose, by the first proxy (RFC 3261 §12.2.1.1)', async () => {
    const proxy = await peerAt(auto, 'proxy');
    const peer = await peerAt(auto);
    const talk = peer.dialog();
    auto.forget();
    const routes = [`<sip:127.0.0.1:${proxy.port};lr>`, '<sip:far.example.org;lr>'];
    talk.request('INVITE', { body: sdp(40_000), headers: routes.map((r) => `Record-Route: ${r}`) });
    const ok = await peer.next(/^SIP\/2.0 200 .*INVITE/);
    expect(ok.headers('record-route')).toEqual(routes);
    talk.learn(ok);
    talk.ack();
    const { call } = await auto.waitFor('answered') as unknown as { call: string };
    const over = auto.say({ do: 'hangup', call });
    const bye = await proxy.next(/^BYE/);
    expect(bye.start).toBe(`BYE sip:peer@127.0.0.1:${peer.port} SIP/2.0`);
    expect(bye.headers('route')).toEqual(routes);
    proxy.respond(bye, '200 OK');
    expect(await over).toMatchObject({ ok: true });
  });

  test('a BYE out of order gets 500 and ends nothing (RFC 3261 §12.2.2)', async () => {
    const { peer, talk } = await called(auto);
    talk.request('BYE', { cseq: 0 });
    expect((await peer.next(/^SIP\/2.0 \d+ .*BYE/)).start).toMatch(/500/);
    await hungUp(peer, talk);
  });
});

describe('calling', () => {
  /** Our INVITE to a new peer. */
  async function calls(until: 'ringing' | 'answered' = 'answered'): Promise<{ peer: Peer; invite: Heard; outcome: ReturnType<Phone['say']> }> {
    const peer = await peerAt(desk, 'callee');
    const outcome = desk.say({ do: 'call', target: `sip:callee@127.0.0.1:${peer.port}`, until });
    return { peer, invite: await peer.next(/^INVITE/), outcome };
  }

  test('183 with early media, then 180, then 200 with the same description (RFC 3261 §13.2.1)', async () => {
    const { peer, invite, outcome } = await calls();
    peer.respond(invite, '183 Session Progress', { body: sdp(40_000) });
    expect(await until(async () => ((await desk.status())['calls'] as { codec: string }[])[0]?.codec === 'PCMU', 1_000)).toBe(true);
    peer.respond(invite, '180 Ringing');
    await pause(50);
    peer.respond(invite, '200 OK', { body: sdp(40_000) });
    const ack = await peer.next(/^ACK/);
    expect(ack.header('cseq')).toBe(invite.header('cseq').replace('INVITE', 'ACK'));
    expect(await outcome).toMatchObject({ ok: true });
    const over = desk.say({ do: 'hangup' });
    peer.respond(await peer.next(/^BYE/), '200 OK');
    expect(await over).toMatchObject({ ok: true });
  });

  test('early media and a 200 without description: the early answer stands', async () => {
    const { peer, invite, outcome } = await calls();
    peer.respond(invite, '183 Session Progress', { body: sdp(40_000) });
    await pause(50);
    peer.respond(invite, '200 OK');
    await peer.next(/^ACK/);
    expect(await outcome).toMatchObject({ ok: true });
    const talk = peer.dialog(invite);
    await hungUp(peer, talk);
  });

  test('every repeated 200 gets its ACK again (RFC 3261 §13.2.2.4)', async () => {
    const { peer, invite, outcome } = await calls();
    peer.respond(invite, '200 OK', { body: sdp(40_000) });
    await peer.next(/^ACK/);
    await outcome;
    peer.respond(invite, '200 OK', { body: sdp(40_000) });
    await peer.next(/^ACK/);
    await hungUp(peer, peer.dialog(invite));
  });

  test('hung up before any answer: CANCEL waits for a provisional response; a 200 that crosses it is acknowledged and ended by BYE (RFC 3261 §9.1, §15)', async () => {
    const { peer, invite, outcome } = await calls();
    const gone = desk.say({ do: 'hangup' });
    expect(await peer.quiet(/^CANCEL/, 200)).toBe(true);
    peer.respond(invite, '180 Ringing');
    const cancel = await peer.next(/^CANCEL/);
    peer.respond(invite, '200 OK', { body: sdp(40_000) });
    await peer.next(/^ACK/);
    peer.respond(cancel, '481 Call/Transaction Does Not Exist');
    peer.respond(await peer.next(/^BYE/), '200 OK');
    expect(await gone).toMatchObject({ ok: true });
    expect(await outcome).toMatchObject({ ok: false });
  });

  test('two branches of a fork answer: the first is kept, the second acknowledged and ended (RFC 3261 §13.2.2.4)', async () => {
    const { peer, invite, outcome } = await calls();
    peer.respond(invite, '200 OK', { body: sdp(40_000), tag: 'one' });
    await peer.next(/^ACK/);
    expect(await outcome).toMatchObject({ ok: true });
    peer.respond(invite, '200 OK', { body: sdp(40_002), tag: 'two' });
    expect((await peer.next(/^ACK/)).header('to')).toContain('tag=two');
    const bye = await peer.next(/^BYE/);
    expect(bye.header('to')).toContain('tag=two');
    peer.respond(bye, '200 OK');
    expect((await desk.status())['calls']).toMatchObject([{ state: 'established' }]);
    const over = desk.say({ do: 'hangup' });
    const last = await peer.next(/^BYE/);
    expect(last.header('to')).toContain('tag=one');
    peer.respond(last, '200 OK');
    expect(await over).toMatchObject({ ok: true });
  });

  test('hold and resume by our re-INVITE; 491 is tried again (RFC 3261 §14.1)', async () => {
    const { peer, invite, outcome } = await calls();
    peer.respond(invite, '200 OK', { body: sdp(40_000) });
    await peer.next(/^ACK/);
    await outcome;
    const held = desk.say({ do: 'hold' });
    const first = await peer.next(/^INVITE/);
    expect(first.body).toContain('a=sendonly');
    peer.respond(first, '491 Request Pending');
    await peer.next(/^ACK/);
    const second = await peer.next(/^INVITE/, 5_000);
    peer.respond(second, '200 OK', { body: sdp(40_000, { direction: 'recvonly', version: 2 }) });
    await peer.next(/^ACK/);
    expect(await held).toMatchObject({ ok: true, state: 'held' });
    const resumed = desk.say({ do: 'resume' });
    const third = await peer.next(/^INVITE/);
    expect(third.body).toContain('a=sendrecv');
    peer.respond(third, '200 OK', { body: sdp(40_000, { version: 3 }) });
    expect(await resumed).toMatchObject({ ok: true, state: 'resumed' });
    await hungUp(peer, peer.dialog(invite));
  });

  test.each([['486 Busy Here', 486], ['302 Moved Temporarily', 302], ['603 Decline', 603], ['404 Not Found', 404], ['500 Server Internal Error', 500]])('%s ends it with its status, acknowledged', async (line, status) => {
    const { peer, invite, outcome } = await calls();
    peer.respond(invite, line, status === 302 ? { headers: ['Contact: <tel:1>'] } : {});
    await peer.next(/^ACK/);
    expect(await outcome).toMatchObject({ ok: false, status });
  });

  test('a 200 with an answer that cannot be had is acknowledged and ended by BYE (RFC 3261 §13.2.2.4)', async () => {
    const { peer, invite, outcome } = await calls();
    peer.respond(invite, '200 OK', { body: sdp(0, { media: 'm=audio 0 RTP/AVP 0' }) });
    await peer.next(/^ACK/);
    peer.respond(await peer.next(/^BYE/), '200 OK');
    expect(await outcome).toMatchObject({ ok: false });
  });
});

describe('challenged', () => {
  let registrar: Peer;
  let phone: Phone;
  const challenge = (nonce: string, more = '', realm = 'home'): string => `Digest realm="${realm}", nonce="${nonce}", qop="auth"${more}`;

  beforeAll(async () => {
    registrar = await startPeer(0, 'registrar');
    peers.push(registrar);
    const starting = startPhone(folder.path, { name: 'challenged', set: { 'accounts.0.user': '201', 'accounts.0.server': `127.0.0.1:${registrar.port}`, 'accounts.0.password': 'secret', 'media.codecs': 'PCMA' } });
    const first = await registrar.next(/^REGISTER/, 10_000);
    registrar.aim(Number(/:(\d+)[;\s]/.exec(first.header('via'))![1]));
    registrar.respond(first, '401 Unauthorized', { headers: [`WWW-Authenticate: ${challenge('old', ', algorithm=MD5')}`] });
    const second = await registrar.next(/^REGISTER/);
    expect(proves(second, 'home', 'old', 'secret')).toBe(true);
    registrar.respond(second, '401 Unauthorized', { headers: [`WWW-Authenticate: ${challenge('new', ', stale=true')}`] });
    const third = await registrar.next(/^REGISTER/);
    expect(proves(third, 'home', 'new', 'secret')).toBe(true);
    registrar.respond(third, '200 OK', { headers: [`Contact: ${third.header('contact')}`, 'Expires: 600'] });
    phone = await starting;
    await phone.waitFor('registered');
  });
  afterAll(async () => {
    const stopped = phone?.stop();
    const gone = await registrar?.next(/^REGISTER/).catch(() => undefined);
    if (gone !== undefined) registrar.respond(gone, '200 OK');
    await stopped;
  });

  test('INVITE with 407, then 401 of another realm besides, in SHA-256; re-INVITE and BYE with a stale nonce (RFC 3261 §22, RFC 7616 §3.3)', async () => {
    const outcome = phone.say({ do: 'call', target: '100' });
    const first = await registrar.next(/^INVITE/);
    registrar.respond(first, '407 Proxy Authentication Required', { headers: [`Proxy-Authenticate: ${challenge('p1', ', algorithm=SHA-256', 'proxy')}`, `Proxy-Authenticate: ${challenge('p1', ', algorithm=MD5', 'proxy')}`] });
    await registrar.next(/^ACK/);
    const second = await registrar.next(/^INVITE/);
    expect(second.header('proxy-authorization')).toMatch(/algorithm=SHA-256/);
    expect(proves(second, 'proxy', 'p1', 'secret')).toBe(true);
    expect(second.header('call-id')).toBe(first.header('call-id'));
    expect(Number.parseInt(second.header('cseq'))).toBe(Number.parseInt(first.header('cseq')) + 1);
    registrar.respond(second, '401 Unauthorized', { headers: [`WWW-Authenticate: ${challenge('u1', '', 'far')}`] });
    await registrar.next(/^ACK/);
    const third = await registrar.next(/^INVITE/);
    expect(proves(third, 'proxy', 'p1', 'secret')).toBe(true);
    expect(proves(third, 'far', 'u1', 'secret')).toBe(true);
    registrar.respond(third, '200 OK', { body: sdp(40_000, { codecs: [8] }) });
    expect((await registrar.next(/^ACK/)).header('proxy-authorization')).toBe(third.header('proxy-authorization')); // §22.1
    expect(await outcome).toMatchObject({ ok: true });

    const held = phone.say({ do: 'hold' });
    const fourth = await registrar.next(/^INVITE/);
    registrar.respond(fourth, '407 Proxy Authentication Required', { headers: [`Proxy-Authenticate: ${challenge('p2', ', stale=true, algorithm=SHA-256', 'proxy')}`] });
    await registrar.next(/^ACK/);
    const fifth = await registrar.next(/^INVITE/);
    expect(proves(fifth, 'proxy', 'p2', 'secret')).toBe(true);
    registrar.respond(fifth, '200 OK', { body: sdp(40_000, { codecs: [8], direction: 'recvonly', version: 2 }) });
    expect(await held).toMatchObject({ ok: true });

    const gone = phone.say({ do: 'hangup' });
    const bye = await registrar.next(/^BYE/);
    registrar.respond(bye, '407 Proxy Authentication Required', { headers: [`Proxy-Authenticate: ${challenge('p3', ', stale=true, algorithm=SHA-256', 'proxy')}`] });
    const again = await registrar.next(/^BYE/);
    expect(proves(again, 'proxy', 'p3', 'secret')).toBe(true);
    registrar.respond(again, '200 OK');
    expect(await gone).toMatchObject({ ok: true });
  });

  test('two challenges in one response are both answered (RFC 3261 §22.3)', async () => {
    const outcome = phone.say({ do: 'call', target: '101', until: 'ringing' });
    registrar.respond(await registrar.next(/^INVITE sip:101/), '407 Proxy Authentication Required', { headers: [`Proxy-Authenticate: ${challenge('a', '', 'one')}`, `Proxy-Authenticate: ${challenge('b', '', 'two')}`] });
    const second = await registrar.next(/^INVITE sip:101/);
    expect(proves(second, 'one', 'a', 'secret')).toBe(true);
    expect(proves(second, 'two', 'b', 'secret')).toBe(true);
    registrar.respond(second, '403 Forbidden');
    expect(await outcome).toMatchObject({ ok: false, status: 403 });
  });

  test('a call refused again with the same realm and a fresh nonce ends, and is not tried for ever', async () => {
    const outcome = phone.say({ do: 'call', target: '102' });
    for (let i = 0; i < 2; i++) {
      registrar.respond(await registrar.next(/^INVITE sip:102/), '407 Proxy Authentication Required', { headers: [`Proxy-Authenticate: ${challenge(`n${i}`, '', 'never')}`] });
    }
    expect(await outcome).toMatchObject({ ok: false, status: 407 });
    expect(await registrar.quiet(/^INVITE sip:102/, 200)).toBe(true);
  });

  test('a peer from elsewhere with our account\'s name gets 403, the registered server rings us', async () => {
    const stranger = await peerAt(phone);
    stranger.dialog().request('INVITE', { uri: `sip:201@127.0.0.1:${phone.port}`, body: sdp(40_000) });
    await stranger.next(/^SIP\/2.0 403/);
    const talk = registrar.dialog();
    talk.request('INVITE', { uri: `sip:201@127.0.0.1:${phone.port}`, body: sdp(40_000) });
    await registrar.next(/^SIP\/2.0 180/);
    talk.request('CANCEL', { uri: `sip:201@127.0.0.1:${phone.port}` });
    await registrar.next(/^SIP\/2.0 487/);
  });
});

describe('transfer', () => {
  test('REFER to us: 202, NOTIFY at once, the new call, NOTIFY of its progress and end, BYE (RFC 3515 §2.4)', async () => {
    const { peer, talk } = await called(auto);
    const third = await peerAt(auto, 'third');
    talk.request('REFER', { headers: [`Refer-To: <sip:third@127.0.0.1:${third.port}>`, 'Referred-By: <sip:boss@example.org>'] });
    await peer.next(/^SIP\/2.0 202/);
    const trying = await peer.next(/^NOTIFY/);
    expect(trying.body).toBe('SIP/2.0 100 Trying\r\n');
    expect([trying.header('event'), trying.header('subscription-state'), trying.header('content-type')]).toEqual(['refer', expect.stringMatching(/^active;expires=\d+/), 'message/sipfrag;version=2.0']);
    peer.respond(trying, '200 OK');
    const invite = await third.next(/^INVITE/);
    expect(invite.header('referred-by')).toBe('<sip:boss@example.org>');
    third.respond(invite, '180 Ringing');
    const ringing = await peer.next(/^NOTIFY/);
    expect(ringing.body).toMatch(/^SIP\/2.0 180/);
    peer.respond(ringing, '200 OK');
    third.respond(invite, '200 OK', { body: sdp(40_010) });
    await third.next(/^ACK/);
    const done = await peer.next(/^NOTIFY/);
    expect(done.body).toBe('SIP/2.0 200 OK\r\n');
    expect(done.header('subscription-state')).toMatch(/^terminated/);
    peer.respond(done, '200 OK');
    peer.respond(await peer.next(/^BYE/), '200 OK');
    await hungUp(third, third.dialog(invite));
  });

  test('REFER to somebody busy: the NOTIFY says so and the call goes on', async () => {
    const { peer, talk } = await called(auto);
    const third = await peerAt(auto, 'third');
    talk.request('REFER', { headers: [`Refer-To: <sip:third@127.0.0.1:${third.port}>`] });
    peer.respond(await peer.next(/^NOTIFY/), '200 OK');
    third.respond(await third.next(/^INVITE/), '486 Busy Here');
    const done = await peer.next(/^NOTIFY/);
    expect(done.body).toMatch(/^SIP\/2.0 486/);
    peer.respond(done, '200 OK');
    expect(await peer.quiet(/^BYE/, 200)).toBe(true);
    await hungUp(peer, talk);
  });

  test.each([['none', [], 400], ['two', ['Refer-To: <sip:a@b>', 'Refer-To: <sip:c@d>'], 400], ['no address', ['Refer-To: <frob>'], 400], ['another method', ['Refer-To: <sip:a@b;method=BYE>'], 501]])('a REFER with %s in Refer-To is refused', async (_, headers, status) => {
    const { peer, talk } = await called(auto);
    talk.request('REFER', { headers });
    expect((await peer.next(/^SIP\/2.0 \d+ .*REFER/)).start).toContain(` ${status} `);
    await hungUp(peer, talk);
  });

  test('our blind transfer: REFER, and done when its NOTIFY says 200 (RFC 5589 §6.1)', async () => {
    auto.forget();
    const { peer } = await called(auto);
    const { call } = await auto.waitFor('answered') as unknown as { call: string };
    const outcome = auto.say({ do: 'transfer', call, target: 'sip:other@127.0.0.1:7' });
    const refer = await peer.next(/^REFER/);
    expect(refer.header('refer-to')).toBe('<sip:other@127.0.0.1:7>');
    expect(refer.header('referred-by')).not.toBe('');
    peer.respond(refer, '202 Accepted');
    peer.dialog(refer).request('NOTIFY', { headers: ['Event: refer', 'Subscription-State: terminated;reason=noresource'], type: 'message/sipfrag;version=2.0', body: 'SIP/2.0 200 OK\r\n' });
    await peer.next(/^SIP\/2.0 200 .*NOTIFY/);
    peer.respond(await peer.next(/^BYE/), '200 OK');
    expect(await outcome).toMatchObject({ ok: true, state: 'transferred' });
  });

  test('our transfer refused: told with its status, the call goes on', async () => {
    auto.forget();
    const { peer, talk } = await called(auto);
    const { call } = await auto.waitFor('answered') as unknown as { call: string };
    const outcome = auto.say({ do: 'transfer', call, target: 'sip:other@127.0.0.1:7' });
    peer.respond(await peer.next(/^REFER/), '405 Method Not Allowed');
    expect(await outcome).toMatchObject({ ok: false, status: 405 });
    await hungUp(peer, talk);
  });
});

describe('call waiting', () => {
  test('a second caller waits, a flash takes it and holds the first, another swaps, a third hears busy (RFC 3264 §8.4)', async () => {
    const phone = await startPhone(folder.path, { name: 'waiting', set: { 'sip.allowAddresses': '127.0.0.1', 'phone.board': 'bench', 'media.codecs': 'PCMU' } });
    try {
      const invite = async (): Promise<{ peer: Peer; talk: Talk }> => {
        const peer = await peerAt(phone);
        const talk = peer.dialog();
        talk.request('INVITE', { body: sdp(40_000) });
        return { peer, talk };
      };
      const answered = async ({ peer, talk }: { peer: Peer; talk: Talk }): Promise<void> => {
        talk.learn(await peer.next(/^SIP\/2.0 200 .*INVITE/));
        talk.ack();
      };
      const reinvited = async ({ peer }: { peer: Peer }, direction: string, version: number): Promise<void> => {
        const request = await peer.next(/^INVITE/);
        expect(request.body).toContain(`a=${direction}`);
        peer.respond(request, '200 OK', { body: sdp(40_000, { version, direction: direction === 'sendonly' ? 'recvonly' : 'sendrecv' }) });
        await peer.next(/^ACK/);
      };
      const first = await invite();
      await first.peer.next(/^SIP\/2.0 180/);
      await phone.must({ do: 'lift' });
      await answered(first);
      const second = await invite();
      await second.peer.next(/^SIP\/2.0 18/);
      const third = await invite();
      await third.peer.next(/^SIP\/2.0 486/);
      third.talk.request('ACK');
      await phone.must({ do: 'flash' });
      await reinvited(first, 'sendonly', 2);
      await answered(second);
      await phone.must({ do: 'flash' });
      await reinvited(second, 'sendonly', 2);
      await reinvited(first, 'sendrecv', 3);
      await hungUp(second.peer, second.talk);
      await phone.must({ do: 'hang' });
      first.peer.respond(await first.peer.next(/^BYE/), '200 OK');
      expect(await until(async () => ((await phone.status())['calls'] as unknown[]).length === 0, 1_000)).toBe(true);
    } finally {
      await phone.stop();
    }
  });
});

describe('TCP', () => {
  test('messages split anywhere and glued together are each answered, and CRLFCRLF gets CRLF (RFC 3261 §18.3, RFC 5626 §4.4.1)', async () => {
    const socket = connect(auto.port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => { text += chunk.toString('latin1'); });
    const options = (n: number, body = ''): string => [
      `OPTIONS sip:phone@127.0.0.1:${auto.port} SIP/2.0`, `Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKt${n}`, 'Max-Forwards: 70', `From: <sip:t@127.0.0.1>;tag=t${n}`, 'To: <sip:phone@127.0.0.1>',
      `Call-ID: tcp${n}`, `CSeq: ${n} OPTIONS`, ...(body === '' ? [] : ['Content-Type: text/plain']), `Content-Length: ${body.length}`, '', body,
    ].join('\r\n');
    socket.write('\r\n\r\n');
    expect(await until(() => text === '\r\n', 1_000)).toBe(true);
    const bytes = options(1, 'some body') + options(2);
    const cuts = [0, 3, 57, 200, 305, bytes.length];
    for (const [i, from] of cuts.slice(0, -1).entries()) {
      socket.write(bytes.slice(from, cuts[i + 1]));
      await pause(20);
    }
    expect(await until(() => (text.match(/SIP\/2.0 200/g) ?? []).length === 2, 1_000)).toBe(true);
    socket.write(`\r\n${options(3)}\r\n\r\n${options(4)}${options(5)}`);
    expect(await until(() => (text.match(/SIP\/2.0 200/g) ?? []).length === 5, 1_000)).toBe(true);
    socket.destroy();
  });
});

describe('SIPp', () => {
  const request = (method: string, cseq: number, more: readonly string[] = [], body: readonly string[] = []): string => [
    `<send${method === 'ACK' ? '' : ' retrans="500"'}><![CDATA[`, `${method} ${cseq === 1 && method === 'INVITE' ? 'sip:[service]@[remote_ip]:[remote_port]' : '[next_url]'} SIP/2.0`,
    'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]', 'From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]x[call_number]',
    cseq === 1 && method === 'INVITE' ? 'To: <sip:[service]@[remote_ip]:[remote_port]>' : '[last_To:]', 'Call-ID: [call_id]', `CSeq: ${cseq} ${method}`, 'Max-Forwards: 70',
    'Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>', ...more, ...(body.length === 0 ? [] : ['Content-Type: application/sdp']), 'Content-Length: [len]', '', ...body, ']]></send>',
  ].join('\n');
  const described = ['v=0', 'o=- 1 1 IN IP4 [local_ip]', 's=-', 'c=IN IP4 [local_ip]', 't=0 0', 'm=audio 41000 RTP/AVP 0'];
  const answer = '<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="200" rrs="true"/>';
  const scenario = `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="delayed offer, hold with session timer">
    ${request('INVITE', 1)}${answer}${request('ACK', 1, [], described)}<pause milliseconds="30"/>
    ${request('INVITE', 2, ['Supported: timer', 'Session-Expires: 90;refresher=uac'], [...described, 'a=sendonly'])}${answer}${request('ACK', 2)}${request('BYE', 3)}<recv response="200"/></scenario>`;

  test.each(['u1', 't1'])('60 calls with delayed offer, then hold with a session timer, by %s: none failed', async (transport) => {
    const result = await runSipp(folder.path, `127.0.0.1:${auto.port}`, scenario, ['-m', '60', '-l', '4', '-r', '60', '-t', transport], 30);
    expect(result, result.output.slice(-1_500)).toMatchObject({ code: 0, successful: 60, failed: 0 });
  });
});
