// A real name server on loopback: dnsmasq with records of a test and nothing else.

import { createSocket } from 'node:dgram';
import { freePort, start, until, type Program } from './process.ts';

export interface NameServer {
  /** For the setting sip.nameServers. */
  readonly address: string;
  stop(): Promise<void>;
}

/** `records` are options of dnsmasq: 'srv-host=_sip._udp.x,a.x,5060,10,0', 'naptr-record=...', 'host-record=a.x,127.0.0.1'. */
export async function startDnsmasq(records: readonly string[]): Promise<NameServer> {
  const port = await freePort();
  const program: Program = start('dnsmasq', [
    '--keep-in-foreground', '--log-facility=-', '--conf-file=/dev/null', '--pid-file=', '--user=root', `--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--no-resolv', '--no-hosts', '--local=/test/',
    ...records.map((record) => `--${record}`),
  ]);
  if (!await until(() => answers(port), 10_000)) throw new Error(`dnsmasq does not answer:\n${program.output()}`);
  return { address: `127.0.0.1:${port}`, stop: () => program.stop() };
}

/** true when any question is answered. */
function answers(port: number): Promise<boolean> {
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
    socket.connect(port, '127.0.0.1', () => socket.send(Buffer.from('0001010000010000000000000474657374000001 0001'.replace(' ', ''), 'hex')));
  });
}
