import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { bodyOf, requestUri, text, type Message } from '../../src/sip/message.ts';
import { request } from '../../src/sip/outside.ts';
import { Publication, type PublicationEvent } from '../../src/sip/publication.ts';
import { Peer, Town } from './agent-bench.ts';

const WANTED = { target: 'sip:201@10.0.0.2', event: 'presence', type: 'application/pidf+xml', expiresS: 600 };

async function bench() {
  const town = new Town(), phone = await town.phone('10.0.0.1'), peer = await new Peer(town, '10.0.0.2').open();
  const told: string[] = [];
  const publication = new Publication(phone.agent, WANTED, Buffer.from('open'), (e: PublicationEvent) => told.push(e.event === 'published' ? `published ${e.expiresS}` : `${e.event} ${e.status} ${e.why}`));
  await town.run(20);
  const sent = (): Message[] => [...new Map(peer.got.filter((m) => m.method === 'PUBLISH').map((m) => [text(m, 'via')!, m])).values()];
  const answer = async (status: number, ...more: string[]): Promise<void> => {
    peer.answer(sent().at(-1)!, status, more);
    await town.run(20);
  };
  /** Event, If-Match, Expires, body of the last one. */
  const last = (): (string | undefined)[] => {
    const m = sent().at(-1)!;
    return [text(m, 'event'), text(m, 'sip-if-match'), text(m, 'expires'), bodyOf(m).toString()];
  };
  return { town, phone, peer, publication, told, sent, last, answer };
}
async function published() {
  const b = await bench();
  await b.answer(200, 'SIP-ETag: e1', 'Expires: 600');
  return b;
}

describe('PUBLISH (RFC 3903)', () => {
  test('the first has the state and no entity tag (RFC 3903 §4.2)', async () => {
    const { sent, last, told, answer } = await bench();
    assert.deepEqual(last(), ['presence', undefined, '600', 'open']);
    assert.deepEqual([requestUri(sent()[0]!), text(sent()[0]!, 'content-type'), text(sent()[0]!, 'contact')], ['sip:201@10.0.0.2', 'application/pidf+xml', undefined]);
    await answer(200, 'SIP-ETag: e1', 'Expires: 300');
    assert.deepEqual(told, ['published 300']);
  });

  test('a refresh has the entity tag and no body (RFC 3903 §4.3)', async () => {
    const { town, sent, last, answer } = await published();
    await town.run(380_000);
    assert.equal(sent().length, 1);
    await town.run(72_000);
    assert.deepEqual([sent().length, last()], [2, ['presence', 'e1', '600', '']]);
    await answer(200, 'SIP-ETag: e2', 'Expires: 600');
    await town.run(460_000);
    assert.deepEqual(last(), ['presence', 'e2', '600', ''], 'each answer brings the next tag (RFC 3903 §8.2)');
  });

  test('a change has both (RFC 3903 §4.4)', async () => {
    const { town, publication, last } = await published();
    publication.update(Buffer.from('closed'));
    await town.run(20);
    assert.deepEqual(last(), ['presence', 'e1', '600', 'closed']);
  });

  test('one is under way at a time; what changes meanwhile follows (RFC 3903 §4)', async () => {
    const { town, publication, sent, last, answer } = await bench();
    publication.update(Buffer.from('away'));
    publication.update(Buffer.from('busy'));
    await town.run(200);
    assert.equal(sent().length, 1);
    await answer(200, 'SIP-ETag: e1', 'Expires: 600');
    assert.deepEqual([sent().length, last()], [2, ['presence', 'e1', '600', 'busy']]);
  });

  test('412 forgets the tag and publishes all of it anew (RFC 3903 §4.4)', async () => {
    const { town, publication, last, answer, told } = await published();
    publication.update(Buffer.from('closed'));
    await town.run(20);
    await answer(412);
    assert.deepEqual(last(), ['presence', undefined, '600', 'closed']);
    await answer(200, 'SIP-ETag: e9', 'Expires: 600');
    assert.deepEqual(told, ['published 600', 'published 600']);
  });

  test('412 to a refresh, which had no body, sends the body again', async () => {
    const { town, last, answer } = await published();
    await town.run(460_000);
    await answer(412);
    assert.deepEqual(last(), ['presence', undefined, '600', 'open']);
  });

  test('423 asks for the least time of the server (RFC 3903 §4.2)', async () => {
    const { last, answer } = await bench();
    await answer(423, 'Min-Expires: 1800');
    assert.deepEqual(last(), ['presence', undefined, '1800', 'open']);
  });

  test('the removal has the tag, Expires 0 and no body (RFC 3903 §4.5)', async () => {
    const { town, publication, last, answer, told } = await published();
    let ended = false;
    void publication.end().then(() => { ended = true; });
    await town.run(20);
    assert.deepEqual(last(), ['presence', 'e1', '0', '']);
    assert.equal(ended, false);
    await answer(200, 'SIP-ETag: e2', 'Expires: 0');
    assert.deepEqual([ended, told.at(-1)], [true, 'ended 0 removed']);
    await town.run(60_000);
    assert.equal(town.clock.pending, 0);
  });

  test('the end while the first is under way waits for its tag, to remove what it left', async () => {
    const { town, publication, sent, last, answer } = await bench();
    void publication.end();
    await town.run(50);
    assert.equal(sent().length, 1);
    await answer(200, 'SIP-ETag: e1', 'Expires: 600');
    assert.deepEqual(last(), ['presence', 'e1', '0', '']);
  });

  test('trouble of the server is waited out, longer each time', async () => {
    const { town, told, sent, answer } = await bench();
    await answer(503, 'Retry-After: 30');
    assert.deepEqual(told, ['waiting 503 Words']);
    await town.run(29_000);
    assert.equal(sent().length, 1);
    await town.run(8_000);
    assert.equal(sent().length, 2);
    await answer(500);
    await town.run(9_900);
    assert.equal(sent().length, 2);
    await town.run(2_200);
    assert.equal(sent().length, 3);
  });

  for (const status of [403, 404, 489, 501]) {
    test(`refused by ${status} it ends (RFC 3903 §4.2)`, async () => {
      const { town, told, sent, answer } = await bench();
      await answer(status);
      await town.run(3_600_000);
      assert.deepEqual([told, sent().length, town.clock.pending], [[`ended ${status} Words`], 1, 0]);
    });
  }

  test('an entity tag that holds what cannot be sent ends it, and nothing throws', async () => {
    const { town, told, publication, answer, phone } = await bench();
    await answer(200, 'SIP-ETag: e\0x', 'Expires: 600');
    publication.update(Buffer.from('closed'));
    await town.run(50);
    assert.match(told.join(), /^published 600/);
    assert.throws(() => new Publication(phone.agent, { ...WANTED, target: '' }, Buffer.from('')), { code: 'BAD_ADDRESS' });
    assert.throws(() => new Publication(phone.agent, { ...WANTED, event: 'a\r\nb' }, Buffer.from('')), { code: 'BAD_HEADER' });
  });
});

