import { describe, expect, test } from 'vitest';
import { createLab } from './lab.ts';
import { accountSettings } from '../settings.ts';
import { Registrar } from '../../fakes/registrar.ts';
import { tagOf } from '../../../src/sip/headers.ts';
import { parseMessage, text, type Message } from '../../../src/sip/message.ts';
import type { AccountSettings, Settings } from '../../../src/config/types.ts';

const SERVER = '192.0.2.100', PHONE = { host: '192.0.2.1', port: 5060 };
const SUMMARY = 'Messages-Waiting: yes\nVoice-Message: 2/5 (0/0)\n';
const NONE = 'Messages-Waiting: no\nVoice-Message: 0/5 (0/0)\n';

async function world(account: Partial<AccountSettings> = {}, settings: { readonly sip?: Partial<Settings['sip']>; readonly intercom?: Partial<Settings['intercom']> } = {}) {
  const lab = createLab();
  const registrar = new Registrar(lab.clock, lab.wire.host(SERVER));
  registrar.users.set('200', 'secret');
  registrar.override = (m) => m.method === 'SUBSCRIBE' ? { status: 200, headers: [['Expires', text(m, 'expires')!], ['Contact', `<sip:mail@${SERVER}>`]] } : m.method === 'MESSAGE' ? { status: 202 } : undefined;
  await registrar.start();
  const a = await lab.phone(PHONE.host, { settings: { accounts: [accountSettings({ user: '200', server: SERVER, password: 'secret', ...account })], ...settings } });
  await lab.run(1_000);
  let branch = 0;
  /** A request from the server's address and port, or from `host`; gives the status of its answer. */
  const ask = async (method: string, lines: readonly string[], body = '', { to = '', callId = '', host = SERVER }: { to?: string; callId?: string; host?: string } = {}) => {
    const id = `z9hG4bKt${++branch}`;
    const words = [`${method} sip:200@192.0.2.1 SIP/2.0`, `Via: SIP/2.0/UDP ${host}:5060;branch=${id}`, 'Max-Forwards: 70', 'From: "Bob" <sip:201@192.0.2.100>;tag=f', `To: ${to || '<sip:200@192.0.2.1>'}`,
      `Call-ID: ${callId || `c${branch}`}`, `CSeq: ${branch} ${method}`, `Contact: <sip:mail@${host}>`, ...lines, `Content-Length: ${Buffer.byteLength(body.replace(/\n/g, '\r\n'))}`, '', body].join('\n');
    if (host === SERVER) registrar.send(words, PHONE);
    else lab.wire.sendUdp({ host, port: 5060 }, PHONE, Buffer.from(words.replace(/\n/g, '\r\n')));
    await lab.run(50);
    return answers(id).at(-1)?.status;
  };
  const answers = (id: string): Message[] => lab.wire.sent.filter((d) => d.from.host === PHONE.host && d.bytes.includes(id)).map((d) => parseMessage(d.bytes)).filter((m): m is Message => m.kind === 'response');
  const subscribes = (): Message[] => registrar.requests.map((r) => r.message).filter((m) => m.method === 'SUBSCRIBE');
  return { lab, registrar, a, ask, subscribes };
}
const MWI = ['Event: message-summary', 'Subscription-State: active', 'Content-Type: application/simple-message-summary'];

