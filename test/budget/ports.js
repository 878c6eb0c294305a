// What the core is given to live on, in plain JavaScript: loaded and warmed before the baseline is taken. Time can be skipped, so
// that transactions which live for 32 s are over at once.

import { randomBytes, createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';

export function clock() {
  let skipped = 0;
  const alarms = new Set();
  const now = () => performance.now() + skipped;
  const arm = (alarm) => {
    alarm.timer = setTimeout(() => {
      alarms.delete(alarm);
      alarm.due();
    }, Math.max(0, alarm.at - now()));
  };
  return {
    now,
    wall: () => Date.now() + skipped,
    after(ms, due) {
      const alarm = { at: now() + ms, due, timer: undefined };
      alarms.add(alarm);
      arm(alarm);
      return () => {
        clearTimeout(alarm.timer);
        alarms.delete(alarm);
      };
    },
    skip(ms) {
      skipped += ms;
      for (const alarm of [...alarms]) {
        clearTimeout(alarm.timer);
        arm(alarm);
      }
    },
  };
}

export const random = { bytes: (count) => new Uint8Array(randomBytes(count)), fraction: () => randomBytes(4).readUInt32LE() / 2 ** 32 };
export const log = { error(fields, fact) { console.error(fact, fields); }, warn() {}, info() {}, debug() {} };

export const network = {
  udp: (local, handler) => new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', () => reject(Object.assign(new Error('port in use'), { code: 'PORT_IN_USE' })));
    socket.bind({ port: local.port, address: local.host || '0.0.0.0' }, () => {
      const bound = socket.address();
      socket.on('message', (bytes, from) => handler.onDatagram(bytes, { host: from.address, port: from.port }));
      socket.on('error', (error) => handler.onError(error, undefined));
      resolve({
        local: { host: bound.address, port: bound.port },
        send: (bytes, to) => socket.send(bytes, to.port, to.host),
        close: () => socket.close(),
      });
    });
  }),
  connect() { throw new Error('no TCP here'); },
  listen: async (local) => ({ local, close() {} }),
  sourceFor: async () => '127.0.0.1',
};
export const resolver = { addresses: async () => [], srv: async () => [] };

/** A sound device that hears silence every 20 ms. */
export const audio = {
  list: () => [],
  open(options) {
    const captured = new Int16Array(options.periodFrames);
    const playback = new Int16Array(options.periodFrames);
    const timer = setInterval(() => {
      playback.fill(0);
      options.onPeriod(captured, playback);
    }, options.periodFrames * 1_000 / options.rateHz);
    return {
      name: options.name, rateHz: options.rateHz, periodFrames: options.periodFrames,
      status: () => ({ state: 'running', trouble: '', xruns: 0, reopened: 0, delayFrames: 0 }),
      close: () => clearInterval(timer),
    };
  },
};

/** Everything above used once, so that Node's own modules are in the baseline. */
export async function warm() {
  const a = await network.udp({ host: '127.0.0.1', port: 0 }, { onDatagram() {}, onError() {} });
  const b = await network.udp({ host: '127.0.0.1', port: 0 }, { onDatagram() {}, onError() {} });
  for (let i = 0; i < 200; i++) a.send(Buffer.from('x'), b.local);
  await new Promise((resolve) => setTimeout(resolve, 50));
  a.close();
  b.close();
  // What a program of bytes uses of Node's buffers.
  const bytes = Buffer.allocUnsafe(64);
  bytes.write('one two', 0, 'latin1');
  bytes.set(Buffer.from([1, 2]).subarray(1), 60);
  for (const what of ['one', Buffer.from('two'), 0x20]) bytes.indexOf(what), bytes.lastIndexOf(what);
  bytes.equals(Buffer.from(new Uint8Array(64).buffer, 0, 64));
  bytes.toString('latin1', 0, 7), bytes.toString('base64'), bytes.readUInt32LE(0), bytes.slice(1), Buffer.byteLength('one'), Buffer.concat([bytes, bytes]);
  random.bytes(8), random.fraction();
  createHash('md5').update('x').digest('hex');
  createHash('sha256').update('x').digest('hex');
  const c = clock();
  c.after(1, () => {});
  const device = audio.open({ name: 'x', rateHz: 16_000, periodFrames: 320, onPeriod() {} });
  await new Promise((resolve) => setTimeout(resolve, 60));
  device.close();
  JSON.parse(process.env.BUDGET_SETTINGS);
}
