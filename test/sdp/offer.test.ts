import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerOffer, applyAnswer, makeOffer } from '../../src/sdp/offer.ts';
import type { CodecName, Direction, LocalMedia, StreamSession } from '../../src/sdp/types.ts';

const local = (over: Partial<LocalMedia> = {}): LocalMedia => ({
  host: '192.0.2.1', port: 4000, rtcpPort: 4001, codecs: ['opus', 'PCMA', 'PCMU'], ptimeMs: 20, direction: 'sendrecv', sessionId: 7, version: 1, ...over,
});
const G711 = local({ codecs: ['PCMU', 'PCMA'] });
/** Another phone's description; `lines` from the m= line on, may begin with session-level a= lines. */
const theirs = (lines: string, host = '198.51.100.2') =>
  Buffer.from(`v=0\no=bob 1 1 IN IP4 ${host}\ns=-\nc=IN ${host.includes(':') ? 'IP6' : 'IP4'} ${host}\nt=0 0\n${lines}`.replaceAll('\n', '\r\n'));
const answered = (offer: Uint8Array, own: LocalMedia, last?: Uint8Array) => {
  const result = answerOffer(offer, own, last);
  if ('refuse' in result) throw new Error(result.why);
  return result;
};
const applied = (offer: Uint8Array, answer: Uint8Array, own: LocalMedia): StreamSession => {
  const result = applyAnswer(offer, answer, own);
  if ('wrong' in result) throw new Error(result.wrong);
  return result.session;
};
/** From the m= line on. */
const media = (bytes: Uint8Array) => Buffer.from(bytes).toString().split('\r\n').slice(5, -1);

describe('an offer', () => {
  test('lists our codecs in our order, and telephone-event with the clock of each (RFC 4733 §2.1)', () => {
    expect(makeOffer(local()).toString()).toBe([
      'v=0', 'o=- 7 1 IN IP4 192.0.2.1', 's=-', 'c=IN IP4 192.0.2.1', 't=0 0', 'm=audio 4000 RTP/AVP 96 8 0 101 102',
      'a=rtpmap:96 opus/48000/2', 'a=fmtp:96 useinbandfec=1;maxplaybackrate=16000;sprop-maxcapturerate=16000', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-16', 'a=rtpmap:102 telephone-event/48000', 'a=fmtp:102 0-16',
      'a=ptime:20', 'a=maxptime:60', 'a=sendrecv', '',
    ].join('\r\n'));
    expect(media(makeOffer(G711))[0]).toBe('m=audio 4000 RTP/AVP 0 8 101');
  });

  test('gives G.722 the payload type 9 and the clock 8000, though it samples at 16,000 (RFC 3551 §4.5.2), and L16 its rate (§4.5.11)', () => {
    expect(media(makeOffer(local({ codecs: ['G722', 'L16', 'PCMU'] })))).toEqual(['m=audio 4000 RTP/AVP 9 97 0 101', 'a=rtpmap:9 G722/8000', 'a=rtpmap:97 L16/16000', 'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-16', 'a=ptime:20', 'a=maxptime:60', 'a=sendrecv']);
  });

  test('names comfort noise on the clock of its codecs, and asks for DTX, only where silence need not be sent (RFC 3389 §4, RFC 7587 §6.1)', () => {
    const lines = media(makeOffer(local({ codecs: ['opus', 'G722', 'L16'], silence: true })));
    expect(lines[0]).toBe('m=audio 4000 RTP/AVP 96 9 97 13 98 101 102');
    expect(lines).toEqual(expect.arrayContaining(['a=rtpmap:13 CN/8000', 'a=rtpmap:98 CN/16000', 'a=fmtp:96 useinbandfec=1;maxplaybackrate=16000;sprop-maxcapturerate=16000;usedtx=1']));
    expect(media(makeOffer(local({ codecs: ['opus'], silence: true })))[0]).toBe('m=audio 4000 RTP/AVP 96 101 102');
    expect(makeOffer(local({ codecs: ['opus', 'PCMA'] })).toString()).not.toMatch(/CN|usedtx/);
  });

  test('names an RTCP port that is not the next one (RFC 3605 §2.1), and IPv6 as IP6', () => {
    expect(media(makeOffer(local({ rtcpPort: 4001 }))).join()).not.toContain('rtcp');
    expect(media(makeOffer(local({ rtcpPort: 5555 })))).toContain('a=rtcp:5555');
    expect(makeOffer(local({ host: '2001:db8::1' })).toString()).toContain('c=IN IP6 2001:db8::1\r\n');
  });

  test('has a higher version only when something changed (RFC 3264 §8)', () => {
    const first = makeOffer(G711);
    expect(makeOffer(G711, first)).toEqual(first);
    const hold = makeOffer({ ...G711, direction: 'sendonly' }, first);
    expect(hold.toString()).toBe(first.toString().replace('o=- 7 1 ', 'o=- 7 2 ').replace('a=sendrecv', 'a=sendonly'));
    expect(makeOffer({ ...G711, direction: 'sendonly' }, hold)).toEqual(hold);
    expect(makeOffer(G711, hold).toString()).toContain('o=- 7 3 ');
  });

  test('within a call keeps the number and place of the m-lines (RFC 3264 §8)', () => {
    const { answer } = answered(theirs('m=video 6000 RTP/AVP 31\nm=audio 5000 RTP/AVP 8\nm=image 6002 udptl t38\n'), local());
    const lines = media(makeOffer(local({ direction: 'sendonly' }), answer)).filter((line) => line.startsWith('m='));
    expect(lines).toEqual(['m=video 0 RTP/AVP 31', 'm=audio 4000 RTP/AVP 96 8 0 101 102', 'm=image 0 udptl t38']);
  });

  test('within a call keeps what each payload type means (RFC 3264 §8.3.2)', () => {
    const { answer } = answered(theirs('m=audio 5000 RTP/AVP 107 96\na=rtpmap:107 opus/48000/2\na=rtpmap:96 telephone-event/8000\n'), local());
    const again = media(makeOffer(local(), answer));
    expect(again[0]).toBe('m=audio 4000 RTP/AVP 107 8 0 96 102');
    expect(again).toContain('a=rtpmap:96 telephone-event/8000');
    const swapped = answered(theirs('m=audio 5000 RTP/AVP 0 96\na=rtpmap:96 telephone-event/8000\n'), local()).answer;
    expect(media(makeOffer(local(), swapped))[0]).toBe('m=audio 4000 RTP/AVP 97 8 0 96 102');
    const odd = answered(theirs('m=audio 5000 RTP/AVP 8 0\na=rtpmap:8 opus/48000/2\na=rtpmap:0 telephone-event/8000\n'), local()).answer;
    expect(media(makeOffer(local(), odd))[0]).toBe('m=audio 4000 RTP/AVP 8 96 97 0 102');
  });

  test('within a call keeps the transport that was agreed on (RFC 3264 §8.3)', () => {
    const { answer } = answered(theirs('m=audio 5000 RTP/AVPF 8\n'), local());
    expect(media(makeOffer(local(), answer))[0]).toMatch(/^m=audio 4000 RTP\/AVPF /);
  });
});

