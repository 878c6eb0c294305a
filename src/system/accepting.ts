// What who connects to us goes through before it carries SIP: a TLS handshake, the upgrade to WebSocket (RFC 7118 §4.1), or both. Loaded by the first
// listener that wants one of them.

import type { Socket } from 'node:net';
import type { Log } from '../ports/log.ts';
import type { StreamHandler, StreamSocket } from '../ports/net.ts';
import type { Tls } from './tls.ts';

/** Handshakes and upgrades of strangers under way at once. */
const UNDER_WAY_MOST = 32;

/** `raw` has just connected; `take` makes a stream of what is under SIP when that is no WebSocket. */
export type Layers = (raw: Socket, ends: Pick<StreamSocket, 'local' | 'remote'>, accept: (stream: StreamSocket) => StreamHandler, take: (carrier: Socket) => void) => void;

/** For a listener at `port`; `tls` where it has TLS. What is wrong with its certificate is told at once, and again when that changes. */
export async function layersOf(tls: Tls | undefined, web: boolean, port: number, log: Log | undefined): Promise<Layers> {
  const upgrade = web ? (await import('./websocket-server.ts')).upgrades() : undefined;
  let underWay = 0, said: string | undefined;
  const tell = (): void => {
    const problem = tls?.problem();
    if (problem !== said && problem !== undefined) log?.error({ port }, `TLS cannot be used: ${problem}`);
    said = problem;
  };
  tell();
  return (raw, ends, accept, take) => {
    if (underWay >= UNDER_WAY_MOST) return void raw.destroy();
    underWay++;
    tell();
    (async () => {
      const carrier = tls === undefined ? raw : await tls.accept(raw);
      if (upgrade === undefined) take(carrier);
      else await upgrade(carrier, ends, accept);
    })().catch((error: unknown) => {
      raw.destroy();
      log?.debug({ from: ends.remote.host, wrong: String(error) }, `${tls === undefined ? 'WebSocket' : 'TLS'} handshake failed`);
    }).finally(() => { underWay--; });
  };
}
