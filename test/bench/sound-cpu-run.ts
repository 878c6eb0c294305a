// The work of sound-cpu.js.

import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync } from 'node:fs';
import { nowMs } from '../card/card.ts';
import { callRig, first, send, startRig, type Rig, type RigCodec, type RigName } from '../e2e/lab/rig.ts';
import { pause, scratch } from '../e2e/lab/process.ts';
import { packetsOf, speechHz } from '../quality/sending.ts';
import { conversation } from '../quality/speech.ts';
import { makeTrace } from '../quality/traces.ts';

const NAMES = ['offhook', 'baresip'] as const;
/** A phone that has started for so long does nothing any more that only starts do; V8 has dropped what they left by then. */
const SETTLED_MS = 110_000;

/** Nanoseconds that each thread of the process was running, by its name and id. */
function threadsOf(pid: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    try {
      found.set(`${readFileSync(`/proc/${pid}/task/${id}/comm`, 'latin1').trim()} ${id}`, Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'latin1').split(' ')[0]));
    } catch { continue; } // it ended meanwhile
  }
  return found;
}

/** Milliseconds of CPU a minute of each process while `work` goes on, and of its threads. */
async function measured(rigs: readonly Rig[], work: () => Promise<unknown>): Promise<{ readonly ms: number; readonly threads: string }[]> {
  const before = rigs.map((rig) => threadsOf(rig.program.child.pid!)), startMs = nowMs();
  await work();
  const minutes = (nowMs() - startMs) / 60_000;
  return rigs.map((rig, i) => {
    const used = [...threadsOf(rig.program.child.pid!)].map(([name, ns]): [string, number] => [name, (ns - (before[i]!.get(name) ?? 0)) / 1e6 / minutes]).filter(([, ms]) => ms >= 0.05).sort((a, b) => b[1] - a[1]);
    return { ms: used.reduce((sum, [, ms]) => sum + ms, 0), threads: used.map(([name, ms]) => `${name.split(' ')[0]!} ${ms.toFixed(1)}`).join(', ') };
  });
}

function print(what: string, names: readonly RigName[], found: readonly { readonly ms: number; readonly threads: string }[]): void {
  const ratio = found[0]!.ms / Math.max(0.01, found[1]!.ms);
  process.stdout.write(`${what.padEnd(20)} ${names.map((name, i) => `${name} ${found[i]!.ms.toFixed(1).padStart(7)} ms`).join('   ')}   ratio ${ratio.toFixed(2)}\n`);
  for (const [i, name] of names.entries()) process.stdout.write(`  ${name}: ${found[i]!.threads}\n`);
}

async function call(codec: RigCodec, seconds: number): Promise<void> {
  const folder = scratch('cpu'), rigs: Rig[] = [];
  try {
    for (const name of NAMES) rigs.push(await startRig(name, folder.path, { codec, under: [] }));
    const said = conversation(speechHz(codec), seconds), packets = packetsOf(said, codec, 20);
    await pause(8_000); // what a start leaves to do is no part of a call
    const calls = await Promise.all(rigs.map((rig) => callRig(rig, codec)));
    await pause(500);
    for (const rig of rigs) await rig.card.playTo(said, speechHz(codec));
    const found = await measured(rigs, () => first(() => send(makeTrace('clean', { seconds }), packets, calls, nowMs() + 100)));
    await Promise.all(calls.map((one) => one.hangUp()));
    print(`${codec} call`, NAMES, found);
  } finally {
    for (const rig of rigs) await rig.stop();
    folder.remove();
  }
}

/** A registrar that believes everybody for ten minutes. */
async function startRegistrar(): Promise<{ readonly port: number; count(): number; close(): void }> {
  const socket = createSocket('udp4');
  let count = 0;
  socket.on('message', (bytes, from) => {
    const text = bytes.toString('latin1');
    const lines = (name: string): string[] => [...text.matchAll(new RegExp(`^${name}:.*$`, 'gmi'))].map((m) => m[0].trim());
    if (text.startsWith('REGISTER')) count++;
    const contact = lines('Contact').map((line) => (/;expires=/.test(line) ? line : `${line};expires=600`));
    if (/^[A-Z]+ sip/.test(text)) socket.send(['SIP/2.0 200 OK', ...lines('Via'), ...lines('From'), `${lines('To')[0]!};tag=r`, ...lines('Call-ID'), ...lines('CSeq'), ...contact, 'Content-Length: 0', '', ''].join('\r\n'), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { port: socket.address().port, count: () => count, close: () => socket.close() };
}

async function rest(seconds: number): Promise<void> {
  const folder = scratch('rest'), registrar = await startRegistrar(), rigs: Rig[] = [];
  try {
    rigs.push(await startRig('offhook', folder.path, { codec: 'PCMU', under: [], set: { 'accounts.0.user': 'bench', 'accounts.0.server': `127.0.0.1:${registrar.port}`, 'accounts.0.password': 'x', 'web.enabled': true, 'web.host': '127.0.0.1', 'web.port': 0 } }));
    rigs.push(await startRig('baresip', folder.path, { codec: 'PCMU', under: [], server: `127.0.0.1:${registrar.port}` }));
    await pause(SETTLED_MS);
    if (registrar.count() < 2) throw new Error(`only ${registrar.count()} REGISTERs came`);
    print('at rest, registered', NAMES, await measured(rigs, () => pause(seconds * 1_000)));
  } finally {
    for (const rig of rigs) await rig.stop();
    registrar.close();
    folder.remove();
  }
}

export async function run(callSeconds: number, restSeconds: number): Promise<void> {
  process.stdout.write('CPU time a minute, all threads; at the machine\'s own priorities\n');
  if (restSeconds > 0) await rest(restSeconds);
  if (callSeconds > 0) for (const codec of ['PCMU', 'opus'] as const) await call(codec, callSeconds);
}