describe('an answer', () => {
  test("keeps the offerer's order and numbers, filtered (RFC 3264 §6.1)", () => {
    const { answer, session } = answered(theirs('m=audio 5000 RTP/AVP 18 0 111 8 9 110 101\na=rtpmap:111 OPUS/48000/2\na=fmtp:111 useinbandfec=1; stereo=0\n'
      + 'a=rtpmap:18 G729/8000\na=rtpmap:110 telephone-event/48000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n'), local());
    expect(media(answer)).toEqual(['m=audio 4000 RTP/AVP 0 111 8 101', 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:111 opus/48000/2',
      'a=fmtp:111 useinbandfec=1;maxplaybackrate=16000;sprop-maxcapturerate=16000', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-15',
      'a=ptime:20', 'a=maxptime:60', 'a=sendrecv']);
    expect(session).toEqual({
      remote: { host: '198.51.100.2', port: 5000 }, rtcpPort: 5001, send: { name: 'PCMU', payloadType: 0 },
      receive: [{ name: 'PCMU', payloadType: 0 }, { name: 'opus', payloadType: 111, fmtp: 'useinbandfec=1;maxplaybackrate=16000;sprop-maxcapturerate=16000' }, { name: 'PCMA', payloadType: 8 }],
      eventSend: 101, eventReceive: 101, eventHz: 8000, direction: 'sendrecv', ptimeMs: 20,
    });
  });

  test('in our order where that is set; what the other side said of its Opus decoder goes with the session (RFC 7587 §6.1)', () => {
    const offer = theirs('m=audio 5000 RTP/AVP 0 111 110 101\na=rtpmap:111 opus/48000/2\na=fmtp:111 useinbandfec=1; maxaveragebitrate=20000\n'
      + 'a=rtpmap:110 telephone-event/48000\na=rtpmap:101 telephone-event/8000\n');
    const { answer, session } = answered(offer, local({ answerOrder: 'local' }));
    expect(media(answer)[0]).toBe('m=audio 4000 RTP/AVP 111 0 110');
    expect(session.send).toEqual({ name: 'opus', payloadType: 111, fmtp: 'useinbandfec=1; maxaveragebitrate=20000' });
    expect(session).toMatchObject({ eventSend: 110, eventReceive: 110, eventHz: 48_000 });
  });

  test.each([
    ['events 0-15', 'a=fmtp:101 0-15', '0-15'], ['events 0-16', 'a=fmtp:101 0-16', '0-16'], ['a list', 'a=fmtp:101 0-11, 16', '0-16'], ['nothing said', 'a=x', '0-15'],
  ])('takes the hook flash only where it was offered: %s (RFC 4733 §2.4.1)', (_, fmtp, events) => {
    expect(media(answered(theirs(`m=audio 5000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n${fmtp}\n`), G711).answer)).toContain(`a=fmtp:101 ${events}`);
  });

  test.each([
    ['9', 'a=x', { name: 'G722', payloadType: 9 }], ['9', 'a=rtpmap:9 g722/8000/1', { name: 'G722', payloadType: 9 }], ['105', 'a=rtpmap:105 G722/8000', { name: 'G722', payloadType: 105 }],
    ['9 0', 'a=rtpmap:9 G722/16000', { name: 'PCMU', payloadType: 0 }], ['110', 'a=rtpmap:110 L16/16000', { name: 'L16', payloadType: 110 }],
    ['110 0', 'a=rtpmap:110 L16/16000/2', { name: 'PCMU', payloadType: 0 }], ['110 0', 'a=rtpmap:110 L16/44100', { name: 'PCMU', payloadType: 0 }],
  ])('to the formats %s with %s sends the one we have (RFC 3551 §6)', (formats, line, send) => {
    expect(answered(theirs(`m=audio 5000 RTP/AVP ${formats}\n${line}\n`), local({ codecs: ['G722', 'L16', 'PCMU'] })).session.send).toEqual(send);
  });

  test.each([
    ['PCMU, static', '0 13', '', true, '0 13', { noiseSend: 13, noiseReceive: 13 }], ['PCMU, not wanted', '0 13', '', false, '0', {}], ['PCMU, not offered', '0', '', true, '0', {}],
    ['PCMU, a number of theirs', '0 118', 'a=rtpmap:118 CN/8000\n', true, '0 118', { noiseSend: 118, noiseReceive: 118 }],
    ['G722', '9 13', '', true, '9 13', { noiseSend: 13, noiseReceive: 13 }], ['G722 with noise of another clock alone', '9 105', 'a=rtpmap:105 CN/16000\n', true, '9', {}],
    ['L16', '110 13 105', 'a=rtpmap:110 L16/16000\na=rtpmap:105 cn/16000\n', true, '110 105', { noiseSend: 105, noiseReceive: 105 }],
    ['opus', '96 13', 'a=rtpmap:96 opus/48000/2\n', true, '96', {}],
  ] as const)('takes comfort noise on the clock of the codec sent: %s (RFC 3389 §4)', (_, formats, lines, silence, answer, noise) => {
    const result = answered(theirs(`m=audio 5000 RTP/AVP ${formats}\n${lines}`), local({ codecs: ['opus', 'G722', 'L16', 'PCMU'], silence }));
    expect(media(result.answer)[0]).toBe(`m=audio 4000 RTP/AVP ${answer}`);
    const { noiseSend, noiseReceive } = result.session;
    expect({ ...(noiseSend === undefined ? {} : { noiseSend }), ...(noiseReceive === undefined ? {} : { noiseReceive }) }).toEqual(noise);
  });

  test('without telephone-event in the offer has none, and neither has the session', () => {
    const { answer, session } = answered(theirs('m=audio 5000 RTP/AVP 0\n'), G711);
    expect(media(answer)[0]).toBe('m=audio 4000 RTP/AVP 0');
    expect(session).not.toHaveProperty('eventSend');
    expect(session).not.toHaveProperty('eventReceive');
  });

  const directions: readonly (readonly [string, string, Direction, Direction])[] = [
    ['a=sendrecv', '198.51.100.2', 'sendrecv', 'sendrecv'], ['a=sendonly', '198.51.100.2', 'sendrecv', 'recvonly'], ['a=recvonly', '198.51.100.2', 'sendrecv', 'sendonly'],
    ['a=inactive', '198.51.100.2', 'sendrecv', 'inactive'], ['a=x', '198.51.100.2', 'sendrecv', 'sendrecv'], ['a=sendonly', '198.51.100.2', 'sendonly', 'inactive'],
    ['a=recvonly', '198.51.100.2', 'sendonly', 'sendonly'], ['a=sendrecv', '198.51.100.2', 'recvonly', 'recvonly'], ['a=sendrecv', '198.51.100.2', 'inactive', 'inactive'],
    ['a=sendrecv', '0.0.0.0', 'sendrecv', 'recvonly'], ['a=x', '0.0.0.0', 'sendrecv', 'recvonly'], ['a=inactive', '0.0.0.0', 'sendrecv', 'inactive'], ['a=x', '::', 'sendrecv', 'recvonly'],
  ];
  test.each(directions)('to %s at %s, when we want %s, is %s (RFC 3264 §6.1, §8.4)', (line, host, want, direction) => {
    const { answer, session } = answered(theirs(`m=audio 5000 RTP/AVP 0\n${line}\n`, host), { ...G711, direction: want });
    expect(media(answer).at(-1)).toBe(`a=${direction}`);
    expect(session.direction).toBe(direction);
    expect(session.remote.host).toBe(host);
  });

  test('a direction of the session holds for the stream; its own comes first, and so does its own c= line (RFC 8866 §5.7, §6.7)', () => {
    expect(answered(theirs('a=sendonly\nm=audio 5000 RTP/AVP 0\n'), G711).session.direction).toBe('recvonly');
    const { session } = answered(theirs('a=sendonly\nm=audio 5000 RTP/AVP 0\nc=IN IP4 203.0.113.9\na=recvonly\n'), G711);
    expect(session).toMatchObject({ direction: 'sendonly', remote: { host: '203.0.113.9', port: 5000 } });
  });

  test('every m-line is answered in its place, those not taken with port 0 (RFC 3264 §6)', () => {
    const { answer, session } = answered(theirs('m=video 6000 RTP/AVP 31 32\nm=audio 0 RTP/AVP 0\nm=audio 7000 RTP/SAVP 0\nm=audio 5000 RTP/AVPF 0\nm=audio 5002 RTP/AVP 8\nm=application 9 TCP/BFCP *\n'), G711);
    expect(media(answer).filter((line) => line.startsWith('m='))).toEqual(['m=video 0 RTP/AVP 31 32', 'm=audio 0 RTP/AVP 0', 'm=audio 0 RTP/SAVP 0',
      'm=audio 4000 RTP/AVPF 0', 'm=audio 0 RTP/AVP 8', 'm=application 0 TCP/BFCP *']);
    expect(session.remote.port).toBe(5000);
  });

  test.each([
    ['m=audio 5000 RTP/SAVP 0\n', 'transport RTP/SAVP'],
    ['m=audio 5000 UDP/TLS/RTP/SAVPF 0\n', 'transport UDP/TLS/RTP/SAVPF'],
    ['m=video 5000 RTP/AVP 31\n', 'no audio stream'],
    ['m=audio 0 RTP/AVP 0\n', 'no audio stream'],
    ['', 'no audio stream'],
    ['m=audio 5000 RTP/AVP 18 9\n', 'no codec in common'],
    ['m=audio 5000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n', 'no codec in common'],
    ['m=audio 5000 RTP/AVP 96\na=rtpmap:96 PCMU/16000\n', 'no codec in common'],
    ['m=audio 5000 RTP/AVP 96\na=rtpmap:96 PCMU/8000/2\n', 'no codec in common'],
    ['m=audio 5000 RTP/AVP 0\nc=IN IP4 example.org\n', 'no numeric address: example.org'],
    ['m=audio 5000 RTP/AVP 0\nc=ATM NSAP 47\n', 'no numeric address: c= is missing'],
    ['m=audio x RTP/AVP 0\n', 'line 6: no port: m=audio x RTP/AVP 0'],
  ])('%j is refused 488, and why', (lines, why) => {
    expect(answerOffer(theirs(lines), G711)).toEqual({ refuse: 488, why });
  });

  test('a dynamic number may name a static codec, and a codec offered twice is answered once', () => {
    const { answer, session } = answered(theirs('m=audio 5000 RTP/AVP 97 8 98 300 x\na=rtpmap:97 pcma/8000/1\na=rtpmap:98 PCMU/8000\na=rtpmap:300 opus/48000/2\n'), local());
    expect(media(answer)[0]).toBe('m=audio 4000 RTP/AVP 97 98');
    expect(session.send).toEqual({ name: 'PCMA', payloadType: 97 });
  });

  test.each([
    ['a=ptime:20', 'PCMU', 20], ['a=ptime:30', 'PCMU', 30], ['a=ptime:35', 'PCMU', 30], ['a=ptime:30', 'opus', 20], ['a=ptime:200', 'PCMU', 60], ['a=ptime:5', 'PCMU', 10],
    ['a=ptime:-1', 'PCMU', 10], ['a=ptime:x', 'PCMU', 20], ['a=maxptime:10', 'PCMU', 10], ['a=ptime:40\na=maxptime:30', 'PCMU', 30], ['a=x', 'PCMU', 20], ['a=ptime:0', 'PCMU', 20],
    ['a=ptime:60', 'G722', 60], ['a=ptime:60', 'L16', 40], ['a=ptime:60', 'opus', 60], ['a=ptime:50', 'opus', 40], ['a=ptime:30\na=maxptime:20', 'G722', 20],
  ] as const)('%s makes us send %s in packets of %i ms', (line, codec, ms) => {
    const format = { PCMU: '0', G722: '9', opus: '96\na=rtpmap:96 opus/48000/2', L16: '96\na=rtpmap:96 L16/16000' }[codec];
    expect(answered(theirs(`m=audio 5000 RTP/AVP ${format}\n${line}\n`), local({ codecs: ['opus', 'G722', 'L16', 'PCMU'] })).session.ptimeMs).toBe(ms);
  });

  test.each([['a=rtcp:53020', 53_020], ['a=rtcp:53020 IN IP6 2001:db8::2', 53_020], ['a=rtcp:99999', 5001], ['a=rtcp:x', 5001], ['a=x', 5001]])('%s puts RTCP at %i (RFC 3605 §2.1)', (line, port) => {
    expect(answered(theirs(`m=audio 5000 RTP/AVP 0\n${line}\n`), G711).session.rtcpPort).toBe(port);
  });

  test('to the same offer again is the same, byte for byte; to another one its version rises (RFC 3264 §8)', () => {
    const offer = theirs('m=audio 5000 RTP/AVP 0\n');
    const first = answered(offer, G711).answer;
    expect(answered(offer, G711, first).answer).toEqual(first);
    expect(answered(theirs('m=audio 5000 RTP/AVP 0\na=sendonly\n'), G711, first).answer.toString()).toContain('o=- 7 2 ');
  });
});

