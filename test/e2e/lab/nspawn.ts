// A whole Debian under a real systemd: a root made once by mmdebstrap, unpacked for each use, booted by systemd-nspawn with
// nothing but a loopback of its own for a network. Commands are run inside by nsenter. Needs root.

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { start, until } from './process.ts';

const cache = resolve(import.meta.dirname, '../../../.lab');
const packages = ['systemd', 'systemd-sysv', 'dbus', 'iproute2', 'libasound2', 'libopus0', 'libspeexdsp1', 'libsystemd0', 'alsa-utils', 'ca-certificates', 'kamailio', 'procps'];

export interface Outcome {
  readonly code: number;
  readonly out: string;
}

const finish = async (command: string, args: readonly string[]): Promise<Outcome> => new Promise((done) => {
  execFile(command, [...args], { maxBuffer: 1 << 26 }, (error, out, err) => done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out: out + err }));
});

const must = async (command: string, ...args: string[]) => {
  const { code, out } = await finish(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} -> ${code}\n${out.slice(-4_000)}`);
  return out;
};

/** Unpacks a Debian 12 root into `folder`. The first time ever it is made, in about half a minute. */
export async function makeRoot(folder: string): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('a Debian is booted by root only: run this test as root');
  const tar = join(cache, 'bookworm.tar');
  if (!existsSync(tar)) {
    mkdirSync(cache, { recursive: true });
    await must('mmdebstrap', '--quiet', '--variant=minbase', '--dpkgopt=force-unsafe-io', `--include=${packages.join(',')}`, 'bookworm', `${tar}.new.tar`);
    renameSync(`${tar}.new.tar`, tar);
  }
  mkdirSync(folder, { recursive: true });
  await must('tar', '-C', folder, '-xf', tar);
}

export interface Machine {
  /** Runs a shell line inside, as root. */
  run(line: string): Promise<Outcome>;
  /** run(), and throw when it fails; gives what it wrote. */
  must(line: string): Promise<string>;
  /** Shuts down in order. */
  stop(): Promise<void>;
}

/** Boots the root; resolves when systemd says that everything is up. */
export async function boot(root: string): Promise<Machine> {
  const name = `oh-${process.pid}-${++boots}`;
  const program = start('systemd-nspawn', ['-q', '-D', root, '--boot', '--register=no', '--keep-unit', '--private-network', `--machine=${name}`, '--console=pipe']);
  // Its init is the child of systemd-nspawn, in the end: the first one only prepares.
  const leader = () => readFileSync(`/proc/${program.child.pid}/task/${program.child.pid}/children`, 'utf8').trim().split(' ')[0] ?? '';
  const inside = async (line: string): Promise<Outcome> => {
    const init = leader();
    return init === '' ? { code: -1, out: 'no init yet' } : finish('nsenter', [
      '-t', init, '-m', '-u', '-i', '-n', '-p', '--', 'env', '-i', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LANG=C.UTF-8', 'sh', '-c', line,
    ]);
  };
  const up = await until(async () => /running|degraded/.test((await inside('systemctl is-system-running')).out), 60_000, 200);
  if (!up) throw new Error(`the machine does not come up:\n${program.output().slice(-4_000)}`);
  return {
    run: inside,
    async must(line) {
      const { code, out } = await inside(line);
      if (code !== 0) throw new Error(`${line} -> ${code}\n${out.slice(-4_000)}`);
      return out;
    },
    async stop() {
      await inside('systemctl poweroff');
      const late = setTimeout(() => program.child.kill('SIGKILL'), 30_000);
      await program.ended;
      clearTimeout(late);
    },
  };
}
let boots = 0;
