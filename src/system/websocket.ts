// SIP over WebSocket (RFC 7118): subprotocol sip, a message a frame; and the client's side of opening it. The connection below, TLS or not, is made already.

import { isUtf8 } from 'node:buffer';
import { isIPv6, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Endpoint, StreamHandler, StreamSocket } from '../ports/net.ts';

/** Greater messages end the connection (RFC 6455 §7.4.1, code 1009). */
export const MESSAGE_BYTES = 65_535;
/** What may wait for a peer that does not read. */
const UNSENT_BYTES = 1 << 18;
/** As for TLS, below the transport's own patience. */
export const UPGRADE_MS = 3_500;
const CRLF = Buffer.from('\r\n'), PING = Buffer.from('\r\n\r\n');

/** What to ask for, and over what: a connection that is open and becomes the WebSocket's. */
export interface Upgrade {
  readonly raw: Socket;
  /** Our end of it. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly name: string;
  readonly path: string;
  /** Over TLS: what an error means to people. */
  readonly words: ((error: Error) => Error) | undefined;
}

export function openWebSocket({ raw, local, remote, name, path, words }: Upgrade, handler: StreamHandler): StreamSocket {
  const host = isIPv6(name) ? `[${name}]` : name, where = `${name} port ${remote.port}`;
  const web = new WebSocket(`${words === undefined ? 'ws' : 'wss'}://${host}:${remote.port}${path}`, ['sip'], {
    createConnection: () => raw, perMessageDeflate: false, maxPayload: MESSAGE_BYTES, skipUTF8Validation: true,
  });
  const stream = streamOver(web, { local, remote }, () => handler, (error) => explained(words?.(error) ?? error, where, path));
  const timer = setTimeout(() => { // ws has such a timer, but it does not run for a connection made before
    stream.fail(Object.assign(new Error(`${where} took the connection but did not open a WebSocket within ${UPGRADE_MS / 1_000} s`), { code: 'ETIMEDOUT' }));
  }, UPGRADE_MS);
  web.on('open', () => {
    clearTimeout(timer);
    handler.onOpen();
  });
  web.on('close', () => clearTimeout(timer));
  return stream;
}

/** The stream that `web`, opening or open, carries; `words` turns an error into one for people. */
export function streamOver(web: WebSocket, { local, remote }: Pick<StreamSocket, 'local' | 'remote'>, handlerOf: (stream: StreamSocket) => StreamHandler, words = (error: Error): Error => error): StreamSocket & { fail(error: Error): void } {
  let failure: Error | undefined, over = false;
  const stream = {
    local,
    remote,
    send(bytes: Uint8Array) {
      if (over || web.readyState !== WebSocket.OPEN) return;
      if (PING.equals(bytes)) return web.ping(); // RFC 7118 §6
      web.send(bytes, { binary: !isUtf8(bytes) }); // §4.2: text must be UTF-8
      if (web.bufferedAmount > UNSENT_BYTES) stream.fail(new Error('the other side does not read'));
    },
    close() {
      over = true;
      if (web.bufferedAmount === 0) web.close(1000);
      else web.terminate();
    },
    fail(error: Error) {
      failure = error;
      web.terminate();
    },
  };
  const handler = handlerOf(stream);
  web.on('message', (bytes: Buffer) => { if (!over) handler.onBytes(bytes); });
  web.on('pong', () => { if (!over) handler.onBytes(CRLF); });
  web.on('error', (error) => { failure ??= words(error); });
  web.on('close', (code) => {
    if (over) return;
    over = true;
    handler.onClose(failure ?? (code === 1000 || code === 1001 || code === 1005 ? undefined : new Error(`the WebSocket ended with code ${code}`)));
  });
  if (web.readyState === WebSocket.OPEN) handler.onOpen();
  return stream;
}

function explained(error: Error, where: string, path: string): Error {
  const status = /server response: (\d+)/.exec(error.message)?.[1];
  const words = status !== undefined ? `the web server at ${where} answers ${status} to ${path}`
    : /subprotocol/.test(error.message) ? `${where} speaks WebSocket, but not SIP over it`
      : /Parse Error|socket hang up|Sec-WebSocket|Upgrade/i.test(error.message) ? `${where} does not speak WebSocket` : undefined;
  return words === undefined ? error : Object.assign(new Error(words, { cause: error }), { code: 'ECONNREFUSED' });
}
