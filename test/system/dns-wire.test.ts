import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildQuery, readReply, type Type } from '../../src/system/dns-wire.ts';
import { dnsReply, type Zone } from './dns-server.ts';

const zone: Zone = {
  'A pbx.example': { ttlS: 60, records: ['192.0.2.1', '192.0.2.2'] },
  'AAAA pbx.example': { ttlS: 60, records: ['2001:0db8:0000:0000:0000:0000:0000:0001'] },
  'SRV _sip._udp.example': { ttlS: 30, records: ['10 60 5060 a.example', '20 0 5070 b.example'] },
  'NAPTR example': { ttlS: 300, records: ['10 50 s SIPS+D2T _sips._tcp.example', '20 50 S sip+d2u _sip._udp.example'] },
  'CNAME sip.example': { ttlS: 20, records: ['pbx.example'] },
  'CNAME far.example': { ttlS: 20, records: ['elsewhere.test'] },
  'CNAME round.example': { ttlS: 20, records: ['round.example'] },
};
const ask = (name: string, type: Type, id = 7) => {
  const query = buildQuery(id, name, type)!;
  return readReply(dnsReply(query, zone), id, name, type);
};

describe('a reply of a name server', () => {
  test('gives addresses with their TTL (RFC 1035 §3.4.1, RFC 3596 §2.2), IPv6 as RFC 5952 §4 writes it', () => {
    expect(ask('pbx.example', 'A')).toEqual({ rcode: 0, truncated: false, records: ['192.0.2.1', '192.0.2.2'], alias: undefined, ttlS: 60 });
    expect(ask('pbx.example', 'AAAA')!.records).toEqual(['2001:db8::1']);
  });

  test('IPv6 groups of zeros: the longest run of two or more is shortened, the first of equals (RFC 5952 §4.2)', () => {
    for (const [long, short] of [
      ['0:0:0:0:0:0:0:0', '::'], ['0:0:0:0:0:0:0:1', '::1'], ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], ['fe80:0:0:0:0:0:0:0', 'fe80::'], ['a:b:c:d:e:f:1:2', 'a:b:c:d:e:f:1:2'],
    ]) {
      const query = buildQuery(1, 'x.example', 'AAAA')!;
      expect(readReply(dnsReply(query, { 'AAAA x.example': { ttlS: 1, records: [long!] } }), 1, 'x.example', 'AAAA')!.records).toEqual([short]);
    }
  });

  test('gives SRV (RFC 2782) and NAPTR records (RFC 3403 §4.1), letters folded', () => {
    expect(ask('_sip._udp.example', 'SRV')!.records).toEqual([
      { name: 'a.example', port: 5060, priority: 10, weight: 60 }, { name: 'b.example', port: 5070, priority: 20, weight: 0 }]);
    expect(ask('EXAMPLE', 'NAPTR')!.records).toEqual([
      { order: 10, preference: 50, flags: 's', service: 'SIPS+D2T', replacement: '_sips._tcp.example' },
      { order: 20, preference: 50, flags: 's', service: 'SIP+D2U', replacement: '_sip._udp.example' }]);
  });

  test('follows CNAMEs, the least TTL of the chain counts; one that leads out of the reply is told (RFC 1034 §3.6.2)', () => {
    expect(ask('sip.example', 'A')).toMatchObject({ records: ['192.0.2.1', '192.0.2.2'], ttlS: 20 });
    expect(ask('far.example', 'A')).toMatchObject({ records: [], alias: 'elsewhere.test' });
    expect(ask('round.example', 'A')).toMatchObject({ records: [], alias: undefined });
  });

  test('that there is none is told with its time to live (RFC 2308 §5)', () => {
    expect(ask('nowhere.example', 'A')).toEqual({ rcode: 3, truncated: false, records: [], alias: undefined, ttlS: 40 });
    expect(ask('pbx.example', 'SRV')).toEqual({ rcode: 0, truncated: false, records: [], alias: undefined, ttlS: 40 });
  });

  test('to another question, of another number, or no reply at all is none', () => {
    const query = buildQuery(7, 'pbx.example', 'A')!, reply = dnsReply(query, zone);
    expect(readReply(reply, 8, 'pbx.example', 'A')).toBeUndefined();
    expect(readReply(reply, 7, 'pbx.example', 'AAAA')).toBeUndefined();
    expect(readReply(reply, 7, 'pbx.test', 'A')).toBeUndefined();
    expect(readReply(query, 7, 'pbx.example', 'A')).toBeUndefined();
  });

  test('a TTL with its first bit set is 0 (RFC 2181 §8)', () => {
    const query = buildQuery(1, 'pbx.example', 'A')!;
    expect(readReply(dnsReply(query, { 'A pbx.example': { ttlS: 0x8000_0001, records: ['192.0.2.1'] } }), 1, 'pbx.example', 'A')!.ttlS).toBe(0);
  });

  test('a pointer to itself or forwards is refused (RFC 1035 §4.1.4)', () => {
    const query = buildQuery(1, 'pbx.example', 'A')!, reply = dnsReply(query, zone), owner = query.length;
    for (const to of [owner, owner + 2, 0x3fff]) {
      reply.writeUInt16BE(0xc000 | to, owner);
      expect(readReply(reply, 1, 'pbx.example', 'A')).toBeUndefined();
    }
  });

  test('cut short anywhere it is none, and nothing throws', () => {
    for (const key of Object.keys(zone)) {
      const [type, name] = key.split(' ') as [Type | 'CNAME', string];
      const query = buildQuery(9, name, type === 'CNAME' ? 'A' : type)!, reply = dnsReply(query, zone);
      for (let length = 0; length < reply.length; length++) expect(readReply(reply.subarray(0, length), 9, name, type === 'CNAME' ? 'A' : type)).toBeUndefined();
    }
  });

  test('ten thousand damaged replies: none throws, none gives what is no record', () => {
    const types = ['A', 'AAAA', 'SRV', 'NAPTR'] as const;
    fc.assert(fc.property(fc.constantFrom(...types), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }), (type, blows) => {
      const name = { A: 'sip.example', AAAA: 'pbx.example', SRV: '_sip._udp.example', NAPTR: 'example' }[type];
      const reply = dnsReply(buildQuery(9, name, type)!, zone);
      for (const [at, value] of blows) reply[at % reply.length] = value;
      for (const record of readReply(reply, 9, name, type)?.records ?? []) {
        if (type === 'A') expect(record).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
        else if (type === 'AAAA') expect(record).toMatch(/^[\da-f:]+$/);
        else expect(JSON.stringify(record)).not.toMatch(/[\r\n\0]/);
      }
    }), { numRuns: 10_000 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => { readReply(Buffer.from(bytes), 9, 'a', 'SRV'); }), { numRuns: 2_000 });
  });
});

test('what is no name is not asked for (RFC 1035 §2.3.4)', () => {
  expect(buildQuery(1, `${'a'.repeat(64)}.example`, 'A')).toBeUndefined();
  expect(buildQuery(1, 'a..b', 'A')).toBeUndefined();
  expect(buildQuery(1, '', 'A')).toBeUndefined();
  expect(buildQuery(1, `${'abc.'.repeat(70)}d`, 'A')).toBeUndefined();
  expect(buildQuery(1, 'grün.example', 'A')).toBeUndefined();
  expect(buildQuery(258, 'a.bc', 'SRV')!.toString('hex')).toBe('010201000001000000000000' + '016102626300' + '0021' + '0001');
});
