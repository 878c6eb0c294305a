// A call's sound through changes of codec, sender and receiver as they are: no gap, no click, whatever changes into what.

import { describe, expect, test } from 'vitest';
import { extras } from '../../src/main/media-extras.ts';
import { createCodec } from '../../src/media/codec.ts';
import type { Codec } from '../../src/media/codec.ts';
import type { CodecUse } from '../../src/media/door.ts';
import { opusAvailable } from '../../src/media/opus-drivers.ts';
import { Receiver } from '../../src/media/receiver.ts';
import { readRtp, rtpPacket } from '../../src/media/rtp.ts';
import { Sender } from '../../src/media/sender.ts';
import { FakeRandom } from '../fakes/random.ts';
import { align, G722, L16, OPUS, PCMA, PCMU, voice } from './bench.ts';

const PERIOD = 160;
/** `seconds` of `sound` sent by turns in each of `uses`, changed every 510 ms, in the middle of a packet; what is heard, and the receiver. */
function through(uses: readonly CodecUse[], sound: (i: number) => number, seconds: number, seams = true): { heard: number[]; receiver: Receiver; types: number[] } {
  const make = (): Map<number, Codec> => new Map(uses.map((use) => [use.payloadType, createCodec(use, { opusBitrate: 32_000, opusComplexity: 5 })]));
  const near = make(), far = make(), packet = rtpPacket(), heard: number[] = [], types: number[] = [];
  const receiver = new Receiver(20, 300, (type) => far.get(type), () => (seams ? extras : { repair: extras.repair }));
  let now = 0;
  const sender = new Sender(new FakeRandom(3), (bytes) => {
    readRtp(Buffer.from(bytes), packet);
    types.push(packet.payloadType);
    receiver.put(packet, now + 1);
  });
  sender.enabled = true;
  const out = new Int16Array(PERIOD);
  for (let period = 0; period < 100 * seconds; period++, now += 10) {
    if (period % 51 === 0) {
      const use = uses[period / 51 % uses.length]!;
      sender.configure(near.get(use.payloadType)!, use.payloadType, 20);
    }
    sender.push(Int16Array.from({ length: PERIOD }, (_, i) => sound(period * PERIOD + i)), PERIOD);
    receiver.pull(out, PERIOD, now + 5);
    heard.push(...out);
  }
  for (const codec of [...near.values(), ...far.values()]) codec.close();
  return { heard, receiver, types };
}
/** The sharpest bend of the sound: its greatest third difference, where a click stands out. */
const sharpest = (heard: readonly number[], from: number): number => {
  let most = 0;
  for (let i = from + 3; i < heard.length; i++) most = Math.max(most, Math.abs(heard[i]! - 3 * heard[i - 1]! + 3 * heard[i - 2]! - heard[i - 3]!));
  return most;
};
const tone = (i: number): number => Math.round(9000 * Math.sin(2 * Math.PI * 300 * i / 16_000));

const pairs: (readonly [string, readonly CodecUse[]])[] = [
  ['PCMA and PCMU', [PCMA, PCMU]], ['PCMA and G.722', [PCMA, G722]], ['G.722 and L16', [G722, L16]], ['PCMU and L16', [PCMU, L16]],
  ...(opusAvailable() ? [['PCMA and Opus', [PCMA, OPUS]], ['Opus and G.722', [OPUS, G722]], ['all five', [OPUS, PCMA, G722, L16, PCMU]]] as const : []),
];

describe.each(pairs)('%s by turns (RFC 3264 §8.3.2)', (_, uses) => {
  test('play without a gap, nothing is concealed, and the delay stays', () => {
    const { receiver, types } = through(uses, voice, 8);
    expect(new Set(types)).toEqual(new Set(uses.map((use) => use.payloadType)));
    expect([receiver.concealedMs, receiver.jitter.late, receiver.jitter.dropped]).toEqual([0, 0, 0]);
    expect(receiver.delayMs).toBeLessThan(50);
  });

  test('a tone bends at no change more than a codec alone bends it', () => {
    const alone = Math.max(...uses.map((use) => sharpest(through([use], tone, 3).heard, 4000)));
    const { heard } = through(uses, tone, 8);
    expect(sharpest(heard, 4000)).toBeLessThan(1.6 * alone + 120);
  });

  test('a voice is heard as it was said between the changes, and goes on through them', () => {
    const { heard } = through(uses, voice, 8);
    const pieces: number[] = [];
    for (let at = 16_000; at + 800 < heard.length; at += 800) {
      let energy = 0;
      for (let i = at; i < at + 800; i++) energy += voice(i) ** 2;
      if (energy / 800 > 400_000) pieces.push(align(voice, heard, at, 800, 1600).like);
    }
    expect(pieces.length).toBeGreaterThan(60);
    expect(Math.min(...pieces)).toBeGreaterThan(0.75);
    expect(pieces.reduce((a, b) => a + b, 0) / pieces.length).toBeGreaterThan(0.975);
  });
});
