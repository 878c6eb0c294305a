import fc from 'fast-check';
import { expect, test } from 'vitest';
import { framer } from '../../src/sip/framing.ts';

const first = 'OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nContent-Length: 5\r\n\r\nhello';
const second = 'SIP/2.0 200 OK\r\nl: 0\r\n\r\n';

function collect(): { heard: string[]; take: (chunk: Buffer) => void } {
  const heard: string[] = [];
  return {
    heard,
    take: framer({
      onMessage: (m) => heard.push(m.bytes.toString()),
      onMalformed: (m) => heard.push(`${m.framed ? 'framed' : 'lost'}: ${m.malformed}`),
      onPing: () => heard.push('ping'),
      onPong: () => heard.push('pong'),
    }),
  };
}

test('messages come out whole however the stream is cut (RFC 3261 §18.3)', () => {
  const stream = Buffer.from(`${first}${second}\r\n\r\n${first}`);
  for (let cut = 1; cut < stream.length; cut++) {
    const { heard, take } = collect();
    take(Buffer.from(stream.subarray(0, cut)));
    take(Buffer.from(stream.subarray(cut)));
    expect(heard.filter((h) => h !== 'pong'), `cut at ${cut}`).toEqual([first, second, 'ping', first]);
  }
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 200 }), (sizes) => {
    const { heard, take } = collect();
    for (let at = 0, i = 0; at < stream.length; i++) {
      const size = sizes[i % sizes.length]!;
      take(Buffer.from(stream.subarray(at, at + size)));
      at += size;
    }
    expect(heard.filter((h) => h !== 'pong')).toEqual([first, second, 'ping', first]);
  }), { numRuns: 100 });
});

test('a double line break is a ping, a single one a pong (RFC 5626 §3.5.1)', () => {
  const { heard, take } = collect();
  take(Buffer.from('\r\n\r\n'));
  take(Buffer.from('\r\n'));
  take(Buffer.from(`\r\n${first}`)); // its other half is a leading line break, §7.5
  expect(heard).toEqual(['ping', 'pong', 'ping', first]);
});

test('without Content-Length, or with a wrong one, the stream is lost (RFC 3261 §18.3)', () => {
  for (const bad of ['OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n\r\n', 'OPTIONS sip:a@b SIP/2.0\r\nl: -1\r\n\r\n', 'OPTIONS sip:a@b SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n']) {
    const { heard, take } = collect();
    take(Buffer.from(bad + second));
    take(Buffer.from(second));
    expect(heard, bad).toHaveLength(1);
    expect(heard[0]).toMatch(/^lost: /);
  }
});

test('a bad line in a message whose end is known loses that message only', () => {
  const { heard, take } = collect();
  take(Buffer.from(`OPTIONS sip:a@b SIP/2.0\r\nno header\r\nl: 2\r\n\r\nxx${second}`));
  expect(heard).toEqual(['framed: header line 1 is not "name: value"', second]);
});

test('a header without end is refused at the limit, not kept', () => {
  const { heard, take } = collect();
  const line = Buffer.from(`X: ${'y'.repeat(1_000)}\r\n`);
  take(Buffer.from('OPTIONS sip:a@b SIP/2.0\r\n'));
  for (let i = 0; i < 100; i++) take(Buffer.from(line));
  expect(heard).toEqual([expect.stringMatching(/^lost: /)]);
});

test('a message stays as it was while the next ones come a byte at a time, and the greatest comes so too', () => {
  const kept: { readonly bytes: Buffer; readonly was: string }[] = [], partial: boolean[] = [];
  const take = framer({ onMessage: ({ bytes }) => kept.push({ bytes, was: bytes.toString() }), onMalformed: () => undefined, onPing: () => undefined, onPong: () => undefined });
  const great = first.replace('Content-Length: 5', 'Content-Length: 60000').replace('hello', 'x'.repeat(60_000));
  for (const byte of Buffer.from(`${first}${second}\r\n${great}${first}`)) partial.push(take(Buffer.from([byte])));
  expect(kept.map(({ was }) => was)).toEqual([first, second, great, first]);
  for (const { bytes, was } of kept) expect(bytes.toString() === was).toBe(true);
  expect(partial.filter((begun) => !begun), 'between messages it says so').toHaveLength(4 + 2);
});

test('a Content-Length beyond what a message may have is not waited for', () => {
  const { heard, take } = collect();
  take(Buffer.from(first.replace('Content-Length: 5', 'Content-Length: 100000')));
  expect(heard).toEqual([expect.stringMatching(/^lost: /)]);
});

test('any bytes in any chunks never throw', () => {
  const piece = fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constantFrom(first, second, '\r\n', 'l: 3\r\n', '\r\n\r\n', 'INVITE sip:a SIP/2.0\r\n').map((s) => Buffer.from(s)));
  fc.assert(fc.property(fc.array(piece, { maxLength: 20 }), (chunks) => {
    const { take } = collect();
    for (const chunk of chunks) take(Buffer.from(chunk));
  }), { numRuns: 1_000 });
});
