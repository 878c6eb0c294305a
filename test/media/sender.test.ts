import { describe, expect, test } from 'vitest';
import type { Codec } from '../../src/media/codec.ts';
import { createCodec } from '../../src/media/codec.ts';
import type { CodecUse } from '../../src/media/door.ts';
import { readRtp, rtpPacket } from '../../src/media/rtp.ts';
import { Sender } from '../../src/media/sender.ts';
import { FakeRandom } from '../fakes/random.ts';
import { G722, L16, PCMA, voice } from './bench.ts';

interface Sent {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

function sender(): { sender: Sender; sent: Sent[]; say(from: number, count: number, sound?: (i: number) => number): void } {
  const sent: Sent[] = [], packet = rtpPacket();
  const one = new Sender(new FakeRandom(1), (bytes) => {
    expect(readRtp(Buffer.from(bytes), packet)).toBe(true);
    sent.push({ ...packet, payload: Uint8Array.from(packet.payload) });
  });
  one.enabled = true;
  return { sender: one, sent, say: (from, count, sound = voice) => one.push(Int16Array.from({ length: count }, (_, i) => sound(from + i)), count) };
}
const codec = (use: CodecUse): Codec => createCodec(use, { opusBitrate: 32_000, opusComplexity: 5 });

describe('packets', () => {
  test.each([
    ['PCMA', PCMA, 10, 80, 80], ['PCMA', PCMA, 30, 240, 240], ['PCMA', PCMA, 60, 480, 480], ['G722', G722, 10, 80, 80], ['G722', G722, 20, 160, 160], ['G722', G722, 50, 400, 400],
    ['L16', L16, 10, 320, 160], ['L16', L16, 40, 1280, 640],
  ] as const)('of %s hold the packet time asked for: %3$i ms are %4$i bytes and %5$i ticks (RFC 3551 §4.2)', (_, use, ptimeMs, bytes, ticks) => {
    const { sender: one, sent, say } = sender();
    one.configure(codec(use), use.payloadType, ptimeMs);
    for (let at = 0; at < 16_000; at += 160) say(at, 160);
    expect(sent).toHaveLength(1000 / ptimeMs | 0);
    expect(new Set(sent.map((p) => p.payload.length))).toEqual(new Set([bytes]));
    for (let i = 1; i < sent.length; i++) expect(sent[i]!.timestamp - sent[i - 1]!.timestamp | 0).toBe(ticks);
  });

  test('carry every sample once through changes of codec and packet time in the middle of a packet', () => {
    const { sender: one, sent, say } = sender();
    const uses = [L16, { ...L16, payloadType: 99 }, { ...L16, payloadType: 97 }];
    const codecs = uses.map(codec), times = [20, 40, 10, 30];
    let at = 0;
    for (let round = 0; round < 30; round++) {
      one.configure(codecs[round % 3]!, uses[round % 3]!.payloadType, times[round % 4]!);
      for (let i = 0; i < 7; i++, at += 160) say(at, 160, (n) => n & 0x7fff);
    }
    const samples = sent.flatMap((p) => Array.from({ length: p.payload.length / 2 }, (_, i) => p.payload[2 * i]! << 8 | p.payload[2 * i + 1]!));
    expect(samples.length).toBeGreaterThan(at - 960);
    expect(samples.every((x, i) => x === (i & 0x7fff))).toBe(true);
    for (let i = 1; i < sent.length; i++) {
      expect(sent[i]!.sequence - sent[i - 1]!.sequence & 0xffff).toBe(1);
      expect(sent[i]!.timestamp - sent[i - 1]!.timestamp | 0).toBe(sent[i - 1]!.payload.length / 2);
    }
  });

  test('after a change to 8 kHz begin as if it had always been so: the filter knows what came before', () => {
    const always = sender(), changed = sender();
    const tone = (i: number) => Math.round(8000 * Math.sin(i / 5));
    const alaw = codec(PCMA);
    always.sender.configure(alaw, 8, 20);
    changed.sender.configure(codec(G722), 9, 20);
    for (let at = 0; at < 6400; at += 160) {
      if (at === 3200) changed.sender.configure(alaw, 8, 20);
      always.say(at, 160, tone);
      changed.say(at, 160, tone);
    }
    expect(changed.sent.slice(10).map((p) => p.payloadType)).toEqual(new Array(10).fill(8));
    expect(changed.sent.slice(10).map((p) => [...p.payload])).toEqual(always.sent.slice(10).map((p) => [...p.payload]));
    expect(changed.sent[10]!.marker).toBe(true);
  });
});

describe('silence (RFC 3389)', () => {
  test('is described in place of sound, keeps the clock, and the next sound begins a talk-spurt (RFC 3551 §4.1)', () => {
    const { sender: one, sent, say } = sender();
    const answers = [-1, -1, 9, 0, 0, 9, -1];
    one.configure(codec(PCMA), 8, 20);
    one.suppress({ step: (_, out) => { out.fill(77, 0, 9); return answers.shift()!; } }, 13);
    for (let at = 0; at < 7 * 320; at += 320) say(at, 320);
    expect(sent.map((p) => [p.payloadType, p.payload.length, p.marker, p.sequence - sent[0]!.sequence, p.timestamp - sent[0]!.timestamp | 0])).toEqual([
      [8, 160, true, 0, 0], [8, 160, false, 1, 160], [13, 9, false, 2, 320], [13, 9, false, 3, 800], [8, 160, true, 4, 960],
    ]);
    expect([...sent[2]!.payload]).toEqual(new Array(9).fill(77));
  });

  test('a digit goes before it', () => {
    const { sender: one, sent, say } = sender();
    one.configure(codec(PCMA), 8, 20, 101);
    one.suppress({ step: () => 0 }, 13);
    one.digit('5', 100);
    for (let at = 0; at < 8000; at += 320) say(at, 320);
    expect(new Set(sent.map((p) => p.payloadType))).toEqual(new Set([101]));
  });
});
