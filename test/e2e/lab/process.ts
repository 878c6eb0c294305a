// Programs a test starts, and ends again by their id.

import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Program {
  readonly child: ChildProcess;
  /** Everything written so far, both outputs. */
  readonly output: () => string;
  /** Resolves with the match once the output has it after `from` characters; rejects after `ms` or when the program ends first. */
  waitFor(pattern: RegExp, ms: number, from?: number): Promise<RegExpExecArray>;
  /** Resolves with the exit code. */
  readonly ended: Promise<number>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export function start(command: string, args: readonly string[], options: SpawnOptions = {}): Program {
  const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  let text = '';
  const watchers = new Set<() => void>();
  const add = (chunk: Buffer) => {
    text += chunk.toString('utf8');
    for (const look of watchers) look();
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  let over = false;
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      over = true;
      resolve(code ?? (signal === null ? -1 : 128));
      for (const look of watchers) look();
    });
  });
  ended.catch(() => undefined);
  return {
    child,
    output: () => text,
    ended,
    waitFor(pattern, ms, from = 0) {
      return new Promise((resolve, reject) => {
        const done = () => {
          clearTimeout(timer);
          watchers.delete(look);
        };
        const look = () => {
          const match = new RegExp(pattern.source, pattern.flags.replace('g', '')).exec(text.slice(from));
          if (match !== null) {
            done();
            resolve(match);
          } else if (over) {
            done();
            reject(new Error(`${command} ended before ${String(pattern)}:\n${text.slice(-4_000)}`));
          }
        };
        const timer = setTimeout(() => {
          done();
          reject(new Error(`${command} did not say ${String(pattern)} within ${ms} ms:\n${text.slice(-4_000)}`));
        }, ms);
        watchers.add(look);
        look();
      });
    },
    async stop(signal = 'SIGTERM') {
      if (over) return;
      child.kill(signal);
      // A program started as a group of its own leaves no children behind.
      const killer = setTimeout(() => { if (options.detached === true && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL'); else child.kill('SIGKILL'); }, 5_000);
      await ended.catch(() => undefined);
      clearTimeout(killer);
    },
  };
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Ask again until it is true; false after `ms`. */
export async function until(true_: () => boolean | Promise<boolean>, ms: number, stepMs = 50): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await pause(stepMs)) if (await true_()) return true;
  return true_();
}

// Above the ports that Linux gives to connections of its own, and those that baresip and the phones use for sound.
const PORTS = { first: 61_000, last: 65_400 };
let nextPort = PORTS.first + 2 * Math.floor(Math.random() * (PORTS.last - PORTS.first) / 2);

const opens = (bind: (done: (free: boolean) => void) => void) => new Promise<boolean>(bind);

/** A port free on loopback for UDP and TCP alike, and the one after it (baresip takes that for TLS); whoever asks for two gets two. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort;
    nextPort = nextPort === PORTS.last ? PORTS.first : nextPort + 2;
    const free = await opens((done) => {
      const server = createServer();
      server.on('error', () => done(false));
      server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
    }) && await opens((done) => {
      const socket = createSocket('udp4');
      socket.on('error', () => done(false));
      socket.bind(port, '127.0.0.1', () => socket.close(() => done(true)));
    });
    if (free) return port;
  }
}

/** True when `port` of loopback answers a datagram within 0.3 s; `question` is told the port it goes from. */
export function answersUdp(port: number, question: (own: number) => string | Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (yes: boolean) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.close();
      resolve(yes);
    };
    const timer = setTimeout(() => done(false), 300);
    socket.on('error', () => done(false));
    socket.on('message', () => done(true));
    socket.connect(port, '127.0.0.1', () => socket.send(question(socket.address().port)));
  });
}

/** A folder for one test, short enough for sockets in it. */
export function scratch(name: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `oh-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface Stoppable { stop(): Promise<void> }

/** What the tests of a file start: up() waits for one and remembers it, stop() ends them all. */
export function startedHere(): { up<T extends Stoppable>(starting: Promise<T>): Promise<T>; stop(): Promise<void> } {
  const running: Stoppable[] = [];
  return {
    async up(starting) {
      const it = await starting;
      running.push(it);
      return it;
    },
    async stop() { await Promise.all(running.map((each) => each.stop())); },
  };
}

/** What a test file has started: `up` keeps what it is given once that runs, `stop` ends all of it, the last first. */
export function runners(): { up<T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T>; stop(): Promise<void> } {
  const running: { stop(): Promise<unknown> }[] = [];
  return {
    async up(starting) {
      const it = await starting;
      running.unshift(it);
      return it;
    },
    async stop() {
      for (const it of running.splice(0)) await it.stop();
    },
  };
}
