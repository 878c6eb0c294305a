// One measured process: the core goes through the phases, its heap is read after each.

import { fork } from 'node:child_process';
import { readFileSync, unlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createHandset, phonePorts, warmPhonePorts } from './phone-ports.js';
import * as ports from './ports.js';

const [, , dist, what] = process.argv;
const { handset, extras: withExtras = false, phases: names } = JSON.parse(what);

// The flags that the shipped phone sets for itself, and every module of this script, are part of the baseline.
const { compileLate, compileSoon, dropOldCode } = await import(pathToFileURL(join(dist, 'flags.js')).href);

const { loadFile } = await import(process.env.BUDGET_LOADER);
// Not a flag of the process: with it V8 would not take the code that was compiled without.
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
setFlagsFromString('--no-expose-gc');

const turn = () => new Promise(setImmediate);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const peer = fork(fileURLToPath(new URL('peer.js', import.meta.url)), { execArgv: [] });
const waiting = new Map();
const said = (what) => new Promise((resolve, reject) => waiting.set(what, { resolve, reject }));
peer.on('message', (message) => {
  const w = waiting.get(message.did);
  waiting.delete(message.did);
  if (message.error) w?.reject(new Error(message.error));
  else w?.resolve(message);
});
const tell = (what, more = {}) => {
  const done = said(what);
  peer.send({ do: what, ...more });
  return done;
};

const { port } = await said('listen');
const heap = async () => {
  await pause(100);
  for (let i = 0; i < 3; i++) gc();
  return process.memoryUsage();
};
const { dataOf } = await import('./data-bytes.js');
const dataBytes = async () => {
  await heap();
  const file = writeHeapSnapshot(join(tmpdir(), `offhook-budget-${process.pid}.heapsnapshot`));
  const text = readFileSync(file, 'utf8');
  unlinkSync(file);
  return dataOf(text);
};
const happened = (phone, event) => new Promise((resolve) => {
  const end = phone.subscribe((e) => {
    if (e.event !== event) return;
    end();
    resolve(e);
  });
});
/** A number by the keys, and the peer answers. */
const callByKeys = async (phone, worked) => {
  const answered = happened(phone, 'answered');
  worked.hook('lifted');
  worked.press('102#');
  await answered;
};
const hangUp = async (phone, worked) => {
  const ended = happened(phone, 'ended');
  worked.hook('hung up');
  await ended;
};
// No phone: this file's own code is warmed with it, for it is not the phone's.
const nobody = { subscribe(on) { for (const event of ['answered', 'ended']) setImmediate(on, { event }); return () => {}; } };
const idle = createHandset();
idle.handset.hook.subscribe(() => {});
idle.handset.keypad.subscribe(() => {});
const require = createRequire(import.meta.url);
const warm = async () => {
  await ports.warm();
  await tell('nothing');
  await warmPhonePorts(ports);
  await callByKeys(nobody, idle);
  await hangUp(nobody, idle);
  require('./warm.cjs');
  delete require.cache[require.resolve('./warm.cjs')];
  loadFile(fileURLToPath(new URL('.', import.meta.url)), 'warm.cjs');
};
// Node's own code is dropped before the baseline as it is by the phone at rest, and what is needed of it loaded again, so that the phone is
// credited with its own alone.
await warm();
await dataBytes();
await dropOldCode(turn);
await warm();

// The settings are the store's, which is no part of the core.
const settings = JSON.parse(process.env.BUDGET_SETTINGS);
settings.sip.host = '127.0.0.1';
settings.sip.port = 0;
settings.sip.tcp = false;
settings.calls.logSize = 0;
settings.media.codecs = ['PCMU', 'PCMA'];
settings.accounts = [{ id: 'home', user: '201', server: `127.0.0.1:${port}`, password: 'secret', authUser: '', displayName: '', transport: 'udp', proxy: '', register: true, expiresS: 600, autoAnswer: 'off' }];

const phases = [];
// What Node frees late (150 kB in one process of five) must not be in the baseline: it is taken when reading after reading comes to the same.
let base = await heap();
for (let steady = 0; steady < 5;) {
  const next = await heap();
  steady = Math.abs(next.heapUsed - base.heapUsed) < 2_048 ? steady + 1 : 0;
  base = next;
}
const snap = async (name) => {
  const now = await heap();
  phases.push({ name, heap: now.heapUsed - base.heapUsed, external: now.external - base.external });
  return now.heapUsed;
};
await snap('baseline again'); // what measuring itself costs

