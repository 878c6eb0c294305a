import { expect, test } from 'vitest';
import { gap, rung } from '../../src/main/ladder.ts';
import type { KeptMessage } from '../../src/main/message-ring.ts';

const kept = (text: string, more: Partial<KeptMessage> = {}): KeptMessage => ({ n: 1, at: new Date(2026, 0, 2, 14, 3, 7, 120).getTime(), direction: 'out', transport: 'udp', peer: '192.0.2.10:5060', text: text.replace(/\n/g, '\r\n'), ...more });
const PLAIN = { colour: false, full: false };
const INVITE = 'INVITE sip:202@pbx.example SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nFrom: "Alice" <sip:201@pbx.example>;tag=a\nt: <sip:202@pbx.example>\ni: call-1\nCSeq: 2 INVITE\nc: application/sdp\nContent-Length: 3\n\nv=0';
const OK = 'SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nFrom: <sip:201@pbx.example>;tag=a\nTo: <sip:202@pbx.example>;tag=b\nCall-ID: call-1\nCSeq: 2 INVITE\nExpires: 60\n\n';

test('a request says time, way, peer, call, first line and what matters', () => {
  expect(rung(kept(INVITE), PLAIN)).toMatch(/^14:03:07\.120 {2}us --> 192\.0\.2\.10:5060 udp {8}[0-9a-f]{4} {2}INVITE sip:202@pbx\.example {14}201 > 202, CSeq 2 INVITE, sdp$/);
});

test('a response comes from the other side, with the four letters of its call', () => {
  const line = rung(kept(OK, { direction: 'in', transport: 'tcp' }), PLAIN);
  expect(line).toMatch(/us <-- 192\.0\.2\.10:5060 tcp {8}[0-9a-f]{4} {2}200 OK +CSeq 2 INVITE, Expires 60$/);
  expect(/ ([0-9a-f]{4}) {2}200/.exec(line)![1]).toBe(/ ([0-9a-f]{4}) {2}INVITE/.exec(rung(kept(INVITE), PLAIN))![1]);
});

test('events say which and how they stand', () => {
  const notify = 'NOTIFY sip:201@192.0.2.1 SIP/2.0\nFrom: <sip:pbx.example>;tag=a\nTo: <sip:201@pbx.example>;tag=b\nCall-ID: x\nCSeq: 7 NOTIFY\nEvent: message-summary\nSubscription-State: active;expires=60\nContent-Type: application/simple-message-summary\n\n';
  expect(rung(kept(notify), PLAIN)).toMatch(/pbx\.example > 201, CSeq 7 NOTIFY, Event message-summary, State active;expires=60, simple-message-summary$/);
});

test('with colours each call has its own', () => {
  const one = rung(kept(INVITE), { colour: true, full: false }), two = rung(kept(INVITE.replace('call-1', 'call-2')), { colour: true, full: false });
  expect(one).toMatch(/\x1b\[\d\dm[0-9a-f]{4} {2}INVITE/);
  expect(/\x1b\[\d\dm/.exec(one)![0]).not.toBe(/\x1b\[\d\dm/.exec(two)![0]);
});

test('in full the message stands below', () => {
  expect(rung(kept(OK), { colour: false, full: true }).split('\n').slice(1, 3)).toEqual(['    SIP/2.0 200 OK', '    Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1']);
});

test.each([['rubbish', 'hello\x1b[2J\nthere'], ['nothing', ''], ['a cut message', INVITE.slice(0, 90)], ['a terminal\'s own letters', INVITE.replace('202@', '\x1b]0;x\x07@').replace('Alice', '\x9b2J')]])('%s neither throws nor steers the terminal', (_, text) => {
  for (const full of [false, true]) expect(rung(kept(text), { colour: false, full })).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f]/);
});

test('what was not kept is said', () => {
  expect(gap(5, 5)).toBe('');
  expect(gap(5, 9)).toBe('... 4 messages were not kept');
});
