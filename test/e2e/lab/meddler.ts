// Somebody on the way between two phones: passes SIP and RTP on, itself written into the descriptions, and may add packets of its own.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { freePort } from './process.ts';

export interface Meddler {
  /** What to call to reach `far` through it. */
  readonly port: number;
  /** RTP from `far` as it passed, oldest first; and what the caller sent. Where both use one port for it, RTCP is among them (RFC 5761). */
  readonly passed: readonly Buffer[];
  readonly said: readonly Buffer[];
  /** Share of the RTP from `far` that it loses, 0 to 1. */
  loses: number;
  /** Send bytes to the caller as if they came from `far`. */
  slipIn(packet: Uint8Array): void;
  stop(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const bound = async (port: number): Promise<Socket> => {
  const socket = createSocket('udp4');
  socket.bind(port, LOOPBACK);
  await once(socket, 'listening');
  return socket;
};
/** A port of five digits as all here have, so that no length changes. */
const fivePort = async (): Promise<number> => {
  for (;;) {
    const port = await freePort();
    if (port > 9_999 && port % 2 === 0) return port;
  }
};

const isReport = (bytes: Buffer): boolean => bytes[1]! >= 192 && bytes[1]! <= 223;

/** Meddles with calls from one phone to the SIP port `far` of another; reports are passed on only over the port of RTP. */
export async function startMeddler(far: number): Promise<Meddler> {
  const sip = await bound(0), port = sip.address().port;
  const [toCaller, toFar] = [await bound(await fivePort()), await bound(await fivePort())];
  const passed: Buffer[] = [], said: Buffer[] = [];
  let caller = 0, callerRtp = 0, farRtp = 0;
  sip.on('message', (bytes, from) => {
    const text = bytes.toString('latin1'), fromFar = from.port === far;
    if (!fromFar) caller = from.port;
    const own = (fromFar ? toCaller : toFar).address().port;
    const changed = text.replace(/^m=audio (\d{5})/m, (_, rtp: string) => {
      if (fromFar) farRtp = Number(rtp);
      else callerRtp = Number(rtp);
      return `m=audio ${own}`;
    });
    sip.send(Buffer.from(changed, 'latin1'), fromFar ? caller : far, LOOPBACK);
  });
  toFar.on('message', (bytes) => { // what the far phone says
    if (!isReport(bytes) && Math.random() < meddler.loses) return;
    passed.push(Buffer.from(bytes));
    toCaller.send(bytes, callerRtp, LOOPBACK);
  });
  toCaller.on('message', (bytes) => {
    said.push(Buffer.from(bytes));
    toFar.send(bytes, farRtp, LOOPBACK);
  });
  const meddler: Meddler = {
    port, passed, said, loses: 0,
    slipIn: (packet) => toCaller.send(packet, callerRtp, LOOPBACK),
    async stop() {
      for (const socket of [sip, toCaller, toFar]) socket.close();
    },
  };
  return meddler;
}
