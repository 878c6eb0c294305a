// The control socket: a running phone listens in its state folder, `offhook call …` talks to it. One JSON object a line each way:
// {"command":"call","target":"201"} -> {"ok":true,...} or {"ok":false,"why":"..."}. The folder's mode is the login.

import { chmodSync, existsSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { PhoneError } from '../ports/errors.ts';

const LINE_LIMIT = 8_192;
/** A reply may carry the messages of a trace. */
const REPLY_LIMIT = 1 << 20;
const CLIENT_LIMIT = 64;
/** A client that asks and never reads is let go beyond this. */
const UNREAD_LIMIT = 1 << 20;
/** Linux's sun_path holds 108 bytes with its end mark. */
const PATH_LIMIT = 107;

export type Reply = { readonly ok: boolean } & Readonly<Record<string, unknown>>;

function onLines(socket: Socket, line: (text: string) => void, limit: number, tooLong: () => void = () => socket.destroy()): void {
  let held = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    if (socket.writableEnded) return; // told to go
    held += chunk;
    for (let end = held.indexOf('\n'); end >= 0; end = held.indexOf('\n')) {
      const text = held.slice(0, end);
      held = held.slice(end + 1);
      line(text);
    }
    if (held.length > limit) tooLong();
  });
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** true when a phone answers at `path`. */
async function alive(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => { probe.destroy(); resolve(true); });
    probe.once('error', () => resolve(false));
  });
}

export interface ControlServer {
  close(): void;
}

/** Listen at `path`; a socket left by a phone that died is replaced, one that answers is PhoneError ALREADY_RUNNING. */
export async function serveControl(path: string, serve: (command: unknown) => Promise<Reply>): Promise<ControlServer> {
  if (Buffer.byteLength(path) > PATH_LIMIT) {
    throw new PhoneError('STATE_PATH_TOO_LONG', `the state folder's path is too long for a socket: ${path} has more than ${PATH_LIMIT} bytes`);
  }
  if (await alive(path)) throw new PhoneError('ALREADY_RUNNING', `another phone is running with this state folder (${path})`);
  remove(path);
  const clients = new Set<Socket>();
  const server = createServer((socket) => {
    const say = (reply: Reply): void => {
      if (socket.destroyed || socket.writableEnded) return;
      socket.write(`${JSON.stringify(reply)}\n`);
      if (socket.writableLength > UNREAD_LIMIT) socket.destroy();
    };
    const dismiss = (why: string): void => {
      say({ ok: false, why });
      socket.end();
      socket.resume(); // whatever still comes is not read by anybody
    };
    socket.on('error', () => socket.destroy());
    if (clients.size >= CLIENT_LIMIT) return dismiss(`${CLIENT_LIMIT} others are talking to this phone; try again`);
    clients.add(socket);
    socket.on('close', () => clients.delete(socket));
    onLines(socket, (text) => {
      let command: unknown;
      try {
        command = JSON.parse(text);
      } catch {
        return dismiss('not a line of JSON');
      }
      serve(command).then(say, (error: unknown) => say({ ok: false, why: error instanceof Error ? error.message : String(error) }));
    }, LINE_LIMIT, () => dismiss(`a command has at most ${LINE_LIMIT} bytes`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new PhoneError('CONTROL_FAILED', `cannot listen at ${path}: ${error.message}`, error)));
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    close() {
      server.close();
      for (const socket of clients) socket.end();
      remove(path);
    },
  };
}

/** Say one command to the phone that listens at `path`. Rejects with PhoneError NOT_RUNNING when none does, PHONE_ENDED when it ends first. */
export function askControl(path: string, command: unknown): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let met = false;
    const gone = (): void => reject(met ? new PhoneError('PHONE_ENDED', 'the phone ended before it answered')
      : new PhoneError('NOT_RUNNING', `no phone is running with this state folder (${path})`));
    socket.on('error', gone);
    socket.once('close', gone);
    socket.once('connect', () => {
      met = true;
      socket.write(`${JSON.stringify(command)}\n`);
    });
    onLines(socket, (text) => {
      resolve(JSON.parse(text) as Reply);
      socket.end();
    }, REPLY_LIMIT);
  });
}
