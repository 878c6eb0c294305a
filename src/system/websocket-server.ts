// SIP over WebSocket, the server's side (RFC 7118): over a connection that is there, TLS or not, an HTTP request comes that asks for subprotocol sip.

import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import type { StreamHandler, StreamSocket } from '../ports/net.ts';
import { MESSAGE_BYTES, UPGRADE_MS, streamOver } from './websocket.ts';

type Ends = Pick<StreamSocket, 'local' | 'remote'>;
type Accept = (stream: StreamSocket) => StreamHandler;
export type Upgrade = (carrier: Socket, ends: Ends, accept: Accept) => Promise<void>;

/** Resolves when the WebSocket is open; rejects when what came asked for none, or nothing came. */
export function upgrades(): Upgrade {
  const waiting = new WeakMap<Socket, { readonly ends: Ends; readonly accept: Accept; done(error?: Error): void }>();
  const http = createServer({ maxHeaderSize: 8_192 }, (request, response) => {
    response.writeHead(426, { Connection: 'close', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Content-Length': 0 }).end();
    waiting.get(request.socket)?.done(new Error('an HTTP request without Upgrade'));
  });
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MESSAGE_BYTES, skipUTF8Validation: true, handleProtocols: () => 'sip' });
  http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const asked = waiting.get(socket);
    if (asked === undefined) return void socket.destroy();
    if (!(request.headers['sec-websocket-protocol'] ?? '').split(',').some((one) => one.trim() === 'sip')) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return asked.done(new Error('a WebSocket without the subprotocol sip'));
    }
    server.handleUpgrade(request, socket, head, (web) => {
      streamOver(web, asked.ends, asked.accept);
      asked.done();
    });
  });
  return (carrier, ends, accept) => new Promise((resolve, reject) => {
    const done = (error?: Error): void => {
      clearTimeout(timer);
      waiting.delete(carrier);
      carrier.off('close', closed);
      if (error === undefined) resolve();
      else reject(error);
    };
    const closed = (): void => done(new Error('closed before it was a WebSocket'));
    const timer = setTimeout(() => carrier.destroy(new Error(`no WebSocket within ${UPGRADE_MS / 1_000} s`)), UPGRADE_MS);
    waiting.set(carrier, { ends, accept, done });
    carrier.on('error', () => undefined).once('close', closed);
    http.emit('connection', carrier);
  });
}
