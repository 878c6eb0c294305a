// Who is where: the location service of RFC 3261 §10.3 with Path (RFC 3327) and flows (RFC 5626 §6). Who may register is decided before.
// What is known is written down now and then, so that phones can be called again at once after a restart.

import type { Clock } from '../ports/clock.ts';
import type { Headers } from '../sip/build.ts';
import { cseqOf, formatNameAddr, hasToken, nameAddrs, wholeNumber } from '../sip/headers.ts';
import type { NameAddr } from '../sip/headers.ts';
import { requestUri, text, texts } from '../sip/message.ts';
import type { Message } from '../sip/message.ts';
import { isNumeric } from '../sip/locate.ts';
import type { Destination, Flow } from '../sip/transport.ts';
import { carries } from '../sip/transport.ts';
import { equalUris, isSips, parseUri } from '../sip/uri.ts';
import type { Uri } from '../sip/uri.ts';

export interface Binding {
  readonly user: string;
  /** Contact as written, and read. */
  readonly address: string;
  readonly uri: Uri;
  /** Instance and reg-id of RFC 5626; '' when the phone does not speak it. */
  readonly flowId: string;
  /** Contact parameters given back to the phone. */
  readonly params: ReadonlyMap<string, string>;
  /** 0 to 1000: thousandths of q (RFC 3261 §20.10). */
  readonly q: number;
  readonly path: readonly string[];
  /** Where the registration came from. */
  readonly flow: Flow;
  readonly callId: string;
  readonly cseq: number;
  readonly userAgent: string;
  /** Wall time. */
  readonly since: number;
  readonly untilMs: number;
}

export interface Reply {
  readonly status: number;
  readonly reason?: string;
  readonly headers?: Headers;
}

export interface RegistrarUser {
  onRegistered(binding: Binding): void;
  /** `why`: 'by the phone', 'expired', 'connection lost', 'user removed', 'password changed'. */
  onUnregistered(binding: Binding, why: string): void;
  /** Something changed that save() tells, be it a renewal alone. */
  onChange(): void;
}

/** Asked for when the phone names no time, and the most that is given; less than the least is refused with 423. */
export const EXPIRES = { defaultS: 3_600, leastS: 30, mostS: 3_600 } as const;
/** Phones of one user. */
const MAX_BINDINGS = 10;

export class Registrar {
  readonly #clock: Clock;
  readonly #user: RegistrarUser;
  readonly #bindings = new Map<string, readonly Binding[]>();
  #stopAlarm: (() => void) | undefined;

  constructor(clock: Clock, user: RegistrarUser) {
    this.#clock = clock;
    this.#user = user;
  }