describe('other requests of ours', () => {
  test('MESSAGE has no Contact (RFC 3428 §4), and its answer comes back', async () => {
    const town = new Town(), phone = await town.phone('10.0.0.1'), peer = await new Peer(town, '10.0.0.2').open();
    const sent = request(phone.agent, { method: 'MESSAGE', target: 'sip:bob@10.0.0.2', headers: [['Content-Type', 'text/plain']], body: Buffer.from('hello') });
    await town.run(20);
    const message = peer.last('MESSAGE');
    assert.deepEqual([text(message, 'contact'), bodyOf(message).toString(), requestUri(message)], [undefined, 'hello', 'sip:bob@10.0.0.2']);
    peer.answer(message, 202);
    await town.run(20);
    const { status, reason, response } = await sent;
    assert.deepEqual([status, reason, response?.status], [202, 'Words', 202]);
  });

  test('nobody there is 503, silence 408 (RFC 3261 §8.1.3.1)', async () => {
    const town = new Town(), phone = await town.phone('10.0.0.1');
    const nobody = request(phone.agent, { method: 'OPTIONS', target: 'sip:10.0.0.2' });
    town.wire.down.add('10.0.0.3');
    const silent = request(phone.agent, { method: 'OPTIONS', target: 'sip:10.0.0.3' });
    await town.run(33_000);
    assert.deepEqual([(await nobody).status, (await silent).status], [503, 408]);
  });

  test('what cannot be sent rejects', async () => {
    const town = new Town(), phone = await town.phone('10.0.0.1');
    await assert.rejects(request(phone.agent, { method: 'OPTIONS', target: 'no where' }), { code: 'BAD_ADDRESS' });
    await assert.rejects(request(phone.agent, { method: 'OPTIONS', target: 'sip:10.0.0.2', headers: [['X', 'a\r\nb']] }), { code: 'BAD_HEADER' });
  });
});
