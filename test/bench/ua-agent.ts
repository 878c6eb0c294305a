// The user agent alone, on real sockets: answers whatever ua.js sends. Argument: the port, and 'flags' for the flags of V8 that the phone ships with.

import { writeHeapSnapshot } from 'node:v8';
import { createAgent } from '../../src/sip/agent.ts';
import { systemClock } from '../../src/system/clock.ts';
import { systemResolver } from '../../src/system/dns.ts';
import { systemNetwork } from '../../src/system/network.ts';
import { systemRandom } from '../../src/system/random.ts';

const ANSWER = Buffer.from('v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n');
const [port = '', flags] = process.argv.slice(2);
if (flags !== undefined) await import('../../src/main/flags.ts');
const quiet = (): void => undefined;
const agent = createAgent(
  { clock: systemClock(), random: systemRandom(), log: { error: quiet, warn: quiet, info: quiet, debug: quiet }, network: systemNetwork(), resolver: systemResolver(systemClock()) },
  { listen: { host: '127.0.0.1', port: Number(port) }, tcp: false, userAgent: 'bench' },
  { onIncoming: (call) => call.accept(ANSWER), onRegistration: quiet },
);
await agent.start();
console.log('ready');
process.on('message', (file: string) => {
  globalThis.gc?.();
  const { heapUsed: heap } = process.memoryUsage();
  writeHeapSnapshot(file);
  process.send?.({ heap, calls: agent.calls.length });
});