  /** Those of `user` that hold, the one preferred most first. */
  of(user: string): readonly Binding[] {
    const now = this.#clock.now();
    return (this.#bindings.get(user) ?? []).filter((b) => b.untilMs > now).sort((a, b) => b.q - a.q);
  }

  /** The binding whose Contact `uri` is: user, host and port are the same; sip: or sips: are one phone. */
  at(uri: Uri): Binding | undefined {
    const now = this.#clock.now();
    for (const list of this.#bindings.values()) {
      for (const b of list) if (b.untilMs > now && b.uri.user === uri.user && b.uri.host === uri.host && (b.uri.port === uri.port || portOf(b.uri) === portOf(uri))) return b;
    }
    return undefined;
  }

  /** What a REGISTER of `user`, who has proved itself, does (RFC 3261 §10.3 steps 6 to 8): all of it or nothing. */
  register(request: Message, user: string, flow: Flow): Reply {
    const contacts = nameAddrs(request, 'contact');
    const cseq = cseqOf(request)?.number ?? 0;
    const callId = text(request, 'call-id') ?? '';
    if (contacts === undefined) return { status: 400, reason: 'Bad contact Header' };
    const before = this.of(user);
    const inOrder = (b: Binding): boolean => b.callId !== callId || b.cseq < cseq;

    if (contacts.some((c) => c.uri === '*')) {
      if (contacts.length > 1 || text(request, 'expires') !== '0') return { status: 400, reason: 'Contact * Needs Expires 0 And No Other Contact' };
      if (!before.every(inOrder)) return OUT_OF_ORDER;
      this.#put(user, [], before, 'by the phone');
      return this.#listed(user, request, false);
    }

    const wishS = secondsOf(text(request, 'expires'));
    const outbound = hasToken(request, 'supported', 'outbound');
    const path = texts(request, 'path');
    let after = [...before];
    let flows = false;
    for (const contact of contacts) {
      const uri = parseUri(contact.uri);
      if (uri === undefined || uri.scheme === 'tel') return { status: 400, reason: 'Contact Is No SIP Address' };
      if (uri.scheme === 'sips' && !(isSips(requestUri(request)) && isSecure(flow) && path.every(isSips))) return { status: 400, reason: 'A SIPS Contact Comes Over TLS To A SIPS Address' }; // RFC 5630 §5.2
      const instance = contact.params.get('+sip.instance') ?? '', regId = contact.params.get('reg-id') ?? '';
      const flowId = outbound && instance !== '' && /^[1-9]\d{0,9}$/.test(regId) ? `${instance} ${regId}` : '';
      flows ||= flowId !== '';
      const askedS = contact.params.has('expires') ? secondsOf(contact.params.get('expires')) ?? EXPIRES.defaultS : wishS ?? EXPIRES.defaultS;
      if (askedS > 0 && askedS < EXPIRES.leastS) return { status: 423, headers: [['Min-Expires', String(EXPIRES.leastS)]] };
      const held = after.find((b) => (flowId === '' ? b.flowId === '' && equalUris(b.uri, uri) : b.flowId === flowId));
      if (held !== undefined && !inOrder(held)) return OUT_OF_ORDER;
      after = after.filter((b) => b !== held);
      if (askedS === 0) continue;
      const other = this.at(uri);
      if (other !== undefined && other.user !== user) return { status: 403, reason: 'Contact Belongs To Another User' };
      after.push({
        user, address: contact.uri, uri, flowId, params: kept(contact), q: qOf(contact), path, flow, callId, cseq, userAgent: (text(request, 'user-agent') ?? '').slice(0, 80),
        since: held?.since ?? this.#clock.wall(), untilMs: this.#clock.now() + 1_000 * Math.min(askedS, EXPIRES.mostS),
      });
    }
    if (after.length > MAX_BINDINGS) return { status: 403, reason: 'Too Many Contacts' };
    this.#put(user, after, before, 'by the phone');
    return this.#listed(user, request, flows);
  }

  /** A connection is gone: a phone that could be reached by it alone is not there any more. */
  flowFailed(to: Destination): void {
    for (const [user, list] of this.#bindings) {
      const left = list.filter((b) => !carries(to, b.flow) || wayTo(b, () => false) !== undefined);
      if (left.length < list.length) this.#put(user, left, list, 'connection lost');
    }
  }

  /** All bindings, for load() of a later run. */
  save(): string {
    const now = this.#clock.now(), wall = this.#clock.wall();
    const all = [...this.#bindings.values()].flat().map(({ uri: _, params, flow, untilMs, ...rest }): Saved => ({
      ...rest, params: [...params], flow: { transport: flow.transport, host: flow.host, port: flow.port }, until: wall + untilMs - now,
    }));
    return JSON.stringify(all);
  }

  /** What save() wrote, as far as it still holds. A connection of then is none now: who is reached by it alone has to come again. */
  load(text: string, users: ReadonlySet<string>): void {
    const now = this.#clock.now(), wall = this.#clock.wall();
    for (const saved of readSaved(text)) {
      const uri = parseUri(saved.address);
      const leftMs = Math.min(saved.until - wall, 1_000 * EXPIRES.mostS); // the clock of a small computer may start in the past
      if (uri === undefined || leftMs <= 0 || !users.has(saved.user)) continue;
      const { until: _, ...rest } = saved;
      const binding: Binding = { ...rest, uri, params: new Map(saved.params), flow: { ...saved.flow, local: { host: '', port: 0 } }, untilMs: now + leftMs };
      if (wayTo(binding, () => false) !== undefined) this.#bindings.set(saved.user, [...this.#bindings.get(saved.user) ?? [], binding].slice(0, MAX_BINDINGS));
    }
    this.#arm();
  }

  /** Users for whom `lost` gives a reason are there no more. */
  drop(lost: (user: string) => string | undefined): void {
    for (const [user, list] of this.#bindings) {
      const why = lost(user);
      if (why !== undefined) this.#put(user, [], list, why);
    }
  }

  close(): void {
    this.#stopAlarm?.();
    this.#bindings.clear();
  }

  #put(user: string, after: readonly Binding[], before: readonly Binding[], why: string): void {
    if (after.length === 0) this.#bindings.delete(user);
    else this.#bindings.set(user, after);
    const same = (a: Binding) => (b: Binding): boolean => a.since === b.since && (a.flowId === '' ? equalUris(a.uri, b.uri) : a.flowId === b.flowId);
    for (const old of before) if (!after.some(same(old))) this.#user.onUnregistered(old, why);
    for (const one of after) if (!before.some(same(one))) this.#user.onRegistered(one);
    this.#user.onChange();
    this.#arm();
  }

  /** One alarm for whichever ends first. */
  #arm(): void {
    this.#stopAlarm?.();
    this.#stopAlarm = undefined;
    const next = Math.min(...[...this.#bindings.values()].flatMap((list) => list.map((b) => b.untilMs)));
    if (next === Infinity) return;
    this.#stopAlarm = this.#clock.after(next - this.#clock.now(), () => {
      const now = this.#clock.now();
      for (const [user, list] of this.#bindings) {
        const left = list.filter((b) => b.untilMs > now);
        if (left.length < list.length) this.#put(user, left, list, 'expired');
      }
      this.#arm();
    });
  }

  /** 200 with every Contact of the user (RFC 3261 §10.3 step 8), the Path taken (RFC 3327 §5.3) and whether flows are kept (RFC 5626 §6). */
  #listed(user: string, request: Message, flows: boolean): Reply {
    const now = this.#clock.now();
    const contacts = this.of(user).map((b) => ['Contact', formatNameAddr('', b.address, new Map([...b.params, ['expires', String(Math.ceil((b.untilMs - now) / 1_000))]]))] as const);
    return {
      status: 200,
      headers: [
        ...contacts, ...texts(request, 'path').map((value) => ['Path', value] as const),
        ...(flows ? [['Require', 'outbound'] as const] : []), ['Supported', 'path, outbound'], ['Date', new Date(this.#clock.wall()).toUTCString()],
      ],
    };
  }
}

