import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Endpoint } from '../../src/ports/net.ts';
import { buildBinding, isStun, mappedIn, stunFlows } from '../../src/sip/stun.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeRandom } from '../fakes/random.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');
/** The responses of RFC 5769 §2.2 and §2.3: software, mapped address, integrity, fingerprint. */
const ID = hex('b7e7a701bc34d686fa87dfae');
const V4 = hex(`0101003c2112a442b7e7a701bc34d686fa87dfae 8022000b7465737420766563746f7220 002000080001a147e112a643
  000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004c07d4c96`);
const V6 = hex(`010100482112a442b7e7a701bc34d686fa87dfae 8022000b7465737420766563746f7220 002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9
  00080014a382954e4be67bf11784c97c8292c275bfe3ed41 80280004c8fb0b4c`);

function answer(request: Buffer, host = '192.0.2.1', port = 32_853, type = 0x0101): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(12, 2);
  request.copy(bytes, 4, 4, 20);
  bytes.writeUInt32BE(0x0020_0008, 20);
  bytes[25] = 1;
  bytes.writeUInt16BE(port ^ 0x2112, 26);
  host.split('.').forEach((part, i) => { bytes[28 + i] = Number(part) ^ bytes[4 + i]!; });
  return bytes;
}

describe('STUN messages (RFC 8489)', () => {
  test('a binding request: method, no attributes, magic cookie, id (§5)', () => {
    expect(buildBinding(ID).toString('hex')).toBe('000100002112a442b7e7a701bc34d686fa87dfae');
  });

  test('the sample responses give the address as the server sees it (RFC 5769 §2.2, §2.3)', () => {
    expect(mappedIn(V4, ID)).toBe('192.0.2.1 32853');
    expect(mappedIn(V6, ID)).toBe('20010db8123456780011223344556677 32853');
  });

  test('the old MAPPED-ADDRESS counts where there is no other (§14.1)', () => {
    const plain = answer(buildBinding(ID));
    hex('0001 0008 0001 8055 c0000201').copy(plain, 20);
    expect(mappedIn(plain, ID)).toBe('192.0.2.1 32853');
  });

  test('SIP and keep-alives are no STUN (§6.3.1.1)', () => {
    for (const text of ['SIP/2.0 200 OK\r\nVia: x\r\n\r\n', '\r\n\r\n', '', '\0\0\0\0'.repeat(6)]) expect(isStun(Buffer.from(text))).toBe(false);
    expect(isStun(V4)).toBe(true);
    expect(isStun(V4.subarray(0, -1))).toBe(false);
  });

  test('another id, an error, cut-short attributes and sizes that do not fit tell nothing', () => {
    expect(mappedIn(V4, hex('000000000000000000000000'))).toBeUndefined();
    expect(mappedIn(answer(buildBinding(ID), '192.0.2.1', 1, 0x0111), ID)).toBeUndefined();
    for (const [at, value] of [[23, 20], [25, 2], [25, 0], [23, 4]] as const) {
      const bad = answer(buildBinding(ID));
      bad[at] = value;
      expect(mappedIn(bad, ID), `${at} ${value}`).toBeUndefined();
    }
  });

  test('ten thousand damaged answers: none throws', () => {
    fc.assert(fc.property(fc.constantFrom(V4, V6), fc.array(fc.tuple(fc.nat(91), fc.nat(255)), { maxLength: 5 }), (whole, blows) => {
      const bytes = Buffer.from(whole);
      for (const [at, value] of blows) bytes[at % bytes.length] = value;
      expect(mappedIn(bytes, ID) ?? '0 0').toMatch(/^[\d.a-f]+ \d+$/);
    }), { numRuns: 10_000 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (tail) => {
      const bytes = Buffer.concat([V4.subarray(0, 20), tail]);
      bytes.writeUInt16BE(tail.length, 2);
      mappedIn(bytes, ID);
    }), { numRuns: 5_000 });
  });
});

describe('a flow kept by STUN (RFC 5626 §4.4.2)', () => {
  const SERVER: Endpoint = { host: '192.0.2.5', port: 5060 };
  function bench() {
    const clock = new FakeClock(), random = new FakeRandom(1), sent: { atMs: number; bytes: Buffer }[] = [], failed: string[] = [];
    const flows = stunFlows(clock, (bytes) => sent.push({ atMs: clock.now(), bytes }), (to, detail) => failed.push(`${to.host} ${detail}`));
    return { clock, sent, failed, flows, ping: () => flows.ping(SERVER, random) };
  }

  test('asked and answered with the same address again and again it stays', () => {
    const { clock, sent, failed, flows, ping } = bench();
    for (let i = 1; i <= 5; i++) {
      ping();
      expect(flows.take(answer(sent.at(-1)!.bytes), SERVER)).toBe(true);
      expect(sent).toHaveLength(i);
      clock.advance(25_000);
    }
    expect([failed, clock.pending]).toEqual([[], 0]);
  });

  test('unanswered it is asked again, and dead after 7.5 s', () => {
    const { clock, sent, failed, ping } = bench();
    ping();
    clock.advance(5_000);
    ping(); // under way
    clock.advance(2_499);
    expect(failed).toEqual([]);
    clock.advance(1);
    expect(failed).toEqual(['192.0.2.5 no answer to the keep-alive']);
    expect(sent.map((s) => s.atMs)).toEqual([0, 500, 1_500, 3_500]);
    expect(new Set(sent.map((s) => s.bytes.toString('hex'))).size).toBe(1);
    ping();
    expect(sent).toHaveLength(5);
  });

  test('another mapped address is a failure, once', () => {
    const { sent, failed, flows, ping } = bench();
    ping();
    flows.take(answer(sent.at(-1)!.bytes), SERVER);
    ping();
    flows.take(answer(sent.at(-1)!.bytes, '192.0.2.1', 1_024), SERVER);
    expect(failed).toEqual(['192.0.2.5 our address at the router is another']);
    ping();
    flows.take(answer(sent.at(-1)!.bytes, '192.0.2.1', 1_024), SERVER);
    expect(failed).toHaveLength(1);
  });

  test('an error response is a failure', () => {
    const { sent, failed, flows, ping } = bench();
    ping();
    flows.take(answer(sent.at(-1)!.bytes, '192.0.2.1', 1, 0x0111), SERVER);
    expect(failed).toEqual(['192.0.2.5 the keep-alive was refused']);
  });

  test('answers of others, to other requests, and requests change nothing', () => {
    const { clock, sent, failed, flows, ping } = bench();
    ping();
    const request = sent[0]!.bytes;
    expect(flows.take(answer(request), { host: '192.0.2.6', port: 5060 })).toBe(true);
    expect(flows.take(answer(buildBinding(ID)), SERVER)).toBe(true);
    expect(flows.take(buildBinding(ID), SERVER)).toBe(true);
    clock.advance(500);
    expect([sent.length, failed]).toEqual([2, []]);
    flows.close();
    expect(clock.pending).toBe(0);
  });
});