describe('applying an answer', () => {
  const offer = makeOffer(local());

  test("payload types may differ both ways: theirs to send, ours to receive (RFC 3264 §5.1); the first format is sent", () => {
    const session = applied(offer, theirs('m=audio 5000 RTP/AVP 120 0 121\na=rtpmap:120 opus/48000/2\na=fmtp:120 usedtx=1\na=rtpmap:121 telephone-event/48000\n'), local());
    expect(session).toMatchObject({ send: { name: 'opus', payloadType: 120, fmtp: 'usedtx=1' }, eventSend: 121, eventReceive: 102, eventHz: 48_000 });
    expect(session.receive.map((each) => each.payloadType)).toEqual([96, 8, 0]);
  });

  test('comfort noise that the other side answers is sent by its number and taken by ours; that of no answer is not sent (RFC 3389 §4)', () => {
    const own = local({ codecs: ['PCMA', 'L16'], silence: true }), ours = makeOffer(own);
    expect(applied(ours, theirs('m=audio 5000 RTP/AVP 8 13\n'), own)).toMatchObject({ noiseSend: 13, noiseReceive: 13 });
    expect(applied(ours, theirs('m=audio 5000 RTP/AVP 120 121\na=rtpmap:120 L16/16000\na=rtpmap:121 CN/16000\n'), own)).toMatchObject({ noiseSend: 121, noiseReceive: 98 });
    expect(applied(ours, theirs('m=audio 5000 RTP/AVP 8\n'), own)).not.toHaveProperty('noiseSend');
  });

  test('Opus beside telephone-event/8000 alone, as many answer, uses the clock of 8000', () => {
    const session = applied(offer, theirs('m=audio 5000 RTP/AVP 96 101\na=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\n'), local());
    expect(session).toMatchObject({ eventSend: 101, eventReceive: 101, eventHz: 8000 });
  });

  test.each([
    ['m=audio 0 RTP/AVP 0\n', 'the audio stream was refused'], ['m=audio 5000 RTP/AVP 18\n', 'no codec in common'], ['', 'no audio stream'],
    ['m=video 5000 RTP/AVP 0\n', 'no audio stream'], ['m=audio 5000 RTP/SAVP 0\n', 'transport RTP/SAVP'], ['junk\n', 'line 6: not of the form type=value: junk'],
  ])('%j is wrong, and why', (lines, wrong) => {
    expect(applyAnswer(offer, theirs(lines), local())).toEqual({ wrong });
  });

  test('the answer to a later offer is read at the place of the audio line', () => {
    const { answer } = answered(theirs('m=video 6000 RTP/AVP 31\nm=audio 5000 RTP/AVP 8\n'), local());
    const again = makeOffer(local({ direction: 'sendonly' }), answer);
    const session = applied(again, theirs('m=video 0 RTP/AVP 31\nm=audio 5000 RTP/AVP 8\na=recvonly\n'), local({ direction: 'sendonly' }));
    expect(session).toMatchObject({ direction: 'sendonly', remote: { host: '198.51.100.2', port: 5000 }, send: { name: 'PCMA' } });
  });

  test('a held side that wants to send all the same does not reopen our stream', () => {
    const held = local({ direction: 'sendonly' });
    expect(applied(makeOffer(held), theirs('m=audio 5000 RTP/AVP 0\na=sendrecv\n'), held).direction).toBe('sendonly');
  });
});

