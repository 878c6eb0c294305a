// One request on its way to where it may be answered: the response context of RFC 3261 §16.2. Rings places side by side, group after
// group, follows forwards, takes the best answer home. Where to ring is asked of a plan; who may call was decided before.
//
//   caller --INVITE--> [ server transaction | branch --INVITE--> phone a      180, 486
//                                           | branch --INVITE--> phone b      180, 200 --> to the caller, CANCEL to the others
//                                           ' ... then the next group, then who takes calls for a busy one

import type { Clock } from '../ports/clock.ts';
import type { Headers } from '../sip/build.ts';
import { countOf, nameAddrs } from '../sip/headers.ts';
import { lineText, find, texts } from '../sip/message.ts';
import type { Message } from '../sip/message.ts';
import type { ClientTransaction, ClientUser, ServerTransaction } from '../sip/transactions.ts';
import { returned } from './edit.ts';
import type { Destination } from '../sip/transport.ts';

/** One place to ring. */
export interface Target {
  /** Number that is rung there, for the log. */
  readonly user: string;
  /** Request-URI for it. */
  readonly uri: string;
  readonly routes: readonly string[];
  /** undefined: no way there, as if it had answered 430 (RFC 5626 §5.3.1). */
  readonly to: Destination | undefined;
  /** Lines about how the call came here. */
  readonly headers: Headers;
}

/** What became of a group of targets. */
export type Ending = 'busy' | 'no answer' | 'unavailable' | 'refused';

export interface Plan {
  /** Who is rung now; empty: nobody. `given` is what became of the ones before, undefined at the start. */
  next(given: Ending | undefined): readonly Target[];
  /** Whether somebody else is rung when these do not answer. */
  readonly goesOn: boolean;
  /** Where a phone sends the caller with a 3xx: its contacts as far as they are numbers of ours, undefined for none. */
  redirected(by: Target, contacts: readonly string[]): readonly Target[] | undefined;
  /** Answer when nobody was rung at all, and what it says besides. */
  readonly status: number;
  readonly headers?: Headers;
}

export interface ForkPorts {
  readonly clock: Clock;
  /** Send the request to `target`; `breadth` is the Max-Breadth that is left for it. */
  send(target: Target & { readonly to: Destination }, breadth: number, user: ClientUser): ClientTransaction;
  /** Final response given, undefined for none (RFC 4320). */
  onEnd(status: number | undefined, by: string): void;
  /** Nothing of it is left on the way. */
  onGone(): void;
}

interface Branch {
  readonly target: Target;
  readonly inGroup: number;
  client: ClientTransaction | undefined;
  /** A provisional response came. */
  heard: boolean;
  /** Final status, 0 while none came. Without `response` it is our own verdict. */
  status: number;
  response: Message | undefined;
  stopC: (() => void) | undefined;
}

/** Timer C: more than three minutes (RFC 3261 §16.6 step 11). */
const TIMER_C_MS = 185_000;
/** RFC 5393 §5.3.3. */
const MAX_BREADTH = 60;
/** Sent with CANCEL to those that another one was faster than: no missed call there (RFC 3326). */
const ELSEWHERE: Headers = [['Reason', 'SIP;cause=200;text="Call completed elsewhere"']];
/** Identities that a phone claims for itself (RFC 3325 §5). */
export const CLAIMED = ['p-asserted-identity', 'p-preferred-identity'];

export class Fork {
  readonly #ports: ForkPorts;
  readonly #server: ServerTransaction;
  readonly #plan: Plan;
  readonly #invite: boolean;
  readonly #ringMs: number;
  readonly #breadth: number;
  readonly #branches: Branch[] = [];
  #group = 0;
  #stopRinging: (() => void) | undefined;
  /** CANCEL came, or somebody answered for all (2xx, 6xx): nobody new is rung. */
  #settled = false;
  #done = false;

  constructor(ports: ForkPorts, server: ServerTransaction, plan: Plan, ringMs: number) {
    this.#ports = ports;
    this.#server = server;
    this.#plan = plan;
    this.#invite = server.request.method === 'INVITE';
    this.#ringMs = ringMs;
    this.#breadth = Math.min(countOf(server.request, 'max-breadth') ?? MAX_BREADTH, MAX_BREADTH);
    server.onCancel = (cancel) => this.#cancelled(cancel);
  }

