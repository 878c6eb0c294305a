import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { createLocator, parsePlace, type Hop } from '../../src/sip/locate.ts';
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
    const { resolver, locator } = bench(7);
    resolver.hosts.set('a', ['192.0.2.1']).set('b', ['192.0.2.2']);
    resolver.services.set('_sip._udp.example', [{ name: 'a', port: 1, priority: 1, weight: 30 }, { name: 'b', port: 1, priority: 1, weight: 10 }]);
    let first = 0;
    for (let i = 0; i < 1_000; i++) {
      if ((await locator.locate({ host: 'example' }))[0]!.host === '192.0.2.1') first++;
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

  test('IPv6 addresses are as RFC 5952 writes them, so that equal ones are found equal (RFC 5954 §4.2)', async () => {
    const { locator } = bench();
    assert.equal((await locator.locate({ host: '2001:DB8:0:0:0::1' }))[0]!.host, '2001:db8::1');
  });

  describe('NAPTR (RFC 3263 §4.1)', () => {
    const record = (order: number, preference: number, service: string, replacement: string, flags = 's') => ({ order, preference, flags, service, replacement });
    const at = (hops: readonly { host: string; port: number; transport: string }[]) => hops.map((h) => `${h.transport} ${h.host}:${h.port}`);
    function wide() {
      const made = bench();
      made.resolver.hosts.set('a', ['192.0.2.11']).set('b', ['192.0.2.12']).set('example', ['192.0.2.13']);
      made.resolver.services.set('_sip._udp.example', [{ name: 'a', port: 5061, priority: 1, weight: 1 }]);
      made.resolver.services.set('_sip._tcp.other', [{ name: 'b', port: 5062, priority: 1, weight: 1 }]);
      return made;
    }

    test('its service decides the transport, its replacement where SRV is asked; preference within an order', async () => {
      const { resolver, locator } = wide();
      resolver.pointers.set('example', [record(10, 20, 'SIP+D2U', '_sip._udp.example'), record(10, 10, 'SIP+D2T', '_sip._tcp.other')]);
      assert.deepEqual(at(await locator.locate({ host: 'example' })), ['tcp 192.0.2.12:5062', 'udp 192.0.2.11:5061']);
    });

    test('SIPS+D2T leads to TLS, whose certificate must bear the name that was asked for (RFC 5922 §7.2)', async () => {
      const { resolver, locator } = wide();
      resolver.pointers.set('example', [record(10, 10, 'SIPS+D2T', '_sips._tcp.example'), record(20, 10, 'SIP+D2U', '_sip._udp.example')]);
      resolver.services.set('_sips._tcp.example', [{ name: 'b', port: 5061, priority: 1, weight: 1 }]);
      assert.deepEqual(await locator.locate({ host: 'example' }), [{ host: '192.0.2.12', port: 5061, transport: 'tls', name: 'example' }]);
    });

    test('services that we have not, other flags and higher orders are left out (RFC 3403 §4.1)', async () => {
      const { resolver, locator } = wide();
      resolver.pointers.set('example', [
        record(1, 1, 'SIP+D2S', '_sip._sctp.example'), record(2, 1, 'SIP+D2T', '_sip._tcp.other', 'u'), record(3, 1, 'E2U+SIP', 'x'), record(20, 1, 'SIP+D2U', '_sip._udp.example'), record(10, 1, 'SIP+D2T', '_sip._tcp.other')]);
      assert.deepEqual(at(await locator.locate({ host: 'example' })), ['tcp 192.0.2.12:5062']);
    });

    test('none of use, or a name server silent about it alone: SRV is asked for each transport', async () => {
      const { resolver, locator } = wide();
      resolver.pointers.set('example', [record(1, 1, 'SIP+D2S', '_sip._sctp.example'), record(2, 1, 'SIP+D2T', '_sip._tcp.nothing')]);
      assert.deepEqual(at(await locator.locate({ host: 'example' })), ['udp 192.0.2.11:5061']);
      resolver.naptr = () => Promise.reject(new Error('silent'));
      assert.deepEqual(at(await locator.locate({ host: 'example' })), ['udp 192.0.2.11:5061']);
    });

    test('SIP+D2W and SIPS+D2W lead to WebSocket, also where that is wanted; no SRV is asked for but the replacement (RFC 7118 §5.3)', async () => {
      const { resolver, locator } = wide(), asked: string[] = [], srv = resolver.srv.bind(resolver);
      resolver.srv = (name) => {
        asked.push(name);
        return srv(name);
      };
      resolver.services.set('_sips._tcp.web.example', [{ name: 'b', port: 8443, priority: 1, weight: 1 }]).set('_sip._tcp.web.example', [{ name: 'a', port: 8080, priority: 1, weight: 1 }]);
      resolver.pointers.set('example', [record(20, 10, 'SIP+D2U', '_sip._udp.example'), record(10, 20, 'SIP+D2W', '_sip._tcp.web.example'), record(10, 10, 'SIPS+D2W', '_sips._tcp.web.example')]);
      const web = { host: '192.0.2.11', port: 8080, transport: 'ws', name: 'example' }, secure = { host: '192.0.2.12', port: 8443, transport: 'wss', name: 'example' };
      assert.deepEqual(await locator.locate({ host: 'example' }), [secure, web]);
      asked.length = 0;
      assert.deepEqual(await locator.locate({ host: 'example', transport: 'ws' }), [web]);
      assert.deepEqual(await locator.locate({ host: 'example', transport: 'wss' }), [secure]);
      assert.deepEqual(asked, ['_sip._tcp.web.example', '_sips._tcp.web.example']);
    });

    test('without a service for a wanted WebSocket the name itself is asked, port 80 or 443 (RFC 7118 §5.3)', async () => {
      const { resolver, locator } = wide();
      resolver.pointers.set('example', [record(10, 10, 'SIP+D2U', '_sip._udp.example')]);
      assert.deepEqual(at(await locator.locate({ host: 'example', transport: 'ws' })), ['ws 192.0.2.13:80']);
      assert.deepEqual(at(await locator.locate({ host: 'example', transport: 'wss' })), ['wss 192.0.2.13:443']);
      assert.deepEqual(at(await locator.locate({ host: 'example' })), ['udp 192.0.2.11:5061']);
    });

    test('not asked where the transport or the port is given', async () => {
      const { resolver, locator } = wide();
      resolver.pointers.set('example', [record(10, 10, 'SIP+D2T', '_sip._tcp.other')]);
      assert.deepEqual(at(await locator.locate({ host: 'example', transport: 'udp' })), ['udp 192.0.2.11:5061']);
      assert.deepEqual(at(await locator.locate({ host: 'example', port: 5070 })), ['udp 192.0.2.13:5070']);
    });
  });

  test('a sole target of "." says that the service is not there, for that transport (RFC 2782)', async () => {
    const { resolver, locator } = bench();
    resolver.hosts.set('example', ['192.0.2.3']);
    resolver.services.set('_sip._udp.example', [{ name: '', port: 0, priority: 0, weight: 0 }]);
    assert.deepEqual(await locator.locate({ host: 'example' }), []);
    resolver.services.set('_sip._tcp.example', [{ name: 'pbx.example', port: 5060, priority: 0, weight: 0 }]);
    assert.equal((await locator.locate({ host: 'example' }))[0]!.transport, 'tcp');
  });

  test('a last dot is no part of the name, two targets at one place are one, port 0 is none', async () => {
    const { resolver, locator } = bench();
    const target = { name: 'pbx.example', port: 5061, priority: 0, weight: 0 };
    resolver.services.set('_sip._udp.example', [target, { ...target, name: 'pbx.example.' }, { ...target, port: 0 }]);
    assert.deepEqual((await locator.locate({ host: 'example.' })).map((h) => `${h.host} ${h.port}`), ['192.0.2.1 5061', '2001:db8::1 5061']);
  });

  test('targets whose addresses nobody tells are silence, not absence', async () => {
    const { resolver, locator } = bench();
    resolver.services.set('_sip._udp.example', [{ name: 'pbx.example', port: 5060, priority: 0, weight: 0 }]);
    resolver.addresses = () => Promise.reject(new Error('silent'));
    await assert.rejects(locator.locate({ host: 'example' }), /silent/);
  });

  describe('targets that failed rest (RFC 3263 §4.3)', () => {
    const hosts = async (locator: ReturnType<typeof bench>['locator'], first?: Hop) => (await locator.locate({ host: 'three.example', port: 5060 }, first)).map((h) => h.host.at(-1)).join('');
    const hop = (n: number): Hop => ({ host: `192.0.2.${n}`, port: 5060, transport: 'udp' });
    function three() {
      const made = bench();
      made.resolver.hosts.set('three.example', ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
      return made;
    }

    test('they come last for 32 s, longer each time, until they answer', async () => {
      const { clock, locator } = three();
      locator.rest(hop(1));
      assert.equal(await hosts(locator), '231');
      clock.advance(31_999);
      assert.ok(locator.rests(hop(1)));
      clock.advance(1);
      assert.equal(await hosts(locator), '123');
      for (const ms of [64_000, 128_000, 256_000, 512_000, 512_000]) {
        locator.rest(hop(1));
        clock.advance(ms - 1);
        assert.ok(locator.rests(hop(1)), String(ms));
        clock.advance(1);
        assert.ok(!locator.rests(hop(1)), String(ms));
      }
      locator.good(hop(1));
      locator.rest(hop(1));
      clock.advance(32_000);
      assert.ok(!locator.rests(hop(1)));
    });

    test('among them the one that rests the shortest is first; a time of its own is kept (RFC 3261 §21.5.4)', async () => {
      const { clock, locator } = three();
      locator.rest(hop(1), 100_000);
      locator.rest(hop(2), 50_000);
      locator.rest(hop(3), 70_000);
      assert.equal(await hosts(locator), '231');
      clock.advance(60_000);
      assert.equal(await hosts(locator), '231');
      clock.advance(20_000);
      assert.equal(await hosts(locator), '231');
    });

    test('the wanted one is first unless it rests, and never added', async () => {
      const { locator } = three();
      assert.equal(await hosts(locator, hop(3)), '312');
      assert.equal(await hosts(locator, hop(9)), '123');
      locator.rest(hop(3));
      assert.equal(await hosts(locator, hop(3)), '123');
    });

    test('a changed network forgets all that, and asks anew', async () => {
      const { resolver, locator } = three();
      locator.rest(hop(1));
      locator.expire();
      assert.equal(await hosts(locator), '123');
      assert.equal(resolver.expired, 1);
    });

    test('the 65th forgets the first', () => {
      const { locator } = three();
      for (let i = 1; i <= 65; i++) locator.rest({ host: `10.0.0.${i}`, port: 1, transport: 'tcp' });
      assert.deepEqual([1, 2, 65].map((i) => locator.rests({ host: `10.0.0.${i}`, port: 1, transport: 'tcp' })), [false, true, true]);
    });
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