describe("the RFCs' examples", () => {
  test('RFC 3264 §10.1, with an address in place of the name: one audio and two video streams, of which the audio is taken', () => {
    const { answer, session } = answered(Buffer.from('v=0\r\no=alice 2890844526 2890844526 IN IP4 host.anywhere.com\r\ns=\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n'
      + 'm=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 51372 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\nm=video 53000 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n'), G711);
    expect(media(answer).filter((line) => line.startsWith('m='))).toEqual(['m=audio 4000 RTP/AVP 0', 'm=video 0 RTP/AVP 31', 'm=video 0 RTP/AVP 32']);
    expect(session.remote).toEqual({ host: '203.0.113.1', port: 49_170 });
  });

  test('RFC 3264 §10.2: one of N codecs, of which the answerer takes the first it knows', () => {
    const { answer, session } = answered(theirs('m=audio 62986 RTP/AVP 0 4 18\na=rtpmap:0 PCMU/8000\na=rtpmap:4 G723/8000\na=rtpmap:18 G729/8000\na=inactive\n'), G711);
    expect(media(answer)[0]).toBe('m=audio 4000 RTP/AVP 0');
    expect(session).toMatchObject({ send: { name: 'PCMU' }, direction: 'inactive' });
  });

  // RFC 4317: section, offer, what we answer with G.711 only.
  test.each([
    ['§2.1 audio and video', 'm=audio 49170 RTP/AVP 0 8 97\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:97 iLBC/8000\nm=video 51372 RTP/AVP 31 32\na=rtpmap:31 H261/90000\na=rtpmap:32 MPV/90000\n',
      ['m=audio 4000 RTP/AVP 0 8', 'm=video 0 RTP/AVP 31 32']],
    ['§2.4 audio and telephone-events as a stream of their own', 'm=audio 49170 RTP/AVP 0 97\na=rtpmap:0 PCMU/8000\na=rtpmap:97 iLBC/8000\nm=audio 49172 RTP/AVP 98\na=rtpmap:98 telephone-event/8000\na=sendonly\n',
      ['m=audio 4000 RTP/AVP 0', 'm=audio 0 RTP/AVP 98']],
    ['§3.1 hold', 'm=audio 49170 RTP/AVP 0 97\na=rtpmap:0 PCMU/8000\na=rtpmap:97 iLBC/8000\na=sendonly\n', ['m=audio 4000 RTP/AVP 0']],
    ['§4.1 audio added later', 'm=audio 49170 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=audio 49172 RTP/AVP 98\na=rtpmap:98 telephone-event/8000\na=sendonly\n', ['m=audio 4000 RTP/AVP 0', 'm=audio 0 RTP/AVP 98']],
    ['§5.1 third-party control, with the audio line second', 'm=video 0 RTP/AVP 31\nm=audio 49170 RTP/AVP 8 0\n', ['m=video 0 RTP/AVP 31', 'm=audio 4000 RTP/AVP 8 0']],
  ])('RFC 4317 %s', (_, lines, expected) => {
    expect(media(answered(theirs(lines), G711).answer).filter((line) => line.startsWith('m='))).toEqual(expected);
  });
});