const beside = (name) => {
  const module = { exports: {} };
  loadFile(dist, name)(need, module, module.exports);
  return module.exports;
};
/** What the core requires: files beside it, and Node's own. */
const need = (name) => name.startsWith('./') ? beside(name.slice(2)) : require(name);
const core = beside('core.cjs');
const clock = ports.clock();
const place = { device: 'silence', periodMs: 20, periods: 4, playDb: 0, captureDb: 0 };
const codec = (use) => core.createG711(use.name);
const rehearse = async () => { // as the media thread does
  compileSoon();
  await beside('rehearsal.cjs').rehearse(core.createEngine, ports.random, codec, 100);
  compileLate();
};
await rehearse();
let extras;
const media = core.createEngine({ clock, random: ports.random, log: ports.log, udp: ports.network, audio: ports.audio, codec, extras: withExtras ? () => (extras ??= beside('media-extras.cjs').extras) : undefined }, {
  places: { handset: place, speaker: place, ringer: place }, rtpPortMin: 20_000, rtpPortMax: 29_998, jitterMinMs: 20, jitterMaxMs: 300, opusBitrate: 24_000, opusComplexity: 5, inbandDtmf: 'auto', rtpTimeoutS: 0,
});
const worked = handset ? createHandset() : undefined;
let once;
const dialled = () => once ??= beside('dialled.cjs');
const phone = core.createPhone(...phonePorts(core, { clock, media, settings, ports, dialled, handset: worked?.handset }));
const over = async () => {
  clock.skip(40_000);
  await pause(300);
  clock.skip(40_000);
};
const grown = [];

// All of it is one function, so that the measured heap is not charged with code of the scenario's own.
for (const name of names) {
  switch (name) {
    case 'loaded': break;
    case 'registered': {
      const registered = happened(phone, 'registered');
      await phone.start();
      await registered;
      break;
    }
    // As the phone does at rest. It does so on its main thread alone: the media thread keeps what it rehearsed.
    case 'at rest': {
      await dropOldCode(turn);
      await warm();
      await rehearse();
      break;
    }
    case 'ringing':
      await tell('ring');
      break;
    case 'one G.711 call with media': {
      const answered = happened(phone, 'answered');
      const there = tell('answered');
      await phone.command({ do: 'answer' });
      await Promise.all([answered, there]);
      await pause(3_000);
      break;
    }
    case 'two calls': {
      await tell('ring');
      const second = tell('answered');
      if (handset) worked.hook('flash'); // the one is held, who waits is talked with
      else {
        await phone.command({ do: 'hold', call: phone.status().calls[0].id });
        await phone.command({ do: 'answer' });
      }
      await second;
      await pause(1_000);
      break;
    }
    case 'lifted, a call with media': {
      const answered = happened(phone, 'answered');
      const there = tell('answered');
      worked.hook('lifted');
      await Promise.all([answered, there]);
      await pause(3_000);
      break;
    }
    case 'hung up': {
      await hangUp(phone, worked);
      await over();
      break;
    }
    case 'dialled, a call of ours with media': {
      await callByKeys(phone, worked);
      await pause(3_000);
      break;
    }
    case 'after 10 calls of ours': {
      await tell('bye');
      worked.hook('hung up');
      for (let i = 0; i < 10; i++) {
        await callByKeys(phone, worked);
        await hangUp(phone, worked);
      }
      await over();
      break;
    }
    case 'after 100 calls': {
      await tell('bye');
      settings.calls.answer = 'auto';
      await tell('calls', { number: 100 });
      await over();
      break;
    }
    // Now and then 15 kB of Node's own text come or go at once; what leaks comes in every stretch: the middle one of three counts.
    case 'after 1,000 calls': {
      await dataBytes(); // once for nothing: reading warms code of Node's own
      for (let before = await dataBytes(), stretch = 1; stretch <= 3; stretch++) {
        await tell('calls', { number: 300 });
        await over();
        if (stretch === 3) await snap('after 1,000 calls');
        const now = await dataBytes();
        grown.push((now - before) / 300);
        before = now;
      }
      continue;
    }
    case 'after 1,000 malformed messages': {
      await tell('nonsense', { number: 1_000 });
      await pause(300);
      await over();
      break;
    }
    default: throw new Error(`nothing brings the phone to: ${name}`);
  }
  await snap(name);
}
const slope = grown.length === 0 ? {} : { slopeBytesPerCall: grown.sort((one, other) => one - other)[1] };

console.log(JSON.stringify({ phases, ...slope, rss: process.memoryUsage().rss }));
process.exit(0);
