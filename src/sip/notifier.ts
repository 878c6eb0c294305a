// Those who subscribe to us (RFC 6665 §4.2): one event package, any number of watchers, each with its dialog, its time and its NOTIFYs. Whom to let
// in is the owner's to say; what there is to tell is the package's. dialogPackage() tells of the agent's calls (RFC 4235).

import type { Account, Agent, Call, CallEvent, Source } from './agent-types.ts';
import type { CallUnit } from './call.ts';
import { belongs, dialogOfRequest, inOrder, refreshTarget, type Dialog } from './dialog.ts';
import { countOf, tagOf, tokens } from './headers.ts';
import { text, type Message } from './message.ts';
import { contactFor, request } from './outside.ts';
import { writeDialogInfo, type DialogInfo } from './packages.ts';
import { endsUsage, headed, sameEvent } from './subscriptions.ts';
import type { ServerTransaction } from './transaction.ts';
import { hostPort } from './uri.ts';

export interface Package {
  /** 'dialog'. */
  readonly event: string;
  /** Of every body, 'application/dialog-info+xml'. */
  readonly type: string;
  /** No two NOTIFYs to one watcher follow each other sooner. */
  readonly paceMs: number;
  /** All there is to tell; `version` counts the NOTIFYs of one watcher from 0. */
  body(version: number): Uint8Array;
  /** There is nobody left to tell. */
  close?(): void;
}

/** 'prove': challenge, and ask again with source.authenticated. */
export type Admission = 'in' | 'out' | 'prove';

interface Watcher {
  readonly dialog: Dialog;
  readonly callId: string;
  readonly event: string;
  /** Whose server it came through last. */
  account: Account | undefined;
  untilMs: number;
  version: number;
  /** A NOTIFY is under way; what changes meanwhile waits, so that none overtakes another. */
  busy: boolean;
  dirty: boolean;
  lastMs: number;
  /** 'terminated;reason=...' once it is to end. */
  over: string | undefined;
  stopExpiry: () => void;
  stopPace: (() => void) | undefined;
}

const EXPIRES_S = 3_600, EXPIRES_LEAST_S = 60;
/** More watchers than anybody needs are told to come later. */
const WATCHERS_MOST = 32;

export class Notifier {
  readonly #agent: Agent;
  readonly #package: Package;
  readonly #admit: (request: Message, source: Source) => Admission;
  readonly #watchers = new Map<string, Watcher>(); // by our tag

  /** `admit` is asked once for each new watcher. */
  constructor(agent: Agent, what: Package, admit: (request: Message, source: Source) => Admission) {
    this.#agent = agent;
    this.#package = what;
    this.#admit = admit;
  }

