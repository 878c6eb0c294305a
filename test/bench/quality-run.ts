// The work of quality.js.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { wavHeader } from '../../src/audio/wav.ts';
import { callBoth, type Heard } from '../e2e/lab/rig.ts';
import { score, type Score } from '../quality/score.ts';
import { listenOffline, packetsOf, speechHz, type SentCodec } from '../quality/sending.ts';
import { conversation, VOICES } from '../quality/speech.ts';
import { ELEVEN, isProfile, makeTrace, readTrace, writeTrace, type Trace } from '../quality/traces.ts';
import { quoted } from './quality-quoted.ts';

interface Row extends Score {
  readonly who: string;
  readonly trace: string;
  readonly codec: SentCodec;
  readonly concealedMsAMinute: number | undefined;
}

/** Delays beyond this are not looked for. */
const MOST_MS = 450;
const print = (line: string): void => { process.stdout.write(`${line}\n`); };

export async function run(args: string[]): Promise<void> {
  const { values: o } = parseArgs({ args, options: {
    offline: { type: 'boolean', default: false }, traces: { type: 'string', default: ELEVEN.join() }, codecs: { type: 'string', default: 'PCMU,opus' }, seconds: { type: 'string', default: '42' },
    seeds: { type: 'string', default: '1' }, together: { type: 'string', default: '2' }, period: { type: 'string' }, min: { type: 'string' }, max: { type: 'string' }, keep: { type: 'string' }, write: { type: 'string' },
  } });
  const seconds = Number(o.seconds), traces = o.seeds.split(',').flatMap((seed) => o.traces.split(',').map((name) => traceOf(name, seconds, Number(seed))));
  if (o.write !== undefined) {
    mkdirSync(o.write, { recursive: true });
    for (const trace of traces) writeFileSync(join(o.write, `${trace.name}.trace`), writeTrace(trace));
    return;
  }
  if (o.keep !== undefined) mkdirSync(o.keep, { recursive: true });
  for (const codec of o.codecs.split(',') as SentCodec[]) {
    const said = conversation(speechHz(codec), seconds, VOICES), rows: Row[] = [];
    const judge = (who: string, trace: Trace, heard: Int16Array, concealedMs: number | undefined): void => {
      const rateHz = speechHz(codec);
      if (o.keep !== undefined) for (const [name, sound] of [['said', said], [`${who}-${trace.name}`, heard]] as const) keep(join(o.keep, `${codec}-${name}.wav`), sound, rateHz);
      rows.push({ who, trace: trace.name, codec, ...score(said, heard, rateHz, { mostMs: MOST_MS, leadMs: aheadOf(trace) }), concealedMsAMinute: concealedMs === undefined ? undefined : concealedMs * 60 / seconds });
    };
    if (o.offline) offline(traces, said, codec, o, judge);
    else await real(traces, said, codec, Number(o.together), o.period, judge);
    report(codec, rows, traces);
  }
}

function traceOf(name: string, seconds: number, seed: number): Trace {
  if (isProfile(name)) {
    const trace = makeTrace(name, { seconds, seed });
    return seed === 1 ? trace : { ...trace, name: `${name}#${seed}` };
  }
  const read = readTrace(readFileSync(name, 'utf8'));
  if (typeof read === 'string') throw new Error(`${name}: ${read}`);
  return read;
}

/** How much sooner than its sound is long the last packet of `trace` is sent: what a fast clock gains. */
function aheadOf({ packets, ptimeMs }: Trace): number {
  return Math.max(0, Math.ceil((packets.length - 1) * ptimeMs - packets.at(-1)!.sentMs));
}

type Judge = (who: string, trace: Trace, heard: Int16Array, concealedMs: number | undefined) => void;

function offline(traces: readonly Trace[], said: Int16Array, codec: SentCodec, o: { readonly min?: string | undefined; readonly max?: string | undefined; readonly period?: string | undefined }, judge: Judge): void {
  const plain = packetsOf(said, codec, 20);
  for (const trace of traces) {
    const packets = codec === 'opus' ? packetsOf(said, codec, 20, trace) : plain;
    const { heard, concealedMs } = listenOffline(trace, packets, codec, {
      ...(o.min === undefined ? {} : { jitterMinMs: Number(o.min) }), ...(o.max === undefined ? {} : { jitterMaxMs: Number(o.max) }), ...(o.period === undefined ? {} : { periodMs: Number(o.period) }),
    });
    judge('offhook', trace, heard, concealedMs);
  }
}

async function real(traces: readonly Trace[], said: Int16Array, codec: SentCodec, together: number, period: string | undefined, judge: Judge): Promise<void> {
  const packets = packetsOf(said, codec, 20), all: Heard[] = [];
  for (let at = 0; at < traces.length; at += together) {
    const some = traces.slice(at, at + together);
    process.stderr.write(`${codec} ${some.map((trace) => trace.name).join(', ')} ...\n`);
    all.push(...await callBoth(some, packets, codec, period === undefined ? {} : { 'sound.periodMs': Number(period) }));
  }
  for (const { trace, worstMs } of all) if (worstMs > 15) process.stderr.write(`${trace.name}: a packet went out ${worstMs.toFixed(0)} ms late, this machine is busy\n`);
  for (const { who, trace, heard, concealedMs } of all) judge(who, trace, heard, concealedMs); // no such work while packets are to be sent
}

function keep(path: string, sound: Int16Array, rateHz: number): void {
  writeFileSync(path, Buffer.concat([wavHeader(rateHz, 2 * sound.length), new Uint8Array(sound.buffer, sound.byteOffset, sound.byteLength)]));
}

/** A line a trace: whoever took part, then what others were measured at elsewhere. */
function report(codec: SentCodec, rows: readonly Row[], traces: readonly Trace[]): void {
  const names = [...new Set(rows.map((row) => row.who))], others = Object.keys(quoted[codec]);
  const cell = (row: Row | undefined): string => (row === undefined ? '' : `${row.mos.toFixed(2)} @${row.delayMs.toFixed(0)}/${row.delayP95Ms.toFixed(0)} ${row.clicksAMinute.toFixed(0)}c ${row.deadMsAMinute.toFixed(0)}d ${row.concealedMsAMinute === undefined ? '-' : row.concealedMsAMinute.toFixed(0)}p`);
  print(`\n${codec}: score @ median/p95 added delay in ms, c clicks, d ms of dead air, p ms concealed, a minute; quoted: PESQ of other runs, loops over RTP, not comparable closer than 0.2`);
  print(['trace'.padEnd(11), ...names.map((name) => name.padEnd(32)), ...others.map((name) => `(${name})`.padEnd(17))].join(' '));
  const line = (name: string, cells: readonly string[], rest: readonly string[]): void => print([name.padEnd(11), ...cells.map((c) => c.padEnd(32)), ...rest.map((c) => c.padEnd(17))].join(' ').trimEnd());
  for (const { name } of traces) line(name, names.map((who) => cell(rows.find((row) => row.who === who && row.trace === name))), others.map((other) => quoted[codec][other]?.[name] ?? ''));
  if (traces.length > 1) {
    const mean = (who: string, of: (row: Row) => number): string => { const mine = rows.filter((row) => row.who === who); return (mine.reduce((sum, row) => sum + of(row), 0) / mine.length).toFixed(2); };
    line('mean', names.map((who) => `${mean(who, (r) => r.mos)} @${Math.round(Number(mean(who, (r) => r.delayMs)))}/${Math.round(Number(mean(who, (r) => r.delayP95Ms)))}`), others.map((other) => quoted[codec][other]?.['mean'] ?? ''));
  }
}