describe('offers as other makes send them', () => {
  // Shape of each make's offer, shortened where lines repeat; what we take of it with Opus, PCMA, PCMU.
  test.each([
    ['baresip', 'b=AS:125\na=tool:baresip\nm=audio 16490 RTP/AVP 96 0 8 101\nb=AS:125\na=rtpmap:96 opus/48000/2\na=fmtp:96 stereo=1;sprop-stereo=1;useinbandfec=1\na=rtpmap:0 PCMU/8000\n'
      + 'a=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=rtcp:16491\na=sendrecv\na=label:1\na=rtcp-rsize\na=ssrc:23 cname:sip:a@b\na=ptime:20\n',
      '96 0 8 101', { send: { name: 'opus', payloadType: 96 }, eventHz: 8000, ptimeMs: 20, rtcpPort: 16_491 }],
    ['Asterisk', 'm=audio 18002 RTP/AVP 8 0 9 101\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\na=rtpmap:9 G722/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\na=ptime:20\na=maxptime:150\na=sendrecv\n',
      '8 0 101', { send: { name: 'PCMA', payloadType: 8 }, eventSend: 101, ptimeMs: 20 }],
    ['FreeSWITCH', 'm=audio 30116 RTP/AVP 102 9 0 8 103 101\na=rtpmap:102 opus/48000/2\na=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40\n'
      + 'a=rtpmap:9 G722/8000\na=rtpmap:103 telephone-event/48000\na=fmtp:103 0-15\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\n',
      '102 0 8 103', { send: { name: 'opus', payloadType: 102 }, eventSend: 103, eventHz: 48_000, ptimeMs: 20 }],
    ['a FRITZ!Box', 'a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\nm=audio 7078 RTP/AVP 9 8 0 2 102 100 99 97 101\na=sendrecv\na=rtpmap:2 G726-32/8000\na=rtpmap:102 G726-32/8000\n'
      + 'a=rtpmap:100 G726-40/8000\na=rtpmap:99 G726-24/8000\na=rtpmap:97 iLBC/8000\na=fmtp:97 mode=30\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=rtcp:7079\n',
      '8 0 101', { send: { name: 'PCMA', payloadType: 8 }, rtcpPort: 7079 }],
    ['Linphone', 'b=AS:380\na=rtcp-xr:rcvr-rtt=all:10000\na=record:off\nm=audio 7076 RTP/AVPF 96 97 98 0 8 18 101 99 100\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\na=rtpmap:97 speex/16000\na=fmtp:97 vbr=on\n'
      + 'a=rtpmap:98 speex/8000\na=rtpmap:101 telephone-event/48000\na=rtpmap:99 telephone-event/16000\na=rtpmap:100 telephone-event/8000\na=rtcp-fb:* trr-int 5000\na=rtcp-fb:* ccm tmmbr\n',
      '96 0 8 101', { send: { name: 'opus', payloadType: 96 }, eventSend: 101, eventHz: 48_000 }],
    ['a Cisco gateway', 'm=audio 17284 RTP/AVP 18 0 101\na=rtpmap:18 G729/8000\na=fmtp:18 annexb=no\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n',
      '0 101', { send: { name: 'PCMU', payloadType: 0 }, eventReceive: 101 }],
  ] as const)('%s', (_, lines, formats, session) => {
    const result = answered(theirs(lines), local());
    expect(media(result.answer)[0]).toMatch(new RegExp(`^m=audio 4000 RTP/AVPF? ${formats}$`));
    expect(result.session).toMatchObject(session);
  });

  test('a browser, which speaks DTLS-SRTP only, is refused', () => {
    expect(answerOffer(theirs('a=group:BUNDLE 0\na=msid-semantic: WMS\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\na=rtcp:9 IN IP4 0.0.0.0\na=ice-ufrag:x\na=setup:actpass\na=mid:0\na=rtcp-mux\n'
      + 'a=rtpmap:111 opus/48000/2\n'), local())).toEqual({ refuse: 488, why: 'transport UDP/TLS/RTP/SAVPF' });
  });
});

