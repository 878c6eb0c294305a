import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { createLocator, parsePlace } from '../../src/sip/locate.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeResolver } from '../fakes/network.ts';
import { FakeRandom } from '../fakes/random.ts';

function bench(seed = 1) {
  const resolver = new FakeResolver(), clock = new FakeClock();
  resolver.hosts.set('pbx.example', ['192.0.2.1', '2001:db8::1']);
  return { resolver, clock, locator: createLocator({ resolver, clock, random: new FakeRandom(seed) }) };
}

describe('locating a server', () => {
  test('a numeric address needs no name server', async () => {
    const { resolver, locator } = bench();
    resolver.silent = true;
    assert.deepEqual(await locator.locate({ host: '192.0.2.9' }), [{ host: '192.0.2.9', port: 5060, transport: 'udp' }]);
    assert.deepEqual(await locator.locate({ host: '2001:db8::9', port: 5070, transport: 'tcp' }), [{ host: '2001:db8::9', port: 5070, transport: 'tcp' }]);
  });

  test('an explicit port skips SRV (RFC 3263 §4.2)', async () => {
    const { resolver, locator } = bench();
    resolver.services.set('_sip._udp.pbx.example', [{ name: 'other.example', port: 1, priority: 1, weight: 1 }]);
    assert.deepEqual(await locator.locate({ host: 'pbx.example', port: 5070 }), [
      { host: '192.0.2.1', port: 5070, transport: 'udp' }, { host: '2001:db8::1', port: 5070, transport: 'udp' }]);
  });

  test('SRV targets come by priority, and a target without address is left out', async () => {
    const { resolver, locator } = bench();
    resolver.hosts.set('b.example', ['192.0.2.2']);
    resolver.services.set('_sip._udp.example', [
      { name: 'b.example', port: 5062, priority: 20, weight: 0 },
      { name: 'gone.example', port: 5063, priority: 15, weight: 0 },
      { name: 'pbx.example.', port: 5061, priority: 10, weight: 0 }]);
    assert.deepEqual((await locator.locate({ host: 'example' })).map((h) => `${h.host}:${h.port}`), ['192.0.2.1:5061', '2001:db8::1:5061', '192.0.2.2:5062']);
  });

  test('weights share the load within a priority (RFC 2782)', async () => {
    const { resolver, clock, locator } = bench(7);
    resolver.hosts.set('a', ['192.0.2.1']).set('b', ['192.0.2.2']);
    resolver.services.set('_sip._udp.example', [{ name: 'a', port: 1, priority: 1, weight: 30 }, { name: 'b', port: 1, priority: 1, weight: 10 }]);
    let first = 0;
    for (let i = 0; i < 1_000; i++) {
      if ((await locator.locate({ host: 'example' }))[0]!.host === '192.0.2.1') first++;
      clock.advance(31_000);
    }
    assert.ok(first > 690 && first < 810, `${first} of 1000`);
  });

  test('TCP records serve when there are none for UDP, and a wanted transport asks for its own only', async () => {
    const { resolver, locator } = bench();
    resolver.services.set('_sip._tcp.example', [{ name: 'pbx.example', port: 5090, priority: 1, weight: 1 }]);
    assert.deepEqual((await locator.locate({ host: 'example' }))[0], { host: '192.0.2.1', port: 5090, transport: 'tcp' });
    assert.deepEqual(await locator.locate({ host: 'example', transport: 'udp' }), []);
  });

  test('without SRV the name itself is asked, port 5060', async () => {
    const { locator } = bench();
    assert.deepEqual((await locator.locate({ host: 'pbx.example', transport: 'tcp' }))[0], { host: '192.0.2.1', port: 5060, transport: 'tcp' });
  });

  test('a name that does not exist gives an empty list, a silent name server a rejection', async () => {
    const { resolver, locator } = bench();
    assert.deepEqual(await locator.locate({ host: 'nowhere.example' }), []);
    resolver.silent = true;
    await assert.rejects(locator.locate({ host: 'pbx.example' }), /no name server/);
  });

  test('the last good answer serves while name servers are silent', async () => {
    const { resolver, clock, locator } = bench();
    const before = await locator.locate({ host: 'pbx.example' });
    resolver.silent = true;
    clock.advance(3_600_000);
    assert.deepEqual(await locator.locate({ host: 'pbx.example' }), before);
  });

  test('an answer is fresh for 30 s, unless the network changed', async () => {
    const { resolver, locator, clock } = bench();
    await locator.locate({ host: 'pbx.example' });
    resolver.hosts.set('pbx.example', ['192.0.2.7']);
    assert.equal((await locator.locate({ host: 'pbx.example' }))[0]!.host, '192.0.2.1');
    locator.expire();
    assert.equal((await locator.locate({ host: 'pbx.example' }))[0]!.host, '192.0.2.7');
    resolver.hosts.set('pbx.example', ['192.0.2.8']);
    clock.advance(30_000);
    assert.equal((await locator.locate({ host: 'pbx.example' }))[0]!.host, '192.0.2.8');
  });
});

test('a setting is read as host, port and bracketed or bare IPv6', () => {
  const rows: [string, string | undefined, number | undefined][] = [
    ['pbx.example', 'pbx.example', undefined], ['PBX:5070', 'pbx', 5070], ['192.0.2.1:5060', '192.0.2.1', 5060],
    ['[2001:db8::1]:5080', '2001:db8::1', 5080], ['2001:db8::1', '2001:db8::1', undefined], ['', undefined, undefined], ['a b', undefined, undefined], ['x:0', undefined, undefined], ['x:70000', undefined, undefined],
  ];
  for (const [text, host, port] of rows) {
    const place = parsePlace(text);
    assert.deepEqual([place?.host, place?.port], [host, port], text);
  }
});
