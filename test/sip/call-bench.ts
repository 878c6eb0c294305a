// A call between an agent at 10.0.0.1 and a peer that a test plays by hand at 10.0.0.2, in the states that most tests begin with.

import type { AgentOptions, Call } from '../../src/sip/agent-types.ts';
import { text, type Message } from '../../src/sip/message.ts';
import { ANSWER, OFFER, Peer, story, Town } from './agent-bench.ts';

export const CONTACT = 'Contact: <sip:peer@10.0.0.2>';

/** An agent at 10.0.0.1 and a peer played by hand at 10.0.0.2. */
export async function bench(options: Partial<AgentOptions> = {}) {
  const town = new Town(), phone = await town.phone('10.0.0.1', {}, options), peer = await new Peer(town, '10.0.0.2').open();
  return { town, phone, peer };
}

/** The agent has called the peer, who has its INVITE; an empty `offer` offers nothing. */
export async function called(options: Partial<AgentOptions> = {}, offer: Buffer | undefined = OFFER) {
  const b = await bench(options);
  const call = b.phone.agent.call({ target: 'sip:peer@10.0.0.2', ...(offer === undefined || offer.length === 0 ? {} : { offer }) });
  const told = story(call);
  await b.town.run(20);
  return { ...b, call, told, invite: b.peer.last('INVITE') };
}

let branches = 0;
/** Lines of a request from the peer; `to` with our tag inside a dialog. */
export function lines(method: string, seq: number, more: readonly string[] = [], tags: { to?: string; from?: string; callId?: string; branch?: string; uri?: string } = {}): string[] {
  return [
    `${method} ${tags.uri ?? 'sip:phone@10.0.0.1'} SIP/2.0`, `Via: SIP/2.0/UDP 10.0.0.2:5060;branch=${tags.branch ?? `z9hG4bKp${++branches}`};rport`, 'Max-Forwards: 70',
    `From: <sip:peer@10.0.0.2>;tag=${tags.from ?? 'peer'}`, `To: <sip:phone@10.0.0.1>${tags.to === undefined ? '' : `;tag=${tags.to}`}`,
    `Call-ID: ${tags.callId ?? 'peercall'}`, `CSeq: ${seq} ${method}`, ...more,
  ];
}
export const SDP = 'Content-Type: application/sdp';
export const tagOf = (m: Message, name: string) => /;tag=([^;>]+)/.exec(text(m, name)!)![1]!;

/** The peer has called the agent: `call` rings. `inside` writes a request of the peer inside that dialog. */
export async function calling(more: readonly string[] = [], body = 'v=0 offer', options: Partial<AgentOptions> = {}, onCall = (c: Call) => c.progress(180)) {
  const b = await bench(options);
  b.phone.onCall = onCall;
  b.peer.send('10.0.0.1', lines('INVITE', 1, [CONTACT, ...(body === '' ? [] : [SDP]), ...more], { branch: 'z9hG4bKinvite' }), body);
  await b.town.run(20);
  const { call, told, source } = b.phone.incoming[0]!;
  const inside = (method: string, seq: number, extra: readonly string[] = [], content = '', branch?: string) =>
    b.peer.send('10.0.0.1', lines(method, seq, [...extra, ...(content === '' ? [] : [SDP])], { to: tagOf(b.peer.got[0]!, 'to'), ...(branch === undefined ? {} : { branch }) }), content);
  return { ...b, call, told, source, inside };
}

export async function answered(more: readonly string[] = [], options: Partial<AgentOptions> = {}) {
  const b = await calling(more, 'v=0 offer', options);
  b.call.accept(ANSWER);
  await b.town.run(20);
  b.inside('ACK', 1);
  await b.town.run(20);
  return b;
}
