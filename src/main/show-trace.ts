// offhook trace: asks a running phone for its last messages and prints them; with --follow it asks again till the phone ends.

import { PhoneError } from '../ports/errors.ts';
import { systemClock } from '../system/clock.ts';
import { askControl, type Reply } from '../system/control.ts';
import { gap, rung } from './ladder.ts';
import type { KeptMessage } from './message-ring.ts';

export interface TraceOptions {
  readonly last: number | undefined;
  readonly follow: boolean;
  readonly full: boolean;
}

const ASK_MS = 250;

export async function showTrace(socket: string, { last, follow, full }: TraceOptions): Promise<number> {
  const clock = systemClock(), { stdout } = process, show = { colour: stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '', full };
  stdout.on('error', () => process.exit(0)); // `| head` has seen enough
  let from: number | undefined;
  for (;;) {
    let reply: Reply;
    try {
      reply = await askControl(socket, { do: 'trace', ...(from === undefined ? { last } : { from }) });
    } catch (error) {
      if (from !== undefined && error instanceof PhoneError) return 0; // it ended, and so does its trace
      throw error;
    }
    if (!reply.ok) {
      process.stderr.write(`offhook: ${String(reply['why'])}\n`);
      return 1;
    }
    const messages = reply['messages'] as readonly KeptMessage[];
    for (const message of messages) {
      const lost = gap(from ?? message.n, message.n);
      if (lost !== '') stdout.write(`${lost}\n`);
      stdout.write(`${rung(message, show)}\n`);
      from = message.n + 1;
    }
    from = reply['next'] as number;
    if (messages.length > 0) continue; // a reply has a limit; the rest follows at once
    if (!follow) return 0;
    await new Promise<void>((resolve) => { clock.after(ASK_MS, resolve); });
  }
}