type Saved = Omit<Binding, 'uri' | 'params' | 'flow' | 'untilMs'> & {
  readonly params: readonly (readonly [string, string])[];
  readonly flow: Destination;
  /** Wall time. */
  readonly until: number;
};

/** The bindings in `text`; none of them when it is not what save() writes. */
function readSaved(text: string): readonly Saved[] {
  const words = (value: unknown): boolean => typeof value === 'string';
  const whole = (value: unknown): boolean => Number.isSafeInteger(value);
  const fits = (one: Partial<Saved> | null): boolean => one !== null && typeof one === 'object' && [one.user, one.address, one.flowId, one.callId, one.userAgent, one.flow?.host].every(words)
    && [one.q, one.cseq, one.since, one.flow?.port].every(whole) && Number.isFinite(one.until) && words(one.flow?.transport)
    && Array.isArray(one.path) && one.path.every(words) && Array.isArray(one.params) && one.params.every((p) => Array.isArray(p) && p.length === 2 && p.every(words));
  try {
    const all: unknown = JSON.parse(text);
    return Array.isArray(all) && all.every(fits) ? all as Saved[] : [];
  } catch {
    return []; // cut short: the phones come by themselves
  }
}

/**
 * Where a request to `binding` is sent; undefined when there is no way left. A phone whose Contact bears another address than its
 * REGISTER came from sits behind a NAT: the source is where it can be reached, over a stream the connection that it keeps open. Who came over TLS
 * or WebSocket is reached by that connection alone: what it chose to encrypt goes nowhere in clear, and few phones accept either.
 */
