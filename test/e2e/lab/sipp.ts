// SIPp, run to its end, and the parts that scenarios of ours are made of.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, start } from './process.ts';

export interface SippResult {
  readonly code: number;
  readonly successful: number;
  readonly failed: number;
  readonly seconds: number;
  readonly output: string;
}

/** `scenario`: a built-in name such as 'uac', or the text of a scenario file. */
export async function runSipp(folder: string, target: string, scenario: string, args: readonly string[], timeoutS = 60): Promise<SippResult> {
  const port = await freePort();
  let which = ['-sn', scenario];
  if (scenario.includes('<')) {
    const file = join(folder, `scenario-${port}.xml`);
    writeFileSync(file, scenario);
    which = ['-sf', file];
  }
  const began = Date.now();
  const program = start('sipp', [target, ...which, '-i', '127.0.0.1', '-p', String(port), '-nostdin', '-timeout', `${timeoutS}s`, ...args], { cwd: folder, env: { ...process.env, TERM: 'dumb' } });
  const code = await program.ended;
  const output = program.output();
  const last = (label: RegExp) => Number([...output.matchAll(label)].at(-1)?.[1] ?? Number.NaN);
  return {
    code,
    successful: last(/Successful call\s*\|[^|]*\|\s*(\d+)/g),
    failed: last(/Failed call\s*\|[^|]*\|\s*(\d+)/g),
    seconds: (Date.now() - began) / 1_000,
    output,
  };
}

/** Session description of SIPp's; nobody listens there. */
export const described = ['v=0', 'o=- 1 1 IN IP4 [local_ip]', 's=-', 'c=IN IP4 [local_ip]', 't=0 0', 'm=audio 41000 RTP/AVP 0'];
/** A message of SIPp's. */
export const message = (start: string, lines: readonly string[], body: readonly string[] = [], retrans = false): string =>
  [`<send${retrans ? ' retrans="500"' : ''}><![CDATA[`, start, ...lines, 'Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>', ...(body.length === 0 ? [] : ['Content-Type: application/sdp']), 'Content-Length: [len]', '', ...body, ']]></send>'].join('\n');
/** A request of SIPp's as caller. */
export const request = (method: string, cseq: number, more: readonly string[] = [], body: readonly string[] = []): string => message(
  `${method} ${method === 'INVITE' ? 'sip:[service]@[remote_ip]:[remote_port]' : '[next_url]'} SIP/2.0`,
  ['Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]', 'From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]x[call_number]', method === 'INVITE' ? 'To: <sip:[service]@[remote_ip]:[remote_port]>' : '[last_To:]',
    'Call-ID: [call_id]', `CSeq: ${cseq} ${method}`, 'Max-Forwards: 70', 'Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK', ...more], body, method !== 'ACK');
/** A response of SIPp's to the last request it got. */
export const response = (start: string, more: readonly string[] = [], body: readonly string[] = []): string =>
  message(`SIP/2.0 ${start}`, ['[last_Via:]', '[last_From:]', '[last_To:]', '[last_Call-ID:]', '[last_CSeq:]', 'Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK', ...more], body);
export const scenario = (name: string, ...steps: string[]): string => `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="${name}">\n${steps.join('\n')}\n</scenario>`;
/** What a header must say, kept as variable `to`; SIPp wants each variable used, so log it. */
export const ereg = (header: string, value: string, to: number): string => `<ereg regexp="${value}" search_in="hdr" header="${header}" check_it="true" assign_to="${to}"/>`;
export const hears = (header: string, value: string): string => `<action>${ereg(header, value, 1)}<log message="[$1]"/></action>`;