describe('two of us', () => {
  const codecs = fc.shuffledSubarray<CodecName>(['opus', 'G722', 'L16', 'PCMU', 'PCMA'], { minLength: 1 });
  const side = (host: string) => fc.record({
    codecs, host: fc.constant(host), port: fc.integer({ min: 512, max: 32_000 }).map((n) => 2 * n), ptimeMs: fc.constantFrom(10, 20, 40, 60),
    direction: fc.constantFrom<Direction>('sendrecv', 'sendonly', 'recvonly', 'inactive'), sessionId: fc.nat(), version: fc.nat(9), answerOrder: fc.constantFrom<'offer' | 'local'>('offer', 'local'),
    apart: fc.boolean(),
  }).map(({ apart, ...rest }): LocalMedia => ({ ...rest, rtcpPort: apart ? 9 : rest.port + 1 }));
  const mirror: Readonly<Record<Direction, Direction>> = { sendrecv: 'sendrecv', sendonly: 'recvonly', recvonly: 'sendonly', inactive: 'inactive' };

  /** What one sends, the other takes, by codec, number and clock; each reaches the other; directions face each other. */
  function agree(a: StreamSession, b: StreamSession, left: LocalMedia, right: LocalMedia): void {
    for (const [one, other, far] of [[a, b, right], [b, a, left]] as const) {
      expect(other.receive.map((each) => `${each.name} ${each.payloadType}`)).toContain(`${one.send.name} ${one.send.payloadType}`);
      expect(one.eventSend).toBe(other.eventReceive);
      expect(one.eventSend).toBeDefined();
      expect(one.remote).toEqual({ host: far.host, port: far.port });
      expect(one.rtcpPort).toBe(far.rtcpPort);
    }
    expect(a.eventHz).toBe(b.eventHz);
    expect(a.send.name).toBe(b.send.name);
    expect(b.direction).toBe(mirror[a.direction]);
  }

  test('an answer to any offer of ours applies without error and both sessions agree, again after a change and a re-offer from the other side', () => {
    let calls = 0;
    fc.assert(fc.property(side('192.0.2.1'), side('2001:db8::2'), side('192.0.2.3'), (left, right, later) => {
      const offer = makeOffer(left);
      const reply = answerOffer(offer, right);
      if ('refuse' in reply) {
        expect(left.codecs.some((each) => right.codecs.includes(each))).toBe(false);
        return;
      }
      agree(applied(offer, reply.answer, left), reply.session, left, right);
      // The other side now offers with what it has become.
      const changed = { ...later, sessionId: right.sessionId };
      const again = makeOffer(changed, reply.answer);
      const second = answerOffer(again, left, offer);
      if ('refuse' in second) return;
      agree(applied(again, second.answer, changed), second.session, changed, left);
      calls++;
    }), { numRuns: 500 });
    expect(calls).toBeGreaterThan(100);
  });

  test('no bytes from the other side make any of it throw', () => {
    const piece = fc.constantFrom('m=audio 4000 RTP/AVP 0 96 101\r\n', 'm=audio 0 RTP/AVP 8\r\n', 'c=IN IP4 192.0.2.7\r\n', 'c=IN IP6 ::\r\n', 'a=rtpmap:96 opus/48000/2\r\n', 'a=rtpmap:101 telephone-event/8000\r\n',
      'a=rtpmap:', 'a=fmtp:96 ', 'a=ptime:', 'a=maxptime:', 'a=rtcp:', 'a=inactive\r\n', '0', '-1', '1e9', '\r\n', ' ', 'o=x 1 99999999999999999999999 IN IP4 x\r\n');
    const start = makeOffer(local());
    fc.assert(fc.property(fc.array(fc.oneof({ weight: 4, arbitrary: piece }, fc.string()), { maxLength: 40 }), (parts) => {
      const bytes = Buffer.from(`v=0\r\n${parts.join('')}`);
      const reply = answerOffer(bytes, local());
      if ('answer' in reply) {
        expect(answerOffer(reply.answer, local({ codecs: ['PCMU', 'PCMA', 'opus'] }))).toHaveProperty('session');
        expect([10, 20, 30, 40, 50, 60]).toContain(reply.session.ptimeMs);
        expect(reply.session.rtcpPort).toBeLessThan(65_536);
      }
      applyAnswer(start, bytes, local());
      makeOffer(local(), bytes);
    }), { numRuns: 3000 });
  });
});

