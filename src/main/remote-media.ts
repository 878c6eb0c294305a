// The media room's door as the main thread sees it: commands are posted to the media thread, events come back.

import { Worker } from 'node:worker_threads';
import type { Media, MediaCommand, MediaEvent, MediaSettings } from '../media/door.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Log, LogFields, LogLevel } from '../ports/log.ts';

/** What the media thread says besides its events. */
export type ThreadMessage =
  | { readonly kind: 'event'; readonly event: MediaEvent }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly fields: LogFields; readonly fact: string }
  | { readonly kind: 'ready' }
  /** The media thread runs at real-time priority; its number at the kernel. */
  | { readonly kind: 'real time'; readonly thread: number };

export interface ThreadOptions {
  readonly settings: MediaSettings;
  /** Mark of RTP and RTCP packets, 0 for none. */
  readonly dscp: number;
  /** STUN server to ask for the address at a NAT, and name servers that know it; '' for none. */
  readonly stunServer: string;
  readonly nameServers: readonly string[];
  /** Ask for real-time priority. */
  readonly realTime: boolean;
}

/** Young generation of the media thread: its garbage is a few datagrams, so small and soon swept is best. */
const YOUNG_MB = 2;

/** What is posted to the media thread: commands in their order, or that it is to end. */
export type ThreadWork = readonly MediaCommand[] | 'end';

const soundThread = (options: ThreadOptions): Pick<Worker, 'on' | 'postMessage'> =>
  new Worker(new URL('./sound-thread.js', import.meta.url), { workerData: options, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });

/**
 * The media thread, which begins by `begin()`. Commands may be given at once; what is given in one go is posted in one message, for each message
 * wakes the thread. `ready` resolves when it runs. `died` is called when it ends unasked, `urgent` when it runs at real-time priority.
 */
export function mediaThread(options: ThreadOptions, log: Log, died: (error: PhoneError) => void, urgent: (thread: number) => void, make = soundThread): { readonly media: Media; readonly ready: Promise<void>; readonly begin: () => void } {
  let waiting: MediaCommand[] = [];
  let worker: ReturnType<typeof make> | undefined;
  const listeners: ((event: MediaEvent) => void)[] = [];
  let closed = false;
  const media: Media = {
    command(command) {
      if (waiting.push(command) === 1 && worker !== undefined) queueMicrotask(post);
    },
    subscribe: (on) => { listeners.push(on); },
    close() {
      closed = true;
      post();
      worker?.postMessage('end' satisfies ThreadWork);
    },
  };
  let begin: () => void = () => undefined;
  const post = (): void => {
    if (worker === undefined || waiting.length === 0) return;
    const work: ThreadWork = waiting;
    waiting = []; // first, so that what cannot be posted does not stand in the way of what comes after
    worker.postMessage(work);
  };
  const ready = new Promise<void>((resolve, reject) => {
    const fail = (why: string, cause?: unknown) => {
      if (closed) return;
      const error = new PhoneError('MEDIA_THREAD_DIED', `the media thread ended: ${why}`, cause);
      reject(error);
      died(error);
    };
    begin = () => {
      if (closed || worker !== undefined) return;
      worker = make(options);
      worker.on('message', (message: ThreadMessage) => {
        if (message.kind === 'event') for (const on of listeners) on(message.event);
        else if (message.kind === 'log') log[message.level](message.fields, message.fact);
        else if (message.kind === 'real time') urgent(message.thread);
        else resolve();
      });
      worker.on('error', (error) => fail(error.message, error));
      worker.on('exit', (code) => fail(`exit code ${code}`));
      post();
    };
  });
  ready.catch(() => undefined); // whoever waits for it hears of it; everybody else through `died`
  return { media, ready, begin };
}
