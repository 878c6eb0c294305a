import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

// In processes of their own: a limit once set cannot be lifted again, and a runner at real-time priority would starve the machine.
const root = resolve(import.meta.dirname, '../..');
const BUNDLE = `
import { buildSync } from 'esbuild';
import { join } from 'node:path';
buildSync({ entryPoints: ['src/system/realtime.ts'], bundle: true, platform: 'node', format: 'esm', external: ['koffi'], outfile: 'build/realtime-under-test.mjs' });
`;
const run = (code: string, user = '') => {
  spawnSync(process.execPath, ['--input-type=module', '-e', BUNDLE], { cwd: root, stdio: 'inherit' });
  const script = `
    import { readFileSync } from 'node:fs';
    const { realTime, SOUND_PRIORITY } = await import(${JSON.stringify(join(root, 'build/realtime-under-test.mjs'))});
    const rt = realTime();
    /** Policy and priority of a thread, proc(5): fields 41 and 40 of stat. */
    const policy = (tid = rt.thread()) => { const f = readFileSync('/proc/self/task/' + tid + '/stat', 'latin1').replace(/^.*\\) /s, '').split(' '); return [Number(f[38]), Number(f[37])]; };
    const limit = () => /Max realtime timeout\\s+(\\S+)\\s+(\\S+)/.exec(readFileSync('/proc/self/limits', 'latin1')).slice(1).map(Number);
    ${user}
    ${code}`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8', timeout: 20_000 });
};
const allowed = process.getuid?.() === 0 || Number(/Max realtime priority\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]) >= 15;

test.runIf(allowed)('the calling thread gets SCHED_FIFO with a limit on how long it may run, and gives it back', () => {
  const { stdout } = run('const why = rt.take(SOUND_PRIORITY); const with_ = policy(), lim = limit(); const back = rt.yield(rt.thread()); console.log(JSON.stringify({ why, with_, lim, back, without: policy() }));');
  expect(JSON.parse(stdout)).toEqual({ with_: [1, 15], lim: [500_000, 2_000_000], back: true, without: [0, 0] });
});

test.runIf(allowed)('children of a real-time thread are ordinary programs', () => {
  const { stdout } = run("const { execFileSync } = await import('node:child_process'); rt.take(SOUND_PRIORITY); console.log(execFileSync('cat', ['/proc/self/stat'], { encoding: 'latin1' }).split(') ')[1].split(' ')[38]);");
  expect(stdout.trim()).toBe('0');
});

test.runIf(process.getuid?.() === 0)('who may not have it is told what allows it', () => {
  const { stdout } = run('console.log(rt.take(SOUND_PRIORITY), policy()[0]);', "process.setgid(65534); process.setuid(65534);");
  expect(stdout).toMatch(/^this user may not: LimitRTPRIO .* 0\n$/);
});

test.runIf(allowed)('a thread that runs for ever is told after half a second, and ends with its process after two', () => {
  const told = run("process.on('SIGXCPU', () => { rt.yield(rt.thread()); console.log('told', policy()[0]); process.exit(0); }); rt.take(SOUND_PRIORITY); const end = Date.now() + 900; while (Date.now() < end); setTimeout(() => undefined, 500);");
  expect(told.stdout).toBe('told 0\n');
  const ended = run("process.on('SIGXCPU', () => undefined); rt.take(SOUND_PRIORITY); for (;;);");
  expect(ended.signal).toBe('SIGKILL');
}, 30_000);
