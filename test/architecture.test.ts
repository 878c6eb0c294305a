// Holds the table of src/README.md: which room may import which. The map and the code cannot drift apart.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');

interface Room {
  /** Rooms it may import; 'x/file' allows that one file; 'types:x' only `import type`. */
  readonly may: readonly string[];
  /** node: modules and packages it may import. */
  readonly packages: readonly string[];
}

/** The wiring (src/main.ts and src/main/) may import everything. */
const rooms: Readonly<Record<string, Room>> = {
  ports: { may: [], packages: [] },
  sip: { may: ['ports'], packages: ['node:crypto'] },
  sdp: { may: ['types:ports'], packages: [] },
  media: { may: ['ports', 'types:sdp'], packages: ['koffi', '@discordjs/opus', 'node:module', 'node:crypto'] },
  audio: { may: ['ports'], packages: ['koffi', 'node:child_process'] },
  phone: { may: ['ports', 'types:config', 'sip/agent', 'types:sip', 'sdp', 'media/door', 'media/tone-tables', 'media/dtmf', 'media/ring-tones', 'types:media', 'sip/message', 'sip/headers', 'sip/uri', 'sip/packages'], packages: [] },
  hardware: { may: ['ports', 'types:config'], packages: ['koffi', 'onoff', 'node:fs', 'node:child_process'] },
  exchange: { may: ['ports', 'sip'], packages: ['node:crypto'] },
  config: { may: ['ports'], packages: ['@sinclair/typebox', 'smol-toml'] },
  web: { may: ['ports', 'config', 'types:phone'], packages: ['fastify', '@fastify/', 'preact', 'node:crypto'] },
  system: { may: ['ports'], packages: ['node:', 'koffi', 'ws'] },
};
const ONLY_SYSTEM = [/\bsetTimeout\s*\(/, /\bsetInterval\s*\(/, /\bsetImmediate\s*\(/, /\bDate\.now\s*\(/, /\bnew Date\s*\(\s*\)/, /\bMath\.random\s*\(/, /\bperformance\.now\s*\(/];

interface Import { readonly file: string; readonly to: string; readonly type: boolean }

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : /\.tsx?$/.test(name) ? [path] : [];
  });
}

/** Comments blanked, so that words in them are no imports or calls. */
const code = (path: string) => readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '$1');

function imports(path: string): Import[] {
  const out: Import[] = [];
  for (const m of code(path).matchAll(/\b(import|export)\s+(type\s+)?([^'";]*?\sfrom\s+)?'([^']+)'|\bimport\s*\(\s*'([^']+)'/g)) {
    out.push({ file: relative(src, path), to: m[4] ?? m[5] ?? '', type: m[2] !== undefined });
  }
  return out;
}

const roomOf = (file: string) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : 'main');
const everything = files(src);
const inPage = (path: string) => path.startsWith(join(src, 'web', 'page'));
const all = everything.filter((f) => !inPage(f));
const allImports = all.flatMap(imports);

test('each room imports only the rooms its row allows', () => {
  const wrong: string[] = [];
  for (const { file, to, type } of allImports) {
    if (!to.startsWith('.')) continue;
    const room = roomOf(file);
    if (room === 'main') continue;
    const target = relative(src, resolve(src, dirname(file), to)).replace(/\.tsx?$/, '');
    const targetRoom = roomOf(target);
    const row = rooms[room];
    const allowed = targetRoom === room || row?.may.includes(targetRoom) === true || row?.may.includes(target) === true
      || (type && row?.may.includes(`types:${targetRoom}`) === true);
    if (!allowed) wrong.push(`${file} imports ${target}`);
  }
  expect(wrong).toEqual([]);
});

test('each room imports only the packages its row allows', () => {
  const wrong = allImports.filter(({ file, to, type }) => !to.startsWith('.') && roomOf(file) !== 'main' && !type
    && rooms[roomOf(file)]?.packages.some((p) => to === p || (/[:/]$/.test(p) && to.startsWith(p)) || to.startsWith(`${p}/`)) !== true);
  expect(wrong.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
});

test('the page in the browser knows preact, its own files, and types of what travels', () => {
  const wrong = everything.filter(inPage).flatMap(imports).filter(({ to, type }) => !/^preact(\/|$)/.test(to) && !/^\.\/[\w-]+\.(tsx?|css)$/.test(to) && !(type && (to === '../types.ts' || to.startsWith('../../ports/'))));
  expect(wrong.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
});

test('nobody writes to the console, switches a check off or leaves a bare TODO', () => {
  const never = [/\bconsole\./, /\bas any\b/, /[:<]\s*any\b/, /\benum \w+ \{/, /catch\s*(\(\w+\))?\s*\{\s*\}/];
  const notes = [/@ts-(ignore|expect-error|nocheck)/, /\b(TODO|FIXME|XXX)\b/, /eslint-disable/];
  const wrong = everything.flatMap((path) => [...never.filter((bad) => bad.test(code(path))), ...notes.filter((bad) => bad.test(readFileSync(path, 'utf8')))].map((bad) => `${relative(src, path)}: ${bad.source}`));
  expect(wrong).toEqual([]);
});

test('time, timers and chance are called in system/ alone', () => {
  const wrong = all.filter((path) => !['system'].includes(roomOf(relative(src, path))))
    .flatMap((path) => ONLY_SYSTEM.filter((call) => call.test(code(path))).map((call) => `${relative(src, path)}: ${call.source}`));
  expect(wrong).toEqual([]);
});

// The bundle loops over arrays by index, over anything else through a copy (scripts/plain-loops.js).
test('a loop over a Set or Map that changes it asks for its values, and no pattern takes one', () => {
  const wrong: string[] = [];
  const bundled = all.filter((path) => ['sip', 'sdp', 'media', 'phone'].includes(roomOf(relative(src, path))));
  for (const path of bundled) {
    const text = code(path), lines = text.split('\n');
    const sets = new Set([...text.matchAll(/(#?\w+)(?:: [^=;\n]+)? = new (?:Set|Map)\b|(#?\w+): (?:Readonly)?(?:Set|Map)</g)].map(([, made, typed]) => (made ?? typed)!));
    lines.forEach((line, at) => {
      const [, indent = '', item = '', name = ''] = /^( *)for \((?:const|let) (.*?) of (?:\w+\.)*(#?\w+)\)/.exec(line) ?? [];
      if (sets.has(name)) {
        const end = lines.findIndex((other, i) => i > at && other.startsWith(`${indent}}`)), body = /\{\s*$/.test(line) && end > at ? lines.slice(at + 1, end) : [line];
        const own = item.replace(/^\[(\w+).*/, '$1'), changes = new RegExp(`${name.replace('#', '')}\\.(?:add|set|clear|delete)\\((?!${own}[,)])`);
        if (body.some((one) => changes.test(one))) wrong.push(`${relative(src, path)}:${at + 1} changes ${name}`);
      }
      const [, taken = ''] = /\[[\w, ]+\] = (?:\w+\.)*(#?\w+)[;,)]/.exec(line) ?? [];
      if (sets.has(taken)) wrong.push(`${relative(src, path)}:${at + 1} takes ${taken} apart`);
    });
  }
  expect(wrong).toEqual([]);
});

test('no file imports itself in a circle', () => {
  const edges = new Map<string, string[]>();
  for (const { file, to, type } of allImports) {
    if (type || !to.startsWith('.')) continue;
    edges.set(file, [...(edges.get(file) ?? []), relative(src, resolve(src, dirname(file), to))]);
  }
  const circles: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]) => {
    if (path.includes(file)) {
      circles.push([...path.slice(path.indexOf(file)), file].join(' > '));
      return;
    }
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) walk(file, []);
  expect(circles).toEqual([]);
});

test('there are no default exports and no barrels', () => {
  const wrong = everything.filter((path) => /\bexport\s+default\b/.test(code(path)) || (roomOf(relative(src, path)) !== 'main' && /\/index\.ts$/.test(path)));
  expect(wrong.map((path) => relative(src, path))).toEqual([]);
});

test('the map in src/README.md has a row for every room, and every folder is a room', () => {
  const map = readFileSync(join(src, 'README.md'), 'utf8');
  const folders = readdirSync(src).filter((name) => statSync(join(src, name)).isDirectory() && name !== 'main');
  expect(folders.filter((name) => rooms[name] === undefined)).toEqual([]);
  expect(folders.filter((name) => !map.includes(`| ${name} |`))).toEqual([]);
});

test('the map names every package we depend on', () => {
  const map = readFileSync(join(src, 'README.md'), 'utf8');
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
  expect([...Object.keys(dependencies), ...Object.keys(devDependencies)].filter((name) => !map.includes(name))).toEqual([]);
});

test('versions are pinned, and the lock file holds no download addresses', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
  expect(Object.entries({ ...dependencies, ...devDependencies }).filter(([, version]) => !/^\d/.test(version))).toEqual([]);
  expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved":\s*"http/);
});

test('no text looks like a private name, which scripts/build.js would rename', () => {
  const wrong = all.flatMap((path) => [...code(path).matchAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g)]
    .filter(([text]) => !text.includes('${') && /[.\s]#[a-z]/.test(text)).map(([text]) => `${relative(src, path)}: ${text}`));
  expect(wrong).toEqual([]);
});