describe('messages waiting (RFC 3842)', () => {
  test('are heard as special dial tone, until they are fetched (E.180)', async () => {
    const { a, ask, lab } = await world();
    await ask('NOTIFY', MWI, SUMMARY);
    a.bench.lift();
    await lab.run(100);
    expect(a.heard()).toBe('stutter');
    expect(a.phone.status().tone).toBe('stutter');
    a.bench.hangUp();
    await lab.run(1_500);
    await ask('NOTIFY', MWI, NONE);
    a.bench.lift();
    await lab.run(100);
    expect(a.heard()).toBe('dial');
  });

  test('told unasked by the registered server, as Asterisk does, are in status and events, and the lamp blinks', async () => {
    const { a, ask, lab } = await world();
    expect(a.phone.status()).toMatchObject({ messagesWaiting: false, registrations: [{ state: 'registered' }] });
    expect(a.phone.status().registrations[0]).not.toHaveProperty('messages');
    expect(await ask('NOTIFY', MWI, SUMMARY)).toBe(200);
    expect(a.phone.status()).toMatchObject({ messagesWaiting: true, registrations: [{ messages: { waiting: true, fresh: 2, old: 5 } }] });
    expect(a.events.at(-1)).toMatchObject({ event: 'messages', account: '200@192.0.2.100', waiting: true, fresh: 2, old: 5 });
    expect(a.log.lines.at(-1)).toMatchObject({ level: 'info', fact: 'messages' });
    let lit = 0;
    for (let i = 0; i < 40; i++) {
      await lab.run(100);
      if (a.bench.state.lamp) lit++;
    }
    expect(lit).toBeGreaterThan(15);
    expect(lit).toBeLessThan(25);
    await ask('NOTIFY', MWI, SUMMARY);
    expect(a.events.filter((e) => e.event === 'messages')).toHaveLength(1);
    await ask('NOTIFY', MWI, NONE);
    expect(a.phone.status()).toMatchObject({ messagesWaiting: false, registrations: [{ messages: { waiting: false, fresh: 0, old: 5 } }] });
    await lab.run(3_000);
    expect(a.bench.state.lamp).toBe(true);
  });

  test('from anybody else are refused by 481 (RFC 6665 §4.1.3)', async () => {
    const { a, ask } = await world();
    expect(await ask('NOTIFY', MWI, SUMMARY, { host: '192.0.2.66' })).toBe(481);
    expect(a.phone.status().messagesWaiting).toBe(false);
  });

  test('that cannot be read are refused by 400', async () => {
    const { a, ask } = await world();
    expect(await ask('NOTIFY', MWI, 'what?\n')).toBe(400);
    expect(a.phone.status().messagesWaiting).toBe(false);
  });

  test('are not asked for unless the setting says so', async () => {
    const { subscribes } = await world();
    expect(subscribes()).toEqual([]);
  });

  test('are asked for once registered, and told in the dialog of the SUBSCRIBE', async () => {
    const { a, ask, subscribes, lab, registrar } = await world({ mwi: 'subscribe' });
    const [first] = subscribes();
    expect([text(first!, 'event'), text(first!, 'accept'), text(first!, 'to')]).toEqual(['message-summary', 'application/simple-message-summary', '<sip:200@192.0.2.100>']);
    const dialog = { to: text(first!, 'from')!, callId: text(first!, 'call-id')! };
    expect(await ask('NOTIFY', ['Event: message-summary', 'Subscription-State: active;expires=3600', 'Content-Type: application/simple-message-summary'], SUMMARY, dialog)).toBe(200);
    expect(a.phone.status()).toMatchObject({ messagesWaiting: true });
    registrar.grantS = 60;
    await lab.run(700_000);
    expect(subscribes().filter((m) => tagOf(m, 'to') === undefined), 'a refreshed registration asks for nothing anew').toHaveLength(1);
    a.settings = { ...a.settings, accounts: [] };
    await lab.run(100);
    expect(text(subscribes().at(-1)!, 'expires')).toBe('0');
    expect(a.phone.status()).toMatchObject({ messagesWaiting: false, registrations: [] });
  });

  test('told by the second server, while that alone serves, count as well', async () => {
    const { a, lab, registrar, ask } = await world({ mwi: 'subscribe', backupServer: '192.0.2.101' });
    const second = new Registrar(lab.clock, lab.wire.host('192.0.2.101'));
    second.users.set('200', 'secret');
    await second.start();
    registrar.stop();
    await lab.run(500_000);
    expect(a.phone.status()).toMatchObject({ registrations: [{ state: 'registered', second: true }] });
    expect(await ask('NOTIFY', MWI, SUMMARY, { host: '192.0.2.66' })).toBe(481);
    expect(await ask('NOTIFY', MWI, SUMMARY, { host: '192.0.2.101' })).toBe(200);
    expect(a.phone.status()).toMatchObject({ messagesWaiting: true });
  });

  test('a server that has none is asked once, and a warning says so', async () => {
    const { a, lab, registrar, subscribes } = await world();
    registrar.override = (m) => m.method === 'SUBSCRIBE' ? { status: 489 } : undefined;
    a.settings = { ...a.settings, accounts: [accountSettings({ user: '200', server: SERVER, password: 'secret', mwi: 'subscribe' })] };
    await lab.run(60_000);
    expect(subscribes()).toHaveLength(1);
    expect(a.log.lines.filter((l) => l.level === 'warn')).toMatchObject([{ fact: 'not told of voice messages', fields: { status: 489 } }]);
  });
});

