// Lines for people, for the journal, or for programs. Own code: a line is a format of one sentence, and the journal needs its
// level in front (<N>, sd-daemon(3)).

import type { Clock } from '../ports/clock.ts';
import type { Log, LogFields, LogLevel } from '../ports/log.ts';

const RANK: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
const JOURNAL: Readonly<Record<LogLevel, string>> = { error: '<3>', warn: '<4>', info: '<6>', debug: '<7>' };

export interface LogOptions {
  readonly format: 'text' | 'json';
  level: LogLevel;
  /** Standard error is the journal: levels in front, no time (the journal has its own). */
  readonly journal: boolean;
  readonly write: (line: string) => void;
}

/** What JSON leaves as it is, and a terminal obeys or a reader cannot see: DEL, C1 controls, and marks that turn the direction of text. */
const UNSEEN = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const bare = /^[\w.:@/+*#,[\]-]+$/;
const spelled = (value: string | number | boolean | null) =>
  typeof value !== 'string' || bare.test(value) ? String(value) : JSON.stringify(value).replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

export function createLog(clock: Clock, options: LogOptions): Log {
  const line = (level: LogLevel, fields: LogFields, fact: string) => {
    if (RANK[level] > RANK[options.level]) return;
    const time = new Date(clock.wall()).toISOString();
    if (options.format === 'json') {
      options.write(`${JSON.stringify({ time, level, event: fact, ...fields })}\n`);
      return;
    }
    let out = options.journal ? JOURNAL[level] : `${time.slice(11, 23)} ${level.padEnd(5)} `;
    out += fact;
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) out += ` ${name}=${spelled(value)}`;
    }
    options.write(`${out.replace(/[\r\n]+/g, ' | ')}\n`);
  };
  return {
    error: (fields, fact) => line('error', fields, fact),
    warn: (fields, fact) => line('warn', fields, fact),
    info: (fields, fact) => line('info', fields, fact),
    debug: (fields, fact) => line('debug', fields, fact),
  };
}