  /** Stop at once: nothing is sent or told any more. */
  close(): void {
    this.#done = true;
    this.#stopRinging?.();
    for (const branch of this.#branches) branch.stopC?.();
  }

  start(): void {
    this.#ring(this.#plan.next(undefined));
  }

  #ring(targets: readonly Target[]): void {
    this.#group++;
    this.#add(targets);
    const pending = this.#pending();
    if (pending.length === 0) return this.#over();
    if (this.#invite && this.#plan.goesOn) this.#stopRinging = this.#ports.clock.after(this.#ringMs, () => this.#unanswered());
  }

  #add(targets: readonly Target[]): void {
    const all = targets.length + this.#pending().length;
    const breadth = Math.floor(this.#breadth / Math.max(1, all));
    for (const target of targets) {
      const branch: Branch = { target, inGroup: this.#group, client: undefined, heard: false, status: 0, response: undefined, stopC: undefined };
      this.#branches.push(branch);
      const { to } = target;
      if (to === undefined) branch.status = 430;
      else if (breadth === 0) branch.status = 440; // RFC 5393 §5.3.3
      else {
        branch.client = this.#ports.send({ ...target, to }, breadth, {
          onProvisional: (response) => this.#onProvisional(branch, response),
          onFinal: (response) => this.#onFinal(branch, response),
          onTimeout: () => this.#onEnd(branch, 408), // §16.8
          onTransportError: () => this.#onEnd(branch, 503), // §16.9
        });
        if (this.#invite) this.#startC(branch);
      }
    }
  }

  #pending(): Branch[] {
    return this.#branches.filter((b) => b.status === 0);
  }

