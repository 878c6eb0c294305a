// Talking to the phone: requests with the token, one after the other where order matters, and the live state.

import type { BenchAction, BenchState, PhoneEvent, Problem, Refusal, SessionView, StateView } from '../types.ts';

/** A request that was refused; the message is for the person at the page. */
export class Refused extends Error {
  readonly status: number;
  readonly problems: readonly Problem[];
  constructor(status: number, message: string, problems: readonly Problem[] = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

let csrf = '';

export async function ask<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method, credentials: 'same-origin',
      ...(method === 'GET' ? {} : { headers: { 'content-type': 'application/json', 'x-csrf-token': csrf }, body: JSON.stringify(body ?? {}) }),
    });
  } catch {
    throw new Refused(0, 'The phone does not answer. Is it switched on and in the same network?');
  }
  const answered = await answer.json().catch(() => ({})) as Partial<Refusal> & { readonly csrf?: string };
  if (answered.csrf !== undefined) csrf = answered.csrf;
  if (!answer.ok) throw new Refused(answer.status, answered.error ?? `The phone refused (${answer.status}).`, answered.problems);
  return answered as T;
}

export const visit = (): Promise<SessionView> => ask<SessionView>('GET', '/api/session');

let lastPress: Promise<unknown> = Promise.resolve();
/** Work the drawn handset; in the order asked for, as the network alone would not promise. */
export function bench(action: BenchAction): Promise<BenchState> {
  const done = lastPress.then(() => ask<BenchState>('POST', '/api/bench', action));
  lastPress = done.catch(() => undefined);
  return done;
}

export interface Watcher {
  onState(state: StateView): void;
  onBench(state: BenchState): void;
  onLife(event: PhoneEvent): void;
  onConnected(connected: boolean): void;
}

/** Live state until the returned function is called. The browser connects again by itself. */
export function watch(watcher: Watcher): () => void {
  const source = new EventSource('/api/events');
  const listen = <T>(name: string, on: (value: T) => void) => source.addEventListener(name, (event) => on(JSON.parse((event as MessageEvent<string>).data) as T));
  listen('state', watcher.onState.bind(watcher));
  listen('bench', watcher.onBench.bind(watcher));
  listen('life', watcher.onLife.bind(watcher));
  source.onopen = () => watcher.onConnected(true);
  source.onerror = () => watcher.onConnected(false);
  return () => source.close();
}
