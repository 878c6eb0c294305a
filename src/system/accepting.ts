// What who connects to us goes through before it carries SIP: a TLS handshake, the upgrade to WebSocket (RFC 7118 §4.1), or both. Loaded by the first
// listener that wants one of them.

import type { Socket } from 'node:net';
import type { Log } from '../ports/log.ts';
import type { StreamHandler, StreamSocket } from '../ports/net.ts';
import type { Tls } from './tls.ts';

/** Handshakes and upgrades of strangers under way at once; beyond it the address that has most of them loses one. */
const UNDER_WAY_MOST = 32;

/** `raw` has just connected; `take` makes a stream of what is under SIP when that is no WebSocket. */
export type Layers = (raw: Socket, ends: Pick<StreamSocket, 'local' | 'remote'>, accept: (stream: StreamSocket) => StreamHandler, take: (carrier: Socket) => void) => void;

/** For a listener at `port`; `tls` where it has TLS. What is wrong with its certificate is told at once, and again when that changes. */
export async function layersOf(tls: Tls | undefined, web: boolean, port: number, log: Log | undefined): Promise<Layers> {
  const upgrade = web ? (await import('./websocket-server.ts')).upgrades() : undefined;
  /** And from where. */
  const underWay = new Map<Socket, string>();
  let said: string | undefined;
  const tell = (): void => {
    const problem = tls?.problem();
    if (problem !== said && problem !== undefined) log?.error({ port }, `TLS cannot be used: ${problem}`);
    said = problem;
  };
  tell();
  /** False: whoever is at `host` has most of them himself. */
  const hasRoom = (host: string): boolean => {
    if (underWay.size < UNDER_WAY_MOST) return true;
    const counts = new Map<string, number>();
    for (const from of underWay.values()) counts.set(from, (counts.get(from) ?? 0) + 1);
    const most = Math.max(...counts.values());
    if (counts.get(host) === most) return false;
    const [oldest] = [...underWay].find(([, from]) => counts.get(from) === most)!;
    underWay.delete(oldest);
    oldest.destroy();
    return true;
  };
  return (raw, ends, accept, take) => {
    if (!hasRoom(ends.remote.host)) return void raw.destroy();
    underWay.set(raw, ends.remote.host);
    tell();
    (async () => {
      const carrier = tls === undefined ? raw : await tls.accept(raw);
      if (upgrade === undefined) take(carrier);
      else await upgrade(carrier, ends, accept);
    })().catch((error: unknown) => {
      raw.destroy();
      log?.debug({ from: ends.remote.host, wrong: String(error) }, `${tls === undefined ? 'WebSocket' : 'TLS'} handshake failed`);
    }).finally(() => { underWay.delete(raw); });
  };
}
