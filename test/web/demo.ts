// A page with a telephone behind it that is only played: for tests in a real browser and for looking at the page.

import { build } from 'esbuild';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type Store } from '../../src/config/store.ts';
import { createBench, type Bench } from '../../src/hardware/bench.ts';
import { systemClock } from '../../src/system/clock.ts';
import { systemFiles } from '../../src/system/files.ts';
import { createShelf } from '../../src/system/recordings.ts';
import { createPage } from '../../src/web/server.ts';
import type { Asset, ExchangeView, Page } from '../../src/web/types.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeRandom } from '../fakes/random.ts';
import { FakePhone } from './fake-phone.ts';

export interface Demo {
  readonly page: Page;
  readonly phone: FakePhone;
  readonly bench: Bench;
  readonly store: Store;
  readonly log: FakeLog;
  readonly stateDir: string;
  /** A user of the exchange comes or goes. */
  registered(user: string, phones: ExchangeView['users'][number]['phones']): void;
}

/** The page's files as the build makes them. */
export async function pageAssets(): Promise<ReadonlyMap<string, Asset>> {
  const built = await build({ entryPoints: { page: 'src/web/page/main.tsx' }, outdir: '/', write: false, bundle: true, minify: true, platform: 'browser', target: ['es2022'], format: 'esm', jsx: 'automatic', jsxImportSource: 'preact' });
  const part = (end: string) => built.outputFiles.find((f) => f.path.endsWith(end))!.contents;
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', bytes: await readFile('src/web/page/index.html') }],
    ['/page.js', { type: 'text/javascript; charset=utf-8', bytes: part('.js') }],
    ['/page.css', { type: 'text/css; charset=utf-8', bytes: part('.css') }],
  ]);
}

export async function startDemo(): Promise<Demo> {
  const clock = systemClock();
  const files = systemFiles();
  const log = new FakeLog();
  const stateDir = await mkdtemp(join(tmpdir(), 'offhook-page-'));
  const store = await openStore({ files }, stateDir, { set: ['sound.periods=6'] });
  const bench = createBench({ clock });
  const phone = new FakePhone();

  // Just enough of a telephone for the picture to move: dial tone, digits, and back.
  const now = () => clock.wall();
  bench.hardware.hook?.subscribe((event) => {
    if (event !== 'flash') phone.happen({ at: now(), event: 'hook', off: event === 'lifted' }, event === 'lifted' ? { hook: 'off', state: 'dial tone', tone: 'dial' } : { hook: 'on', state: 'on hook', tone: '', dialled: '', calls: [] });
    if (event === 'lifted') bench.hardware.bell?.stop();
  });
  bench.hardware.keypad?.subscribe((key, down) => {
    if (down && bench.state.offHook) phone.happen({ at: now(), event: 'key', key, down }, { state: 'collecting', tone: '', dialled: phone.now.dialled + key });
  });

  let house: ExchangeView = { listening: '192.168.1.20:5070', doors: [], ringing: 0, users: [{ user: '201', displayName: 'Hall', phones: [] }, { user: '202', displayName: '', phones: [] }] };
  const watchers = new Set<() => void>();
  const exchange = { status: () => house, subscribe: (on: () => void) => { watchers.add(on); return () => { watchers.delete(on); }; } };

  const shelf = createShelf(clock, log, stateDir, () => store.settings.recording);
  const page = await createPage({ clock, random: new FakeRandom(3), log, files }, { host: '127.0.0.1', port: 0, stateDir, assets: await pageAssets(), version: '0.1.0' }, {
    phone, store, bench, exchange, recordings: async () => shelf, restart: () => { log.info({}, 'restarted'); },
    devices: () => [{ name: 'alsa:default', description: 'Default device', input: true, output: true }, { name: 'alsa:hw:1,0', description: 'USB handset', input: true, output: true }],
  });
  return {
    page, phone, bench, store, log, stateDir,
    registered(user, phones) {
      house = { ...house, users: house.users.map((u) => (u.user === user ? { ...u, phones } : u)) };
      for (const on of watchers) on();
    },
  };
}
