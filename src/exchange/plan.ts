// Whom a number rings, in which order, and who takes the call when they do not: the settings' users, groups and forwards. Pure but for
// asking who is registered.

import type { Headers } from '../sip/build.ts';
import type { Destination } from '../sip/transport.ts';
import { formatUri, parseUri, sipUri } from '../sip/uri.ts';
import type { Ending, Plan, Target } from './fork.ts';
import { forwardedTo, historyOf, type History } from './history.ts';
import type { Binding } from './registrar.ts';
import type { ExchangeSettings, ExchangeUser } from './types.ts';

export interface Book {
  readonly settings: ExchangeSettings;
  phonesOf(user: string): readonly Binding[];
  wayTo(binding: Binding): Destination | undefined;
  /** The number of ours that an address names; undefined for any other address. */
  numberIn(address: string): string | undefined;
  /** What our numbers stand behind: name or address. */
  readonly domain: string;
  /** The request is for a sips: address: phones are called by theirs. */
  readonly sips: boolean;
}

/** Why a call goes on to somebody else (RFC 5806 §4). */
type Reason = 'unconditional' | 'user-busy' | 'no-answer' | 'unavailable' | 'deflection';

/** How the call came to where it is. */
interface Past {
  readonly diversions: Headers;
  /** undefined where the caller wants none told (RFC 7044 §10.1.1). */
  readonly history: History | undefined;
}

interface Found {
  /** Rung one after the other, each all at once. */
  readonly groups: readonly (readonly Target[])[];
  /** Whose forwards hold when nobody answers. */
  readonly owner: ExchangeUser | undefined;
  readonly past: Past;
  /** Answer when there is nobody. */
  readonly status: number;
}

const NEXT: Readonly<Record<Ending, readonly ['busyForward' | 'noAnswerForward', Reason] | undefined>> = {
  busy: ['busyForward', 'user-busy'], 'no answer': ['noAnswerForward', 'no-answer'], unavailable: ['noAnswerForward', 'unavailable'], refused: undefined,
};

/**
 * The plan for a request of `caller` to `number`; `history` is the History-Info it came with, undefined where none may be told. Each number is tried
 * once: forwards that lead in a circle end with 482.
 */
