import { expect, test } from 'vitest';
import { defaults } from '../../src/config/layers.ts';
import { watchedAgent } from '../../src/main/watched.ts';
import { createAgent } from '../../src/sip/agent.ts';
import type { Call } from '../../src/sip/agent-types.ts';
import { readDialogInfo } from '../../src/sip/packages.ts';
import { Subscriptions } from '../../src/sip/subscriptions.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeRandom } from '../fakes/random.ts';
import { ANSWER, OFFER, Town } from '../sip/agent-bench.ts';

/** A phone at 10.0.0.1 that lets 10.0.0.2 call, watched from `host`. */
async function world(host: string, acceptFrom: 'registered' | 'anyone' = 'registered') {
  const town = new Town(), settings = { ...defaults(), sip: { ...defaults().sip, acceptFrom, allowAddresses: ['10.0.0.2'] } };
  const told: string[] = [], others: string[] = [];
  const incoming: Call[] = [];
  const agent = watchedAgent(
    (handlers) => createAgent({ clock: town.clock, random: new FakeRandom(7), log: new FakeLog(), network: town.wire.host('10.0.0.1'), resolver: town.resolver }, { listen: { host: '', port: 5060 }, tcp: true, userAgent: 'test' }, handlers),
    { onIncoming: (call) => { incoming.push(call); call.progress(180); }, onRegistration: () => undefined, onRequest: (request) => { others.push(request.method); return false; } }, () => settings);
  await agent.start();
  const watcher = await town.phone(host, { onRequest: (request, server) => subscriptions.take(request, server) });
  const subscriptions: Subscriptions = new Subscriptions(watcher.agent);
  subscriptions.subscribe({ target: 'sip:10.0.0.1', event: 'dialog', accept: 'application/dialog-info+xml' }, (e) => {
    told.push(e.event === 'notified' ? `${e.state}: ${readDialogInfo(e.body.toString())!.dialogs.map((d) => `${d.direction} ${d.state}`).join()}` : `${e.event} ${e.status}`);
  });
  await town.run(1_100);
  return { town, agent, watcher, told, incoming, others };
}

test('who may call is told of calls in and out, and of the end of the phone (RFC 4235)', async () => {
  const { town, agent, watcher, told, incoming } = await world('10.0.0.2');
  watcher.agent.call({ target: 'sip:10.0.0.1', offer: OFFER });
  await town.run(1_100);
  incoming[0]!.accept(ANSWER);
  await town.run(1_100);
  incoming[0]!.hangUp();
  await town.run(7_000);
  watcher.onCall = (call) => call.progress(180);
  agent.call({ target: 'sip:10.0.0.2', offer: OFFER });
  await town.run(1_100);
  expect(told).toEqual(['active: ', 'active: recipient early', 'active: recipient confirmed', 'active: recipient terminated', 'active: initiator trying', 'active: initiator proceeding']);
  void agent.close();
  await town.run(500);
  expect(told.at(-1)).toBe('waiting 0');
});

test('nobody else is: 403 (RFC 6665 §4.2.1.3); other requests go where they went', async () => {
  const { town, watcher, told, others } = await world('10.0.0.3');
  expect(told).toEqual(['ended 403']);
  await Promise.all([watcher.agent.options('sip:10.0.0.1'), town.run(100)]);
  new Subscriptions(watcher.agent).subscribe({ target: 'sip:10.0.0.1', event: 'presence', accept: 'application/pidf+xml' }, (e) => told.push(`${e.event} ${e.event === 'notified' ? '' : e.status}`));
  await town.run(100);
  expect([told.at(-1), others]).toEqual(['ended 489', ['SUBSCRIBE']]);
});

test('a stranger who may ring may not watch: what he would learn lets him take calls over (RFC 4235 §6, RFC 3891 §5)', async () => {
  expect((await world('10.0.0.3', 'anyone')).told).toEqual(['ended 403']);
  expect((await world('10.0.0.2', 'anyone')).told).toEqual(['active: ']);
});
