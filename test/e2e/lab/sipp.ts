// SIPp, run to its end.

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