  #startC(branch: Branch): void {
    branch.stopC?.();
    branch.stopC = this.#ports.clock.after(TIMER_C_MS, () => {
      branch.stopC = undefined;
      if (branch.heard) branch.client?.cancel(); // §16.8: its 487, or silence for 64·T1, ends it
      else this.#giveUp(branch, 408);
    });
  }

  #onProvisional(branch: Branch, response: Message): void {
    branch.heard = true;
    if (branch.status !== 0 || response.status === 100) return; // 100 is for the hop alone, §16.7 step 5
    if (branch.stopC !== undefined) this.#startC(branch); // §16.7 step 2
    if (!this.#done) this.#server.forward(response.status, returned(response, CLAIMED));
  }

  #onFinal(branch: Branch, response: Message): void {
    const { status } = response;
    if (status < 300) {
      branch.stopC?.();
      branch.stopC = undefined;
      branch.status = status;
      // Every 2xx of an INVITE, whatever was sent before; of another request only the first (§16.7 step 5)
      if (this.#invite || !this.#done) this.#server.forward(status, returned(response, CLAIMED));
      this.#settle(ELSEWHERE);
      this.#end(status, branch.target.user);
      if (this.#pending().length === 0) this.#ports.onGone();
      return;
    }
    if (branch.status !== 0) return;
    branch.response = response;
    if (status < 400 && !this.#settled) {
      const contacts = nameAddrs(response, 'contact')?.map((c) => c.uri) ?? [];
      const targets = this.#plan.redirected(branch.target, contacts);
      if (targets !== undefined) { // recursion: the 3xx is used up, §16.7 step 4
        this.#branches.splice(this.#branches.indexOf(branch), 1);
        branch.stopC?.();
        this.#add(targets);
        if (this.#pending().length === 0) this.#over();
        return;
      }
    }
    if (status >= 600) this.#settle(); // §16.7 step 5
    this.#onEnd(branch, status);
  }

  /** A branch has its final status. */
  #onEnd(branch: Branch, status: number): void {
    if (branch.status !== 0) return;
    branch.status = status;
    branch.stopC?.();
    branch.stopC = undefined;
    if (this.#pending().length === 0) this.#over();
  }

  #giveUp(branch: Branch, status: number): void {
    branch.client?.abandon();
    this.#onEnd(branch, status);
  }

  /** Nobody of this group is asked any more: the next one, or home with the best answer. */
  #over(ending?: Ending): void {
    this.#stopRinging?.();
    this.#stopRinging = undefined;
    if (this.#done) return this.#ports.onGone();
    if (!this.#settled) {
      const targets = this.#plan.next(ending ?? this.#ending());
      if (targets.length > 0) return this.#ring(targets);
    }
    this.#answer();
  }

  /** The group did not answer in its time: somebody else is rung. */
  #unanswered(): void {
    this.#stopRinging = undefined;
    for (const branch of this.#pending()) {
      const { client } = branch;
      branch.status = 408;
      branch.stopC?.();
      branch.stopC = undefined;
      if (branch.heard) client?.cancel(); // its 2xx, were it on the way, is still taken
      else client?.abandon();
    }
    this.#over('no answer');
  }

  #ending(): Ending {
    const group = this.#branches.filter((b) => b.inGroup === this.#group);
    const has = (...all: readonly number[]): boolean => group.some((b) => all.includes(b.status));
    return has(486) ? 'busy' : has(480, 487) || group.some((b) => b.status === 408 && b.heard) ? 'no answer' : group.every((b) => [408, 430, 503].includes(b.status)) ? 'unavailable' : 'refused';
  }

  #settle(headers: Headers = []): void {
    this.#settled = true;
    this.#stopRinging?.();
    this.#stopRinging = undefined;
    for (const branch of this.#pending()) if (this.#invite) branch.client?.cancel(headers);
  }

  /** The caller gave up (RFC 3261 §16.10): each phone is told, with the reason that came; their 487 goes home. */
  #cancelled(cancel: Message): void {
    this.#settle(texts(cancel, 'reason').map((value) => ['Reason', value]));
    if (this.#pending().length === 0) this.#answer();
  }

  /** The best of what came (RFC 3261 §16.7 steps 6 to 8). */
  #answer(): void {
    if (this.#done) return;
    // No 408 to anything but INVITE: it would come when nobody waits for it (RFC 4320 §4.2)
    const all = this.#branches.filter((b) => b.status >= 300 && (this.#invite || b.response !== undefined || b.status !== 408));
    const best = all.reduce<Branch | undefined>((a, b) => (a === undefined || rank(b.status) < rank(a.status) ? b : a), undefined);
    if (best === undefined) {
      if (this.#branches.length > 0) this.#server.abandon();
      else this.#server.respond(this.#settled ? 487 : this.#plan.status, { headers: this.#settled ? [] : this.#plan.headers ?? [] });
      this.#end(this.#branches.length > 0 ? undefined : this.#plan.status, '');
      return this.#ports.onGone();
    }
    const { status, response, target } = best;
    if (response === undefined || status === 503) this.#server.respond(status === 503 ? 500 : status); // 503 would keep the caller away from all of us
    else this.#server.forward(status, returned(response, CLAIMED, status === 401 || status === 407 ? this.#challenges(best) : []));
    this.#end(status, target.user);
    this.#ports.onGone();
  }

  /** Challenges of the other branches: the caller answers all of them at once (§16.7 step 7). */
  #challenges(best: Branch): Headers {
    const all: (readonly [string, string])[] = [];
    for (const { response } of this.#branches) {
      if (response === undefined || response === best.response || (response.status !== 401 && response.status !== 407)) continue;
      for (const name of ['WWW-Authenticate', 'Proxy-Authenticate']) {
        for (let i = find(response, name.toLowerCase()); i >= 0; i = find(response, name.toLowerCase(), i + 4)) all.push([name, lineText(response, i)]);
      }
    }
    return all;
  }

  #end(status: number | undefined, by: string): void {
    if (this.#done) return;
    this.#done = true;
    this.#ports.onEnd(status, by);
  }
}

/** 6xx first, then the lowest class; within 4xx those that the caller can do something about (§16.7 step 6). */
function rank(status: number): number {
  if (status >= 600) return 0;
  const mendable = [401, 407, 415, 420, 484];
  return 10 * Math.floor(status / 100) + (mendable.includes(status) ? 0 : status === 486 ? 1 : status === 430 || status === 408 ? 3 : 2);
}
