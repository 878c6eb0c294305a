// src/main/remote-media.ts with a thread that only notes what is posted to it.

import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { mediaThread, type ThreadOptions, type ThreadWork } from '../../src/main/remote-media.ts';
import type { MediaEvent } from '../../src/media/door.ts';
import { FakeLog } from '../fakes/log.ts';

function lab() {
  const posted: ThreadWork[] = [], deaths: string[] = [], heard: MediaEvent[] = [];
  const thread = Object.assign(new EventEmitter(), { postMessage: (work: ThreadWork) => { posted.push(work); } });
  const { media, ready, begin } = mediaThread({} as ThreadOptions, new FakeLog(), (error) => { deaths.push(error.code); }, () => undefined, () => thread as never);
  media.subscribe((event) => { heard.push(event); });
  return { media, ready, begin, thread, posted, deaths, heard };
}
const ping = (ask: number) => ({ do: 'ping', ask }) as const;
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

test('commands given in one go are one message in their order, those of the next go another', async () => {
  const { media, begin, posted } = lab();
  begin();
  media.command(ping(1));
  media.command(ping(2));
  await turn();
  media.command(ping(3));
  await turn();
  expect(posted).toEqual([[ping(1), ping(2)], [ping(3)]]);
});

test('what cannot be posted is not posted again, and does not keep back what comes after', async () => {
  const { media, begin, posted, thread } = lab(), { postMessage } = thread;
  media.command(ping(1));
  thread.postMessage = () => { throw new Error('could not be cloned'); };
  expect(begin).toThrow('could not be cloned');
  thread.postMessage = postMessage;
  media.command(ping(2));
  await turn();
  expect(posted).toEqual([[ping(2)]]);
});

test('what is wanted before the thread begins is told at its beginning', async () => {
  const { media, begin, posted } = lab();
  media.command(ping(1));
  await turn();
  media.command(ping(2));
  expect(posted).toEqual([]);
  begin();
  expect(posted).toEqual([[ping(1), ping(2)]]);
  await turn();
  expect(posted).toHaveLength(1);
});

test('the end comes after every command, and an end that was asked for is no death', async () => {
  const { media, begin, thread, posted, deaths } = lab();
  begin();
  media.command(ping(1));
  media.close();
  thread.emit('exit', 0);
  await turn();
  expect([posted, deaths]).toEqual([[[ping(1)], 'end'], []]);
});

test('events reach whoever listens; a thread that ends unasked is told of', async () => {
  const { ready, begin, thread, deaths, heard } = lab();
  begin();
  thread.emit('message', { kind: 'ready' });
  await ready;
  thread.emit('message', { kind: 'event', event: { event: 'pong', ask: 1 } });
  thread.emit('exit', 1);
  expect([heard, deaths]).toEqual([[{ event: 'pong', ask: 1 }], ['MEDIA_THREAD_DIED']]);
});
