// The experiment of test/bench/echo.js with margins: a room of 128 ms that echoes as loud as the near side speaks.

import { describe, expect, test } from 'vitest';
import { EchoControl, FRAME } from '../../src/media/echo.ts';
import { bindSpeexdsp, createCanceller } from '../../src/media/speexdsp.ts';
import { experiment, TIMES } from '../bench/echo-work.ts';
import { levelOf, noise, pcm, talk } from './acoustics.ts';

describe('in a synthetic room of 128 ms', () => {
  const all = experiment('all');

  test('the canceller alone takes 25 dB of the echo off after 5 s', () => {
    expect(all.filterErle(5, TIMES.over)).toBeGreaterThan(25);
    expect(all.convergedS).toBeLessThan(3);
  });

  test('with post-filter and switched loss it is 40 dB, and 15 dB from the first second on', () => {
    expect(all.erle(5, TIMES.over)).toBeGreaterThan(40);
    expect(all.erle(0, 5)).toBeGreaterThan(20);
    expect(all.erle(0, 1)).toBeGreaterThan(15);
    expect(all.control.state).toBe('converged');
  });

  test('near speech in double talk is lowered by no more than 1 dB', () => {
    expect(all.nearDb).toBeGreaterThan(-1);
    expect(all.filterNearDb).toBeGreaterThan(-0.8);
  });

  test('a room that changed is learned anew', () => {
    expect(all.erle(TIMES.change + 0.5, TIMES.change + 5)).toBeGreaterThan(13);
    expect(all.erle(TIMES.change + 5, TIMES.end)).toBeGreaterThan(35);
  });
});

test('a delay of 60 ms that the card does not tell of is found, and the echo taken off as without it', () => {
  const late = experiment('all', { delayMs: 60, endS: 20 });
  expect(late.control.delayFrames).toBeGreaterThan(368 + 960 - 200);
  expect(late.control.delayFrames).toBeLessThan(368 + 960 + 100);
  expect(late.erle(12, 20)).toBeGreaterThan(40);
});

test('periods of 10 ms serve as well', () => {
  expect(experiment('all', { period: 160, endS: 15 }).erle(5, 15)).toBeGreaterThan(40);
});

test('a loudspeaker that clips softly costs a few decibels', () => {
  expect(experiment('all', { clips: true, endS: 15 }).erle(5, 15)).toBeGreaterThan(38);
});

/** Beats of a card of 20 ms that plays `played` and captures `heard(n)`, n samples from the beginning. */
function beats(control: EchoControl, count: number, played: (i: number) => number, heard: (i: number, written: Int16Array) => number): { sent: Int16Array; written: Int16Array } {
  const written = new Int16Array(count * 320), sent = new Int16Array(count * 320), frame = new Int16Array(FRAME);
  for (let beat = 0; beat < count; beat++) {
    for (let half = 0; half < 2; half++) {
      const at = beat * 320 + half * FRAME;
      for (let i = 0; i < FRAME; i++) frame[i] = heard(at + i, written);
      control.captured(frame);
      sent.set(frame, at);
    }
    for (let half = 0; half < 2; half++) {
      const at = beat * 320 + half * FRAME;
      for (let i = 0; i < FRAME; i++) frame[i] = played(at + i);
      control.played(frame);
      written.set(frame, at);
    }
  }
  return { sent, written };
}

const SECOND = 16_000;
/** Written sound is heard 43 ms later. */
const LAG = 688;
const echoOf = (i: number, written: Int16Array): number => (written[i - LAG] ?? 0) / 2;

describe('without a canceller one side is heard at a time', () => {
  const far = pcm(talk(3, 20)), near = pcm(talk(11, 20)), hum = noise(4);

  test('while the far side speaks the microphone is down, and the line does not sound dead', () => {
    const control = new EchoControl(320, undefined, undefined);
    control.align(368);
    const rest = 20 * SECOND;
    // The noise of the room alone first, so that it is known
    const { sent } = beats(control, 1000, (i) => (i < 2 * SECOND ? 0 : far[i % rest]!), (i, written) => echoOf(i, written) + 30 * hum());
    expect(control.state).toBe('gate');
    expect(levelOf(sent, 3 * SECOND, 19 * SECOND)).toBeLessThan(-52);
    expect(Math.abs(levelOf(sent, 0, 2 * SECOND) - levelOf(sent, 5 * SECOND, 19 * SECOND))).toBeLessThan(4);
  });

  test('the near side is heard alone, untouched', () => {
    const { sent } = beats(new EchoControl(320, undefined, undefined), 500, () => 0, (i) => near[i]!);
    expect(Buffer.from(sent.buffer).equals(Buffer.from(near.buffer, 0, sent.byteLength))).toBe(true);
  });

  test('who speaks up is heard over the far side, whose loudspeaker goes down by 20 dB meanwhile', () => {
    const control = new EchoControl(320, undefined, undefined);
    control.align(368);
    const from = 10 * SECOND;
    const { sent, written } = beats(control, 800, (i) => far[i]! / 4, (i, w) => echoOf(i, w) / 2 + (i > from ? near[i - from]! : 0));
    expect(levelOf(sent, from, 16 * SECOND)).toBeGreaterThan(-31);
    expect(levelOf(written, from + SECOND, 15 * SECOND)).toBeLessThan(levelOf(far, from + SECOND, 15 * SECOND) - 12 - 8);
  });
});

test('a canceller that cannot learn its room gives way to the gate; a room without echo does not', () => {
  const speex = bindSpeexdsp()!, far = pcm(talk(3, 26)), hum = noise(4);
  for (const [what, state] of [['other', 'gate'], ['none', 'no echo']] as const) {
    const canceller = createCanceller(speex, FRAME, 2048, SECOND), control = new EchoControl(320, canceller, undefined);
    control.align(368);
    let before = 0;
    // An echo that is not a linear one: its sign is thrown anew each millisecond
    const flips = noise(8), signs = Float64Array.from({ length: 26_000 }, () => Math.sign(flips()));
    beats(control, 1300, (i) => far[i]!, (i, written) => (what === 'none' ? 0 : before = signs[i >> 4]! * echoOf(i, written)) + 10 * hum());
    expect(before).toBeTypeOf('number');
    expect(control.state).toBe(state);
    canceller.close();
  }
});