describe('reports of quality (RFC 3611 §5)', () => {
  const own = local({ codecs: ['PCMA'], rtcpXr: true }), XR = 'a=rtcp-xr:rcvr-rtt=all voip-metrics';
  const peer = (attributes: string, session = '') => theirs(`${session}m=audio 5000 RTP/AVP 8\n${attributes}`);

  test('metrics are asked for in an offer, where the setting says so', () => {
    expect(media(makeOffer(own))).toContain(XR);
    expect(media(makeOffer(local({ codecs: ['PCMA'] }))).join()).not.toContain('rtcp-xr');
    expect(media(makeOffer({ ...own, direction: 'sendonly' }, makeOffer(own)))).toContain(XR);
  });

  test.each([
    ['asks', 'a=rtcp-xr:voip-metrics\n', '', 'voip-metrics'],
    ['asks for more', 'a=rtcp-xr:pkt-loss-rle=100 rcvr-rtt=all:128 voip-metrics\n', '', 'pkt-loss-rle=100 rcvr-rtt=all:128 voip-metrics'],
    ['asks for the whole session', '', 'a=rtcp-xr:voip-metrics\n', 'voip-metrics'],
    ['has its own word', 'a=rtcp-xr:stat-summary=loss\n', 'a=rtcp-xr:voip-metrics\n', 'stat-summary=loss'],
  ])('an offer that %s is answered in kind, and what it asks for is the session\'s', (_, attributes, sessionLines, rtcpXr) => {
    const made = answered(peer(attributes, sessionLines), own);
    expect(made.session.rtcpXr).toBe(rtcpXr);
    expect(media(made.answer)).toContain(XR);
  });

  test('an offer that does not ask, or asks for nothing, is answered without; so is any where the setting says no', () => {
    for (const made of [answered(peer(''), own), answered(peer('a=rtcp-xr\n'), own), answered(peer('a=rtcp-xr:voip-metrics\n'), { ...own, rtcpXr: false })]) {
      expect(made.session.rtcpXr).toBeUndefined();
      expect(made.answer.toString()).not.toContain('rtcp-xr');
    }
  });

  test('an answer says what they want', () => {
    expect(applied(makeOffer(own), peer('a=rtcp-xr:voip-metrics\n'), own).rtcpXr).toBe('voip-metrics');
    expect(applied(makeOffer(own), peer(''), own).rtcpXr).toBeUndefined();
    const plain = { ...own, rtcpXr: false };
    expect(applied(makeOffer(plain), peer('a=rtcp-xr:voip-metrics\n'), plain).rtcpXr).toBeUndefined();
  });

  test('it stands beside rtcp-mux (RFC 5761)', () => {
    const made = answered(peer('a=rtcp-mux\na=rtcp-xr:voip-metrics\n'), { ...own, rtcpMux: true });
    expect(media(made.answer)).toEqual(expect.arrayContaining(['a=rtcp-mux', XR]));
    expect(media(answered(peer('a=rtcp-xr:voip-metrics\n'), { ...own, rtcpMux: true }).answer)).not.toContain('a=rtcp-mux');
  });
});
