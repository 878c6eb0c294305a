// The call log and what the telephone remembers (last number dialled, last caller), kept as text by whoever gives the store.
// Only the newest of each stays in memory; the log itself is read back when somebody asks.

import type { CallLogEntry } from './status.ts';

/** Named texts that outlive the phone. `read` gives undefined for what was never written. */
export interface TextStore {
  read(name: string): Promise<string | undefined>;
  write(name: string, text: string): Promise<void>;
  append(name: string, text: string): Promise<void>;
}

const LOG = 'calls.jsonl';
const MEMORY = 'memory.json';

export interface CallLog {
  add(entry: CallLogEntry): Promise<void>;
  /** Newest first, as many as the setting keeps; lines that are not entries are left out. */
  read(): Promise<readonly CallLogEntry[]>;
}

function parse(text: string | undefined): CallLogEntry[] {
  const entries: CallLogEntry[] = [];
  for (const line of (text ?? '').split('\n')) {
    if (line === '') continue;
    try {
      const entry = JSON.parse(line) as Partial<CallLogEntry> | null;
      if (typeof entry?.at === 'number' && typeof entry.who === 'string') entries.push(entry as CallLogEntry);
    } catch {
      continue; // a line cut short by a power loss
    }
  }
  return entries;
}

/** `size` is asked each time: how many calls are kept, 0 for none. The file is cut back when it holds twice that. */
export function createCallLog(store: TextStore, size: () => number): CallLog {
  let lines = -1;
  let busy: Promise<void> = Promise.resolve();
  const write = async (entry: CallLogEntry): Promise<void> => {
    const keep = size();
    if (keep === 0) {
      if (lines !== 0) await store.write(LOG, '');
      lines = 0;
      return;
    }
    if (lines < 0) lines = parse(await store.read(LOG)).length;
    if (lines + 1 > keep * 2) {
      const kept = [...parse(await store.read(LOG)), entry].slice(-keep);
      await store.write(LOG, kept.map((e) => `${JSON.stringify(e)}\n`).join(''));
      lines = kept.length;
      return;
    }
    await store.append(LOG, `${JSON.stringify(entry)}\n`);
    lines++;
  };
  return {
    // A write that fails must not keep the next from being tried; the caller is told of its own.
    add: (entry) => {
      const done = busy.then(() => write(entry));
      busy = done.then(undefined, () => { lines = -1; });
      return done;
    },
    read: async () => {
      await busy;
      const keep = size();
      return keep === 0 ? [] : parse(await store.read(LOG)).slice(-keep).reverse();
    },
  };
}

export interface Memory {
  redial: string;
  lastCaller: string;
  missed: number;
}

/** What was remembered; anything unreadable is forgotten. */
export async function readMemory(store: TextStore): Promise<Memory> {
  const memory: Memory = { redial: '', lastCaller: '', missed: 0 };
  try {
    const kept = JSON.parse((await store.read(MEMORY)) ?? '{}') as Partial<Memory> | null;
    if (typeof kept?.redial === 'string') memory.redial = kept.redial;
    if (typeof kept?.lastCaller === 'string') memory.lastCaller = kept.lastCaller;
    if (typeof kept?.missed === 'number') memory.missed = kept.missed;
  } catch {
    return memory;
  }
  return memory;
}

export const writeMemory = (store: TextStore, memory: Memory): Promise<void> => store.write(MEMORY, JSON.stringify(memory));
