// A real name server on loopback: dnsmasq with records of a test and nothing else.

import { answersUdp, freePort, start, until, type Program } from './process.ts';

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
  if (!await until(() => answersUdp(port, () => QUESTION), 10_000)) throw new Error(`dnsmasq does not answer:\n${program.output()}`);
  return { address: `127.0.0.1:${port}`, stop: () => program.stop() };
}

/** Any question will do: test. A */
const QUESTION = Buffer.from('00010100000100000000000004746573740000010001', 'hex');
