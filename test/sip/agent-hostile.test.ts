import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { DatagramSocket } from '../../src/ports/net.ts';
import { FakeRandom } from '../fakes/random.ts';
import { ANSWER, OFFER, story, Town } from './agent-bench.ts';

const INVITE = [
  'INVITE sip:phone@10.0.0.1 SIP/2.0', 'Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKx1;rport', 'Max-Forwards: 70', 'From: "Peer" <sip:peer@10.0.0.2>;tag=peer', 'To: <sip:phone@10.0.0.1>',
  'Call-ID: hostile', 'CSeq: 1 INVITE', 'Contact: <sip:peer@10.0.0.2>', 'Record-Route: <sip:10.0.0.2;lr>', 'Supported: replaces', 'Content-Type: application/sdp', 'Content-Length: 5', '', 'v=0\r\n',
].join('\r\n');

/** A wire with an agent that answers, and a socket from which anything may be sent. */
async function bench() {
  const town = new Town();
  const phone = await town.phone('10.0.0.1', { passwordOf: (user) => (user === 'door' ? 'open' : undefined) });
  phone.onCall = (call) => {
    call.progress(180);
    call.accept(ANSWER);
    call.subscribe((e) => {
      if (e.event === 'offer') call.answerOffer(ANSWER);
      else if (e.event === 'transfer asked') call.transferProgress(200, 'OK');
    });
  };
  const heard: string[] = [];
  const socket: DatagramSocket = await town.wire.host('10.0.0.2').udp({ host: '', port: 5060 }, { onDatagram: (b) => { heard.push(b.toString('latin1')); }, onError: () => undefined });
  return { town, phone, heard, send: (words: string) => socket.send(Buffer.from(words, 'latin1'), { host: '10.0.0.1', port: 5060 }) };
}

describe('a hostile peer', () => {
  test('that rings 200 times at once is told 486 from the 65th on, and the phone is free again once they give up', async () => {
    const { town, phone, heard, send } = await bench();
    phone.onCall = (call) => call.progress(180);
    const invite = (n: number): string => INVITE.replace('z9hG4bKx1', `z9hG4bKr${n}`).replace('Call-ID: hostile', `Call-ID: r${n}`).replace(';tag=peer', `;tag=p${n}`);
    for (let n = 0; n < 200; n++) send(invite(n));
    await town.run(100);
    assert.equal(phone.agent.calls.length, 64);
    const statuses = (status: number): number => heard.filter((h) => h.startsWith(`SIP/2.0 ${status} `)).length;
    assert.deepEqual([statuses(180), statuses(486)], [64, 136]);
    for (let n = 0; n < 64; n++) send(invite(n).replaceAll('INVITE', 'CANCEL').replace(/Content-Type[^]*$/, 'Content-Length: 0\r\n\r\n'));
    await town.run(40_000);
    assert.deepEqual([phone.agent.calls, statuses(487) >= 64], [[], true]);
    send(invite(1_000));
    await town.run(100);
    assert.equal(phone.agent.calls.length, 1);
  });

  test('with a NUL in what we would have to send back ends its own call, not the phone', async () => {
    for (const line of ['From: "Pe\0er" <sip:peer@10.0.0.2>;tag=peer', 'Record-Route: <sip:10.0.0.2;lr>;x=a\0b', 'Call-ID: ho\0stile', 'To: "a\0b" <sip:phone@10.0.0.1>']) {
      const { town, phone, send } = await bench();
      const name = line.slice(0, line.indexOf(':') + 1);
      send(INVITE.split('\r\n').map((l) => (l.startsWith(name) ? line : l)).join('\r\n'));
      await town.run(100);
      for (const { call } of phone.incoming) {
        call.offer(OFFER);
        call.sendInfoDigit('1', 100);
        call.hangUp('go\r\naway');
      }
      await town.run(70_000);
      assert.deepEqual(phone.agent.calls, [], line);
      assert.equal(town.clock.pending, 0, line);
    }
  });

  for (let seed = 1; seed <= 12; seed++) {
    test(`that sends mangled requests and responses leaves a phone that still works (seed ${seed})`, async () => {
      const { town, phone, heard, send } = await bench();
      const random = new FakeRandom(seed);
      const pick = (n: number) => Math.floor(random.fraction() * n);
      const methods = ['INVITE', 'ACK', 'BYE', 'CANCEL', 'UPDATE', 'INFO', 'REFER', 'NOTIFY', 'OPTIONS', 'SUBSCRIBE', 'PRACK'];
      const extras = ['Refer-To: <sip:x@10.0.0.9?Replaces=a%3Bto-tag%3Db>', 'Replaces: hostile;to-tag=1;from-tag=2', 'Reason: SIP;cause=200', 'Require: timer', 'Event: refer', 'Contact: *', 'Authorization: Digest username="door"', 'Subscription-State: ;;;'];
      send(INVITE);
      await town.run(50);
      for (let i = 0; i < 150; i++) {
        const tag = /To:[^\r]*;tag=(\w+)/.exec(heard.at(pick(heard.length)) ?? '')?.[1];
        let words = INVITE.replaceAll('INVITE', methods[pick(methods.length)]!).replace('z9hG4bKx1', `z9hG4bKx${pick(20)}`).replace('CSeq: 1', `CSeq: ${pick(300)}`);
        if (tag !== undefined && pick(3) > 0) words = words.replace('To: <sip:phone@10.0.0.1>', `To: <sip:phone@10.0.0.1>;tag=${tag}`);
        if (pick(3) === 0) words = words.replace('Max-Forwards: 70', extras[pick(extras.length)]!);
        if (pick(4) === 0) { // one of its own messages comes back, as a response or as it is
          const own = heard.at(pick(heard.length)) ?? '';
          words = pick(2) === 0 ? own : own.replace(/^\S+ \S+ SIP\/2.0/, `SIP/2.0 ${100 + pick(600)} X`);
        }
        for (let n = pick(4); n > 0; n--) { // and a few bytes are other bytes
          const at = pick(words.length);
          words = words.slice(0, at) + String.fromCharCode(pick(256)) + words.slice(at + pick(3));
        }
        send(words);
        if (pick(3) === 0) {
          const call = phone.agent.calls[0];
          call?.offer(OFFER);
          if (pick(4) === 0) call?.hangUp();
          if (pick(4) === 0) call?.transfer('sip:z@10.0.0.2');
          if (pick(6) === 0) phone.agent.call({ target: 'sip:peer@10.0.0.2', offer: OFFER });
        }
        await town.run(30 + pick(200));
      }
      for (const call of phone.agent.calls) call.hangUp();
      await town.run(200_000);
      for (const { told } of phone.incoming) assert.ok(told.filter((w) => w.startsWith('ended')).length === 1, told.join(', '));
      assert.deepEqual(phone.agent.calls, []);
      assert.equal(town.clock.pending, 0, 'nothing is left running');
      const friend = await town.phone('10.0.0.3');
      const told = story(friend.agent.call({ target: 'sip:phone@10.0.0.1', offer: OFFER }));
      await town.run(200);
      assert.deepEqual(told, ['progress 180', 'answer v=0 answer', 'established']);
    });
  }
});
