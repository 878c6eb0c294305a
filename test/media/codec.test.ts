import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { createCodec } from '../../src/media/codec.ts';
import { opusAvailable } from '../../src/media/opus-drivers.ts';
import { bundled } from './bundled.ts';

const OPTIONS = { opusBitrate: 24_000, opusComplexity: 5 };
/** What `code` prints in a fresh process, with the media file `source` as `m`. */
const fresh = (source: string, code: string, ...flags: string[]) =>
  execFileSync(process.execPath, [...flags, bundled(`../../src/media/${source}`, code)], { encoding: 'utf8' }).trim();

test.each([['PCMU', 8000, 8000, 160], ['PCMA', 8000, 8000, 160], ['opus', 16_000, 48_000, 320], ['G722', 16_000, 8000, 320], ['L16', 16_000, 16_000, 320]] as const)('%s has samples at %i Hz and an RTP clock of %i Hz, and 20 ms go there and back', (name, rateHz, clockHz, length) => {
  const codec = createCodec({ name, payloadType: 96 }, OPTIONS);
  expect(codec).toMatchObject({ name, rateHz, clockHz });
  const payload = new Uint8Array(1275);
  const bytes = codec.encode(Int16Array.from({ length }, (_, i) => 5000 * Math.sin(i / 4)), payload);
  expect(bytes).toBeGreaterThan(2);
  expect(codec.decode(payload.subarray(0, bytes), new Int16Array(length))).toBe(length);
  codec.close();
});

test('Opus is there, since libopus0 is', () => {
  expect(opusAvailable()).toBe(true);
});

test('a G.711 call loads neither koffi nor libopus; an Opus call does', () => {
  const loaded = `(await import('node:fs')).readFileSync('/proc/self/maps', 'utf8').match(/koffi|libopus/g)?.length ?? 0`;
  expect(fresh('codec.ts', `m.createCodec({ name: 'PCMA', payloadType: 8 }, {}); console.log(${loaded});`)).toBe('0');
  expect(Number(fresh('codec.ts', `m.createCodec({ name: 'opus', payloadType: 96 }, ${JSON.stringify(OPTIONS)}); console.log(${loaded});`))).toBeGreaterThan(0);
});

test('without any library Opus is not available, and asking for it names the package to install', () => {
  const blocked = 'data:text/javascript,' + encodeURIComponent(`import { Module } from 'node:module';
    const load = Module._load;
    Module._load = (name, ...rest) => { if (name === 'koffi') throw new Error('no such library'); return load(name, ...rest); };`);
  expect(JSON.parse(fresh('opus-drivers.ts', `let code, message;
    try { m.openOpus('', {}); } catch (error) { ({ code, message } = error); }
    console.log(JSON.stringify([m.opusAvailable(), code, message]));`, '--import', blocked))).toEqual([false, 'OPUS_MISSING', expect.stringContaining('apt-get install libopus0')]);
});
