import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { sessionOf, understands } from '../../src/sip/body.ts';
import { parseMessage, text, type Message } from '../../src/sip/message.ts';
import { FakeRandom } from '../fakes/random.ts';
import { bench, CONTACT, lines } from './call-bench.ts';

function message(headers: string[], body: string): Message {
  const read = parseMessage(Buffer.from(['INVITE sip:a@b SIP/2.0', 'Via: SIP/2.0/UDP h;branch=z9hG4bKx', 'From: <sip:a@b>;tag=1', 'To: <sip:b@b>', 'Call-ID: c', 'CSeq: 1 INVITE', ...headers, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n')));
  assert.notEqual(read.kind, 'malformed');
  return read as Message;
}
/** A multipart body of parts, each its header lines and what it holds. */
const mixed = (boundary: string, ...parts: [head: string, body: string][]) => `${parts.map(([head, body]) => `--${boundary}\r\n${head === '' ? '' : `${head}\r\n`}\r\n${body}\r\n`).join('')}--${boundary}--\r\n`;
const SDP = 'Content-Type: application/sdp', PIDF = 'Content-Type: application/pidf+xml';

const rows: [what: string, headers: string[], body: string, session: string | undefined, understood: boolean][] = [
  ['no body', [], '', undefined, true],
  ['SDP alone', ['Content-Type: application/sdp;charset=utf-8'], 'v=0', 'v=0', true],
  ['the compact form (RFC 3261 §7.3.3)', ['c: application/SDP'], 'v=0', 'v=0', true],
  ['another type, required unless it says otherwise (RFC 5621 §8.2)', ['Content-Type: text/plain'], 'hello', undefined, false],
  ['another type, handling=optional (RFC 3261 §20.11)', ['Content-Type: text/plain', 'Content-Disposition: render; handling=optional'], 'hello', undefined, true],
  ['SDP first of two parts, the other optional (RFC 5621 §8.3)', ['Content-Type: multipart/mixed;boundary=x'], mixed('x', [SDP, 'v=0\r\ns=-'], [`${PIDF}\r\nContent-Disposition: render;handling="optional"`, '<p/>']), 'v=0\r\ns=-', true],
  ['SDP second, with a preamble and a quoted boundary (RFC 2046 §5.1.1)', ['Content-Type: multipart/mixed; boundary="a b"'], `preamble\r\n${mixed('a b', [`content-disposition: x;HANDLING=optional\r\nContent-Type:\r\n text/plain`, '1'], [SDP, 'v=0'])}`, 'v=0', true],
  ['a required part that nobody knows (RFC 5621 §8.3)', ['Content-Type: multipart/mixed;boundary=x'], mixed('x', [SDP, 'v=0'], [`${PIDF}\r\nContent-Disposition: render;handling=required`, '<p/>']), 'v=0', false],
  ['a part without a type is text (RFC 2046 §5.1)', ['Content-Type: multipart/mixed;boundary=x'], mixed('x', ['', 'words'], [SDP, 'v=0']), 'v=0', false],
  ['the whole optional', ['Content-Type: multipart/mixed;boundary=x', 'Content-Disposition: session;handling=optional'], mixed('x', [PIDF, '<p/>']), undefined, true],
  ['of alternatives the one we know (RFC 2046 §5.1.4)', ['Content-Type: multipart/alternative;boundary=x'], mixed('x', [SDP, 'v=0'], ['Content-Type: application/x-new', 'n']), 'v=0', true],
  ['parts within parts', ['Content-Type: multipart/mixed;boundary=x'], mixed('x', ['Content-Type: multipart/related;boundary=yy', mixed('yy', [SDP, 'v=0'])]), 'v=0', true],
  ['a boundary that begins like another', ['Content-Type: multipart/mixed;boundary=x'], mixed('x', [SDP, 'v=0\r\na=--x']), 'v=0\r\na=--x', true],
  ['the last part cut short', ['Content-Type: multipart/mixed;boundary=x'], '--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x\r\nContent-Type: text', 'v=0', true],
  ['no boundary named', ['Content-Type: multipart/mixed'], mixed('x', [SDP, 'v=0']), undefined, false],
];

describe('what a body holds', () => {
  for (const [what, headers, body, session, understood] of rows) {
    test(what, () => {
      const m = message(headers, body);
      assert.equal(sessionOf(m)?.toString(), session);
      assert.equal(understands(m, ['application/sdp']), understood);
    });
  }

  test('nothing that a peer writes there throws, or takes long', () => {
    const random = new FakeRandom(7), pieces = ['--x', '--', '\r\n', '\r\n\r\n', 'Content-Type:', ' multipart/mixed;boundary=x', ' application/sdp', 'v=0', '\n ', ';handling=optional', 'Content-Disposition: ', '"', '\0'];
    const any = () => pieces[Math.floor(random.fraction() * pieces.length)]!;
    const types = ['multipart/mixed;boundary=x', 'multipart/alternative;boundary="x', 'multipart/related;boundary=', 'multipart/;boundary=x', 'multipart/mixed;boundary=(.*)+$', ''];
    for (let i = 0; i < 3_000; i++) {
      const m = message([`Content-Type: ${types[i % types.length]}`], Array.from({ length: i % 60 }, any).join(''));
      sessionOf(m);
      understands(m, ['application/sdp']);
    }
    const since = performance.now();
    for (const unit of ['--x\r\n', '--x\r\n\r\n\r\n', '\r\n--x\r\nContent-Type:\r\n \r\n \r\n\r\nv']) sessionOf(message(['Content-Type: multipart/mixed;boundary=x'], unit.repeat(60_000 / unit.length)));
    assert.ok(performance.now() - since < 5_000);
  });

  test('nesting without end is no trouble', () => {
    let body = mixed('b0', [SDP, 'v=0']);
    for (let i = 1; i < 200; i++) body = mixed(`b${i}`, [`Content-Type: multipart/mixed;boundary=b${i - 1}`, body]);
    assert.equal(sessionOf(message(['Content-Type: multipart/mixed;boundary=b199'], body)), undefined);
  });
});

describe('a call whose body has parts', () => {
  const invite = async (optional: boolean) => {
    const { town, phone, peer } = await bench();
    peer.send('10.0.0.1', lines('INVITE', 1, [CONTACT, 'Content-Type: multipart/mixed;boundary=x']), mixed('x', [`${PIDF}${optional ? '\r\nContent-Disposition: render;handling=optional' : ''}`, '<p/>'], [SDP, 'v=0 offer']));
    await town.run(20);
    return { town, phone, peer };
  };

  test('offers what its description says (RFC 5621 §3)', async () => {
    const { phone } = await invite(true);
    assert.deepEqual(phone.incoming[0]!.told, ['offer v=0 offer']);
  });

  test('is refused by 415 and what we take when a required one is unknown (RFC 5621 §8.3)', async () => {
    const { phone, peer } = await invite(false);
    assert.deepEqual([peer.statuses(), text(peer.got[0]!, 'accept'), phone.incoming.length], [[415], 'application/sdp, multipart/mixed', 0]);
  });
});