describe('texts (RFC 3428)', () => {
  const TEXT = ['Content-Type: text/plain;charset=utf-8'];
  test('from callers through the server are taken with 200 and told (RFC 3428 §7)', async () => {
    const { a, ask } = await world();
    expect(await ask('MESSAGE', TEXT, 'Grüße')).toBe(200);
    expect(a.events.at(-1)).toMatchObject({ event: 'message', from: '201', name: 'Bob', account: '200@192.0.2.100', text: 'Grüße' });
    expect(a.log.lines.at(-1)).toMatchObject({ level: 'info', fact: 'message' });
  });

  test('of another type than text/plain are refused by 415, naming it (RFC 3428 §7)', async () => {
    const { a, ask, lab } = await world();
    expect(await ask('MESSAGE', ['Content-Type: text/html'], '<b>')).toBe(415);
    expect(await ask('MESSAGE', [], 'x')).toBe(415);
    expect(lab.wire.sent.at(-1)!.bytes.toString()).toContain('\r\nAccept: text/plain\r\n');
    expect(a.story()).toEqual(['registered']);
  });

  test('too long ones are refused by 413', async () => {
    const { ask } = await world();
    expect(await ask('MESSAGE', TEXT, 'x'.repeat(4_097))).toBe(413);
  });

  test('from strangers are refused as their calls are', async () => {
    const { a, ask } = await world({}, { sip: { allowAddresses: ['192.0.2.7'] } });
    expect(await ask('MESSAGE', TEXT, 'buy', { host: '192.0.2.66' })).toBe(403);
    expect(await ask('MESSAGE', TEXT, 'hello', { host: '192.0.2.7' })).toBe(200);
    expect(a.events.filter((e) => e.event === 'message')).toMatchObject([{ from: 'sip:201@192.0.2.100', account: '', text: 'hello' }]);
  });

  test('who may prove himself is challenged (RFC 3261 §22.2)', async () => {
    const { ask } = await world({}, { sip: { allowAddresses: [] }, intercom: { enabled: true, allow: [{ caller: '201', password: 'pass' }] } });
    expect(await ask('MESSAGE', TEXT, 'hello', { host: '192.0.2.66' })).toBe(401);
  });

  test('a flood is taken twenty a minute', async () => {
    const { a, ask, lab } = await world();
    const statuses: (number | undefined)[] = [];
    for (let i = 0; i < 25; i++) statuses.push(await ask('MESSAGE', TEXT, `${i}`));
    expect(statuses).toEqual([...Array<number>(20).fill(200), ...Array<number>(5).fill(480)]);
    expect(a.events.filter((e) => e.event === 'message')).toHaveLength(20);
    await lab.run(60_000);
    expect(await ask('MESSAGE', TEXT, 'again')).toBe(200);
  });

  test('are sent by a command, which resolves with what came of it', async () => {
    const { a, lab, registrar } = await world();
    const sent = a.command({ do: 'message', target: '201', text: 'Grüße' });
    await lab.run(200);
    expect(sent.outcome).toEqual({ ok: true, state: 'sent' });
    const message = registrar.requests.findLast((r) => r.message.method === 'MESSAGE')!.message;
    expect(message.bytes.subarray(message.bodyStart).toString()).toBe('Grüße');
    expect([text(message, 'content-type'), text(message, 'to'), text(message, 'contact')]).toEqual(['text/plain;charset=utf-8', '<sip:201@192.0.2.100>', undefined]);
    registrar.override = () => ({ status: 404 });
    const lost = a.command({ do: 'message', target: '299', text: 'x' }), long = a.command({ do: 'message', target: '201', text: 'ü'.repeat(651) }), odd = a.command({ do: 'message', target: '201' } as never);
    await lab.run(200);
    expect(lost.outcome).toMatchObject({ ok: false, code: 'NOT_SENT', status: 404 });
    expect(long.outcome).toMatchObject({ ok: false, code: 'TOO_LONG' });
    expect(odd.outcome).toMatchObject({ ok: false, code: 'BAD_COMMAND', why: 'text is missing' });
  });
});

test.each([['check-sync'], ['talk'], ['hold'], ['keep-alive']])('NOTIFY %s, by which servers restart phones or answer calls, is refused by 489 even from the server (RFC 6665 §8.3.2)', async (event) => {
  const { a, ask, lab } = await world();
  expect(await ask('NOTIFY', [`Event: ${event}`, 'Subscription-State: terminated'])).toBe(489);
  expect(lab.wire.sent.at(-1)!.bytes.toString()).toContain('\r\nAllow-Events: ');
  expect(a.story()).toEqual(['registered']);
});