export function wayTo(binding: Binding, isOpen: (flow: Flow) => boolean): Destination | undefined {
  const { uri, flow, path } = binding;
  if (path[0] !== undefined) return hopOf(path[0]);
  const direct = binding.flowId === '' && uri.host === flow.host ? destination(uri) : undefined;
  if (flow.transport === 'udp') return direct ?? { transport: 'udp', host: flow.host, port: flow.port };
  return isOpen(flow) ? flow : flow.transport === 'tcp' ? direct : undefined;
}

/** Where a Route value or a URI leads when its host is a number; names are not looked up here. */
export function hopOf(address: string): Destination | undefined {
  const uri = parseUri(/<([^<>]*)>/.exec(address)?.[1] ?? address);
  return uri === undefined || uri.scheme !== 'sip' ? undefined : destination(uri);
}

/** The open connection of a phone that says it is to be reached at its own end of it, over TLS or WebSocket. */
export function connectionOf(address: string, isOpen: (to: Destination) => boolean): Destination | undefined {
  const uri = parseUri(address), asked = uri?.params.get('transport')?.toLowerCase() ?? '', sips = uri?.scheme === 'sips';
  const transport = asked === 'ws' ? (sips ? 'wss' : 'ws') : sips || asked === 'tls' ? 'tls' : undefined;
  const to = uri === undefined || transport === undefined ? undefined : { transport, host: uri.host, port: portOf(uri) } as const;
  return to !== undefined && isOpen(to) ? to : undefined;
}

function destination(uri: Uri): Destination | undefined {
  const transport = (uri.params.get('transport') ?? 'udp').toLowerCase();
  return uri.scheme === 'sip' && isNumeric(uri.host) && (transport === 'udp' || transport === 'tcp') ? { transport, host: uri.host, port: portOf(uri) } : undefined;
}

/** Whether what goes there is encrypted: what a sips: address asks of each hop (RFC 3261 §26.2.2). */
export const isSecure = ({ transport }: Pick<Destination, 'transport'>): boolean => transport === 'tls' || transport === 'wss';

/** The port in the URI, or the one of its transport (RFC 3261 §19.1.2, RFC 7118 §5.3). */
export function portOf({ port, scheme, params }: Uri): number {
  if (port !== undefined) return port;
  const transport = params.get('transport')?.toLowerCase(), sips = scheme === 'sips';
  return transport === 'ws' ? (sips ? 443 : 80) : sips || transport === 'tls' ? 5061 : 5060;
}

const OUT_OF_ORDER: Reply = { status: 400, reason: 'CSeq Out Of Order' };

/** undefined without the header; what is no number counts as an hour (RFC 3261 §10.3 step 7). */
const secondsOf = (value: string | undefined): number | undefined => (value === undefined ? undefined : wholeNumber(value) ?? EXPIRES.defaultS);

const qOf = ({ params }: NameAddr): number => (/^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(params.get('q') ?? '') ? Math.round(1_000 * Number(params.get('q'))) : 1_000);

const kept = ({ params }: NameAddr): ReadonlyMap<string, string> => new Map([...params].filter(([name]) => ['q', '+sip.instance', 'reg-id'].includes(name)));