  get watchers(): number { return this.#watchers.size; }

  /** For the agent's onRequest; false when it is no SUBSCRIBE to this package, or to a watcher that is not there. */
  take(request: Message, server: ServerTransaction, source: Source, challenge: () => void): boolean {
    const event = text(request, 'event') ?? '', { event: name, type } = this.#package, tag = tagOf(request, 'to');
    if (request.method !== 'SUBSCRIBE' || headed(event).word !== name) return false;
    const known = tag === undefined ? undefined : this.#watchers.get(tag);
    if (tag !== undefined) {
      if (known === undefined || known.over !== undefined || known.callId !== text(request, 'call-id') || !belongs(known.dialog, request) || !sameEvent(event, known.event)) return false;
      if (!inOrder(known.dialog, request)) {
        server.respond(500);
        return true;
      }
    }
    const accepted = tokens(request, 'accept'), askedS = countOf(request, 'expires') ?? EXPIRES_S;
    const refuse = (status: number, ...headers: (readonly [string, string])[]): true => {
      server.respond(status, { headers });
      return true;
    };
    if (accepted.length > 0 && !accepted.some((a) => a.toLowerCase() === type || a === '*/*' || a === 'application/*')) return refuse(406, ['Accept', type]);
    if (askedS > 0 && askedS < EXPIRES_LEAST_S) return refuse(423, ['Min-Expires', String(EXPIRES_LEAST_S)]); // §4.2.1.1
    const expiresS = Math.min(askedS, EXPIRES_S);
    if (known !== undefined) {
      refreshTarget(known.dialog, request);
      known.account = source.registeredServer;
      this.#grant(server, known, expiresS);
      return true;
    }
    const admitted = this.#admit(request, source);
    if (admitted === 'prove') challenge();
    if (admitted === 'out') return refuse(403);
    if (admitted !== 'in') return true;
    if (this.#watchers.size >= WATCHERS_MOST) return refuse(503, ['Retry-After', '60']);
    const dialog = dialogOfRequest(request, server.toTag);
    if (dialog === undefined) return refuse(400);
    const watcher: Watcher = { dialog, callId: dialog.callId, event, account: source.registeredServer, untilMs: 0, version: 0, busy: false, dirty: false, lastMs: -Infinity, over: undefined, stopExpiry: () => undefined, stopPace: undefined };
    this.#watchers.set(dialog.localTag, watcher);
    this.#grant(server, watcher, expiresS);
    return true;
  }

  /** What there is to tell has changed. */
  changed(): void {
    for (const watcher of this.#watchers.values()) this.#notify(watcher, this.#package.paceMs);
  }

  /** End all; they may come again later. */
  close(): void {
    for (const watcher of this.#watchers.values()) this.#end(watcher, 'probation;retry-after=60');
    this.#package.close?.();
  }

  /** 200, and a NOTIFY at once, whatever the watcher knew before (§4.2.1.2). Expires 0 un-subscribes, or fetches once (§4.4.3). */
  #grant(server: ServerTransaction, watcher: Watcher, expiresS: number): void {
    const { ua } = this.#agent, { from } = server;
    const answer = (host: string | undefined): void => {
      server.respond(200, { headers: [['Expires', String(expiresS)], ['Contact', contactFor(this.#agent, watcher.account, server, host)]] });
      watcher.stopExpiry();
      watcher.untilMs = ua.clock.now() + expiresS * 1000;
      if (expiresS === 0) return this.#end(watcher, 'timeout');
      watcher.stopExpiry = ua.clock.after(expiresS * 1000, () => this.#end(watcher, 'timeout'));
      this.#notify(watcher, 0);
    };
    this.#agent.localHostFor(`sip:${hostPort(from.host, from.port)}`).then(answer, () => answer(undefined));
  }

  #end(watcher: Watcher, reason: string): void {
    watcher.over ??= `terminated;reason=${reason}`;
    this.#notify(watcher, 0);
  }

  #notify(watcher: Watcher, paceMs: number): void {
    const { clock } = this.#agent.ua, waitMs = watcher.lastMs + paceMs - clock.now();
    if (watcher.busy) watcher.dirty = true;
    else if (waitMs <= 0) this.#send(watcher);
    else watcher.stopPace ??= clock.after(waitMs, () => this.#send(watcher));
  }

  #send(watcher: Watcher): void {
    const { clock } = this.#agent.ua, { over, dialog } = watcher;
    watcher.stopPace?.();
    watcher.stopPace = undefined;
    watcher.busy = true;
    watcher.dirty = false;
    watcher.lastMs = clock.now();
    if (over !== undefined) this.#drop(watcher);
    const state = over ?? `active;expires=${Math.max(0, Math.round((watcher.untilMs - clock.now()) / 1000))}`;
    request(this.#agent, {
      method: 'NOTIFY', target: '', dialog, ...(watcher.account === undefined ? {} : { account: watcher.account }), headers: [['Event', watcher.event], ['Subscription-State', state], ['Content-Type', this.#package.type]], body: this.#package.body(watcher.version++),
    }).then(({ status, response }) => {
      watcher.busy = false;
      // §4.2.2: who does not answer, or knows nothing of it, is watching no more
      if (response === undefined || endsUsage(status)) return this.#drop(watcher);
      if (watcher.dirty && this.#watchers.has(dialog.localTag)) this.#notify(watcher, watcher.over === undefined ? this.#package.paceMs : 0);
    }, () => this.#drop(watcher)); // its event or tag holds what we cannot send
  }

  #drop(watcher: Watcher): void {
    watcher.stopExpiry();
    watcher.stopPace?.();
    this.#watchers.delete(watcher.dialog.localTag);
  }
}

/** How long an ended call is still told of. */
const ENDED_MS = 5_000;

export interface DialogPackage extends Package {
  /** Tell of this call too. Not before whoever answers it has subscribed to it: the first hears its offer. */
  watch(call: Call): void;
}

/** The calls of `agent` as event package 'dialog' (RFC 4235); `entity` is whose they are, 'sip:201@pbx.example'. `onChange` is told when to say so. */
export function dialogPackage(agent: Agent, entity: () => string, onChange: () => void): DialogPackage {
  const told = new Map<Call, DialogInfo>(), timers = new Set<() => void>();
  let closed = false;
  return {
    event: 'dialog', type: 'application/dialog-info+xml', paceMs: 1_000, // RFC 4235 §3.10: no oftener than once a second
    body: (version) => Buffer.from(writeDialogInfo(entity(), version, [...told.values()])),
    watch(call) {
      let established = call.state === 'established';
      const tell = (event?: CallEvent): void => {
        if (closed) return;
        if (event?.event === 'established') established = true;
        const how = event?.event === 'ended' ? howOf(event.ending, established) : undefined;
        told.set(call, infoOf(call, how));
        if (how !== undefined) {
          const stop = agent.ua.clock.after(ENDED_MS, () => {
            timers.delete(stop);
            told.delete(call);
          });
          timers.add(stop);
        }
        onChange();
      };
      if (call.state === 'ended') return;
      call.subscribe((event) => {
        if (event.event === 'progress' || event.event === 'established' || event.event === 'ended') tell(event);
      });
      tell();
    },
    close() {
      closed = true;
      for (const stop of timers) stop();
    },
  };
}

function infoOf(call: Call, how: string | undefined): DialogInfo {
  const { callId, localTag, dialog } = call as CallUnit;
  const state = how !== undefined ? 'terminated' : call.state === 'established' ? 'confirmed' : call.direction === 'in' ? 'early' : call.state === 'ringing' ? 'proceeding' : 'trying'; // RFC 4235 §3.7.1
  return {
    id: call.id, direction: call.direction === 'in' ? 'recipient' : 'initiator', state, callId, localTag, remoteTag: dialog?.remoteTag, remote: call.remote.uri, remoteName: call.remote.display, how,
  };
}

/** How it ended, in the words of RFC 4235 §3.7.1. */
function howOf({ by, status, why }: Extract<CallEvent, { event: 'ended' }>['ending'], established: boolean): string {
  if (why === 'replaced') return 'replaced';
  if (by === 'network') return status === 408 ? 'timeout' : 'error';
  if (established) return by === 'us' ? 'local-bye' : 'remote-bye';
  return status === 487 ? 'cancelled' : 'rejected';
}