export function planFor(book: Book, number: string, caller: string, history: readonly string[] | undefined = undefined): Plan {
  const { settings } = book;
  const pasts = new Map<Target, Past>();
  const addressOf = (user: string): string => formatUri(sipUri(user, book.domain));
  const seen = new Set<string>();
  let queue: (readonly Target[])[] = [];
  let owner: ExchangeUser | undefined;
  let past: Past = { diversions: [], history: history && historyOf(history, addressOf(number)) };
  let status = 404;

  const userOf = (wanted: string): ExchangeUser | undefined => settings.users.find((u) => u.user === wanted);

  /** RFC 5806 §5.2: the newest on top. */
  const divertedBy = (user: string, to: string, reason: Reason, { diversions, history: before }: Past): Past =>
    ({ diversions: [['Diversion', `<${addressOf(user)}>;reason=${reason};counter=1`], ...diversions], history: before && forwardedTo(before, addressOf(to), reason) });

  const target = (binding: Binding, more: Past): Target => {
    const { diversions, history: told } = more, headers: Headers = diversions.length === 0 || told === undefined ? diversions : [...diversions, ['History-Info', told.entries.join(', ')]];
    const made = { user: binding.user, uri: requestUriOf(binding, book.sips), routes: binding.path, to: book.wayTo(binding), headers };
    pasts.set(made, more);
    return made;
  };

  /** Phones of a user: those of the same q together (RFC 3261 §16.6). */
  function byPreference(phones: readonly Binding[], more: Past): Target[][] {
    const groups = new Map<number, Target[]>();
    for (const phone of phones) groups.set(phone.q, [...groups.get(phone.q) ?? [], target(phone, more)]);
    return [...groups.values()];
  }

  function find(wanted: string, more: Past): Found {
    seen.add(wanted);
    const user = userOf(wanted);
    if (user !== undefined) {
      if (user.forward === '') return { groups: byPreference(book.phonesOf(wanted), more), owner: user, past: more, status: 480 };
      if (seen.has(user.forward)) return { groups: [], owner: undefined, past: more, status: 482 };
      return find(user.forward, divertedBy(wanted, user.forward, 'unconditional', more));
    }
    const group = settings.groups.find((g) => g.number === wanted);
    if (group === undefined) return { groups: [], owner: undefined, past: more, status: 404 };
    const each = group.members.filter((m) => m !== caller).map((m) => book.phonesOf(m).map((phone) => target(phone, more)));
    return { groups: group.ring === 'all' ? [each.flat()] : each.filter((targets) => targets.length > 0), owner: undefined, past: more, status: 480 };
  }

  function take(found: Found): void {
    queue = found.groups.filter((group) => group.length > 0);
    ({ owner, past, status } = found);
  }

  return {
    next(given) {
      if (given === undefined) take(find(number, past));
      else if (queue.length === 0 && owner !== undefined) {
        const [setting, reason] = NEXT[given] ?? [];
        const by = owner;
        owner = undefined;
        const to = setting === undefined ? '' : by[setting];
        if (reason !== undefined && to !== '' && !seen.has(to)) take(find(to, divertedBy(by.user, to, reason, past)));
      }
      return queue.shift() ?? [];
    },
    get goesOn() {
      return queue.length > 0 || (owner !== undefined && owner.noAnswerForward !== '' && !seen.has(owner.noAnswerForward));
    },
    redirected(by, contacts) {
      const numbers = contacts.map((contact) => book.numberIn(contact)).filter((one) => one !== undefined && !seen.has(one)) as string[];
      const targets = numbers.flatMap((one) => find(one, divertedBy(by.user, one, 'deflection', pasts.get(by) ?? past)).groups.flat());
      return targets.length === 0 ? undefined : targets;
    },
    get status() {
      return status;
    },
    get headers(): Headers {
      return book.sips && status === 480 ? [['Warning', '380 offhook "SIPS Not Allowed"']] : []; // RFC 5630 §5.3
    },
  };
}

/** The Contact without what a Request-URI may not bear (RFC 3261 §19.1.5), with the scheme of the request (RFC 5630 §5.3). */
function requestUriOf({ address, uri }: Pick<Binding, 'address' | 'uri'>, sips: boolean): string {
  const scheme = sips ? 'sips' : 'sip';
  if (uri.scheme === scheme && uri.headers.size === 0 && !uri.params.has('method')) return address;
  const params = new Map(uri.params);
  params.delete('method');
  const transport = params.get('transport')?.toLowerCase();
  if (sips && transport === 'tls') params.delete('transport'); // sips: says it, RFC 3261 §26.2.2
  else if (!sips && uri.scheme === 'sips' && transport !== 'ws') params.set('transport', 'tls');
  return formatUri({ ...uri, scheme, params, headers: new Map() });
}

/** The number in the user part of a URI; of tel: without what is there for the eye (RFC 3966 §3). */
export function numberOf(address: string): string {
  const uri = parseUri(address);
  return uri === undefined ? '' : uri.scheme === 'tel' ? uri.user.replace(/[-.()]/g, '') : uri.user;
}

/** What in the settings cannot work, a sentence each. */
export function faultsOf({ users, groups }: ExchangeSettings): string[] {
  const known = new Set([...users.map((u) => u.user), ...groups.map((g) => g.number)]);
  return [
    ...users.filter((u) => u.password === '').map((u) => `user ${u.user} has no password and cannot register`),
    ...users.flatMap((u) => [u.forward, u.busyForward, u.noAnswerForward].filter((to) => to !== '' && !known.has(to)).map((to) => `user ${u.user} is forwarded to ${to}, which is no number here`)),
    ...groups.flatMap((g) => g.members.filter((m) => !users.some((u) => u.user === m)).map((m) => `group ${g.number} has the member ${m}, who is no user`)),
  ];
}
