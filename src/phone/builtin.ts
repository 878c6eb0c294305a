// The built-in line: a second agent on loopback that answers the telephone's own service codes through the whole SIP and RTP path.
// `echo` sends back what it hears, `state` plays how the telephone is. It calls nobody and knows no account.

import { BEEP_ID, Line } from './line.ts';
import type { Answering } from './line-types.ts';
import type { Phone } from './phone.ts';
import type { Invite, PhonePorts } from './ports.ts';
import { userOf } from './addresses.ts';
import type { Endpoint } from '../ports/net.ts';
import type { Agent, AgentHandlers } from '../sip/agent-types.ts';

export interface BuiltIn {
  /** Known after start(). Give the whole to createPhone as its services. */
  readonly echo: string;
  readonly state: string;
  readonly from: Endpoint;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Longest visit, so that a forgotten handset does not echo for ever. */
const LONGEST_S = 600;
const RING_S = 10;
/** Streams of this line are numbered apart, so that it can be made before the telephone. */
const FIRST_STREAM = BEEP_ID / 2;

/** `phone` is asked at each call, so that either may be made first. `agent` must be bound to loopback. */
export function createBuiltIn(ports: Pick<PhonePorts, 'media' | 'sounds' | 'log' | 'texts'>, phone: () => Phone, makeAgent: (handlers: AgentHandlers) => Agent): BuiltIn {
  const lines = new Map<number, Line>();
  let visits = 0;

  const answering = (invite: Invite | undefined): Answering | undefined => {
    const to = invite === undefined ? '' : ports.texts(invite, 'to')[0] ?? '';
    switch (userOf(/<([^<>]*)>/.exec(to)?.[1] ?? to)) {
      case 'echo': return { route: { to: 'echo' }, maxS: LONGEST_S };
      case 'state': return { route: { to: 'program', program: ports.sounds.statusTones[phone().condition()].program }, maxS: LONGEST_S };
      default: return undefined;
    }
  };

  const agent = makeAgent({
    onIncoming(call, source) {
      const how = source.peer.host === '127.0.0.1' || source.peer.host === '::1' ? answering(call.invite) : undefined;
      if (how === undefined) return call.reject(404);
      const stream = FIRST_STREAM + ++visits;
      const line = new Line({ ...phone().linePorts, call: (options) => agent.call(options) }, stream, 'in', call.remote.user, (from, event) => {
        if (event.is !== 'ended') return;
        lines.delete(from.stream);
        ports.log.debug({ why: event.ending.why, seconds: from.seconds }, 'built-in line ended');
      });
      lines.set(stream, line);
      line.ring(call, RING_S);
      line.accept(how);
    },
    onRegistration: () => undefined,
  });

  ports.media.subscribe((event) => { if ('stream' in event) lines.get(event.stream)?.onMedia(event); });
  const address = (user: string) => `sip:${user}@${agent.local.host.includes(':') ? `[${agent.local.host}]` : agent.local.host}:${agent.local.port}`;
  return {
    get echo() { return address('echo'); },
    get state() { return address('state'); },
    get from() { return agent.local; },
    start: () => agent.start(),
    close: () => agent.close(),
  };
}
