// From what a person dialled, or a program asked for, to where the call goes.

import { hostOf } from './addresses.ts';
import { groupOf } from './paging-group.ts';
import { settle } from './dialplan.ts';
import { recorderOf } from './record.ts';
import type { Desk, Planned } from './desk.ts';
import type { Destination, Outgoing } from './line-types.ts';
import type { Account } from '../sip/agent-types.ts';

/** Service codes of the telephone itself. */
export const CODES = ['*43', '*44', '*45', '*66', '*69', '*78', '*79', 'A'] as const;

/** The address a text means: a SIP URI, user@host, or a host with dots; undefined for a number. */
export function addressOf(text: string): string | undefined {
  if (/^sips?:/i.test(text)) return text;
  if (text.includes('@') || /^[\w-]+(\.[\w-]+)+(:\d+)?$/.test(text) || text.startsWith('[')) return `sip:${text}`;
  return undefined;
}

const portOf = (address: string): string => /:(\d+)(?:[;?>]|$)/.exec(address.replace(/^.*@/, ''))?.[1] ?? '5060';

/** Numbers as people write them: '+1 (212) 555-0100', 'tel:112'. */
const bare = (text: string): string => text.replace(/^tel:([^;]*).*$/i, '$1').replace(/[\s()/-]/g, '');

/** Calls `text`, a number after every rule or an address. */
export function destinations(desk: Desk, text: string, emergency: boolean, accountId?: string): readonly Destination[] | Extract<Planned, { refused: string }> {
  const accounts = desk.accounts();
  const address = addressOf(text);
  const chosen = accountId === undefined ? undefined : accounts.find((a) => a.id === accountId);
  if (accountId !== undefined && chosen === undefined) return { refused: `there is no account ${accountId}`, tone: 'no account' };
  if (address !== undefined) {
    const home = chosen ?? accounts.find((a) => hostOf(a.options.server) === hostOf(address) && portOf(a.options.server) === portOf(address));
    return [{ target: address, account: home }];
  }
  const number = bare(text);
  const registered = (a: Account) => a.registration.state === 'registered';
  const order = chosen === undefined ? [...accounts.filter(registered), ...accounts.filter((a) => !registered(a))] : [chosen];
  const first = order[0];
  if (first === undefined) return { refused: 'there is no account to call through', tone: 'no account' };
  if (emergency) { // the house's own exchange leads to nobody outside, though it may have that number
    const isHouse = (account: Account): boolean => desk.settings().exchange.enabled && account.id === 'exchange';
    return [...order.filter((a) => !isHouse(a)), ...order.filter(isHouse)].map((account) => ({ target: number, account }));
  }
  const tone = desk.troubleOf(first);
  if (tone !== undefined) return { refused: `the phone is not registered: ${tone}`, tone };
  return [{ target: number, account: first }];
}

/** What to call by itself where the other side is asked to answer without a person; every form that phones know. */
const INTERCOM_HEADERS = [
  ['Call-Info', '<sip:intercom>;answer-after=0'],
  ['Alert-Info', '<http://intercom>;info=alert-autoanswer;delay=0'],
  ['Answer-Mode', 'Auto'],
] as const;

export interface Wanted {
  readonly account?: string | undefined;
  readonly intercom?: boolean | undefined;
  readonly anonymous?: boolean | undefined;
  readonly headers?: readonly (readonly [string, string])[] | undefined;
}

/** 'page:239.1.1.1:5004' speaks to a multicast group. */
function pageOf(desk: Desk, text: string): Planned {
  const page = groupOf(text.slice(5));
  if (page === undefined) return { refused: `${text} is no multicast group with a port, such as page:239.1.1.1:5004`, tone: 'sit' };
  return { call: { to: [{ target: `sip:page@${page.host.includes(':') ? `[${page.host}]` : page.host}`, account: undefined }], user: 'page', display: desk.settings().phone.name, page }, label: text, redial: text };
}

function outgoing(desk: Desk, text: string, emergency: boolean, label: string, redial: string, wanted: Wanted): Planned {
  if (/^page:/i.test(text)) return pageOf(desk, text);
  const to = destinations(desk, text, emergency, wanted.account);
  if (!Array.isArray(to)) return to as Extract<Planned, { refused: string }>;
  const { name } = desk.settings().phone;
  const account = (to as readonly Destination[])[0]?.account;
  const priority = emergency ? desk.settings().dialing.emergencyPriority : '';
  const headers = [...(priority === '' ? [] : [['Resource-Priority', priority] as const]), ...(wanted.intercom === true ? INTERCOM_HEADERS : []), ...(wanted.headers ?? [])];
  const call: Outgoing = {
    to, emergency, anonymous: wanted.anonymous, user: account?.options.user ?? desk.accounts()[0]?.options.user ?? 'phone', display: name,
    ...(headers.length === 0 ? {} : { headers }),
  };
  return { call, label, redial: emergency ? '' : redial };
}

/** What `text`, all of it, comes to: dial plan, speed dial, service codes and emergency numbers for keys, as it is for an address. */
export function plan(desk: Desk, text: string, wanted: Wanted = {}): Planned {
  if (/^page:/i.test(text)) return pageOf(desk, text);
  if (addressOf(text) !== undefined) return outgoing(desk, text, false, text, text, wanted);
  const number0 = bare(text);
  if (!/^[0-9*#A-D+]+$/.test(number0)) return outgoing(desk, number0, false, number0, text, wanted); // a name at the server
  const found = settle(desk.dialling(), number0);
  if (found === undefined) return { refused: `${text} is no number of the dial plan`, tone: 'sit' };
  const { number, kind } = found;
  if (kind === 'code') return service(desk, number);
  const { emergency: all, abroad } = desk.dialling(), emergency = kind === 'emergency' || all.includes(number) || (kind === 'speed dial' && abroad.includes(number)); // nobody else is meant
  return outgoing(desk, number, emergency, number, text, wanted);
}

function service(desk: Desk, code: string): Planned {
  const { memory, services, ports } = desk;
  const none = (refused: string): Planned => ({ refused, tone: 'sit' });
  const own = (address: string | undefined): Planned => address === undefined ? none('this phone has no built-in line') : outgoing(desk, address, false, code, '', {});
  switch (code) {
    case '*43': return own(services.echo);
    case '*44': return own(services.state);
    case '*45': { // after a flash: the call that waits
      const line = [...desk.lines].find((each) => each.held && each.state === 'established' && !each.leaving);
      if (line === undefined) return none('there is no call to record: flash first');
      if (desk.settings().recording.mode === 'off') return none('recording is switched off: setting recording.mode');
      void recorderOf(desk).record(line, !line.recording);
      return { done: code };
    }
    case 'A':
    case '*66': return memory.redial === '' ? none('nothing was dialled before') : plan(desk, memory.redial);
    case '*69': return memory.lastCaller === '' ? none('nobody has called') : outgoing(desk, memory.lastCaller, false, memory.lastCaller, memory.lastCaller, {});
    default:
      ports.change('calls.doNotDisturb', code === '*78');
      return { done: code };
  }
}
