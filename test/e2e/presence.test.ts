// What a real presence server tells: Kamailio with its modules for registrations (RFC 3680) and voice messages (RFC 3842), to the library and
// to a phone.

import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { passwordOf, startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone } from './lab/phone.ts';
import { scratch, until } from './lab/process.ts';

const folder = scratch('presence');
const running: { stop(): unknown }[] = [];
let kamailio: Kamailio;
let ua: typeof import('offhook/ua');

beforeAll(async () => {
  ua = await import(pathToFileURL(join(resolve(import.meta.dirname, '../..'), 'dist/ua.mjs')).href) as typeof import('offhook/ua');
  kamailio = await startKamailio(folder.path, { presence: true });
});
afterAll(async () => {
  for (const each of running) await each.stop();
  await kamailio?.stop();
  folder.remove();
});

/** A user agent of the library, registered as `user`. */
async function registered(user: string) {
  const one = await ua.createUa({ listen: { host: '127.0.0.1', port: 0 } });
  let open = true;
  const close = async (): Promise<void> => { if (open) await one.close(); open = false; };
  running.push({ stop: close });
  return { one, close, account: await one.register({ server: kamailio.server, user, password: passwordOf(user) }) };
}

test('registrations of an address are told of as they come and go, ours among them (RFC 3680 §5)', async () => {
  const { one, account } = await registered('201');
  const told: { readonly full: boolean; readonly contacts: readonly string[] }[] = [];
  const states: string[] = [];
  const watching = one.subscribe({ target: '', account, event: 'reg', accept: 'application/reginfo+xml' }, (e) => {
    if (e.event !== 'notified') return void states.push(e.event);
    const read = e.body.length === 0 ? undefined : ua.readRegInfo(e.body.toString());
    if (read === undefined) return void states.push(e.body.length === 0 ? 'empty' : 'unreadable');
    told.push({ full: read.full, contacts: read.registrations.flatMap((r) => r.contacts.map((c) => `${c.state} ${c.event} ${/:(\d+)/.exec(c.uri.slice(4))?.[1] ?? c.uri}`)) });
  });
  expect(await until(() => told.length > 0, 10_000), JSON.stringify(states)).toBe(true);
  const second = await registered('201');
  expect(await until(() => told.length > 1, 10_000)).toBe(true);
  await second.close();
  expect(await until(() => told.length > 2, 10_000)).toBe(true);
  const [first, other] = [one, second.one].map((each) => each.agent.local.port);
  expect(told).toEqual([
    { full: true, contacts: [`active created ${first}`] }, { full: true, contacts: [`active registered ${first}`, `active created ${other}`] },
    { full: true, contacts: [`active registered ${first}`, `terminated unregistered ${other}`] },
  ]);
  await watching.end();
  expect(states.at(-1)).toBe('ended');
});

test('voice messages: the phone asks, and each change that is published is shown (RFC 3842)', async () => {
  const phone = await startPhone(folder.path, { name: 'mail', set: accountAt(kamailio.server, '202', { 'accounts.0.mwi': 'subscribe' }) });
  running.push(phone);
  await phone.waitFor('registered');
  const { one, account } = await registered('203');
  const publish = (body: string) => one.publish({ target: '202', account, event: 'message-summary', type: 'application/simple-message-summary' }, body);
  const mail = publish('Messages-Waiting: yes\r\nMessage-Account: sip:*98@127.0.0.1\r\nVoice-Message: 2/1 (0/0)\r\n');
  const shows = (messages: unknown) => until(async () => JSON.stringify(((await phone.status())['registrations'] as { messages?: unknown }[])[0]?.messages) === JSON.stringify(messages), 10_000);
  expect(await shows({ waiting: true, fresh: 2, old: 1 }), JSON.stringify(await phone.status())).toBe(true);
  mail.update('Messages-Waiting: no\r\nVoice-Message: 0/3 (0/0)\r\n');
  expect(await shows({ waiting: false, fresh: 0, old: 3 })).toBe(true);
  await mail.end();
});
