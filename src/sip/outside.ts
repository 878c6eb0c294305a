// Requests of ours outside calls: MESSAGE (RFC 3428), PUBLISH, REFER and whatever else; and who asks and where to, which subscriptions and
// publications share. Built on the agent and no part of its core: who only calls does not load it.

import { PhoneError } from '../ports/errors.ts';
import type { Account, Agent } from './agent-types.ts';
import { pathOf, wantsSips, type Dialog } from './dialog.ts';
import { reasonOf, type Message } from './message.ts';
import { checkHeaders } from './requester.ts';
import type { ServerTransaction } from './transaction.ts';
import type { Ask } from './ua.ts';
import { asRequestUri, formatUri, parseUri } from './uri.ts';

/** A request of ours that belongs to no call. */
export interface RequestOptions {
  readonly method: string;
  /** Account to send through; undefined: straight to the address. */
  readonly account?: Account;
  /** As for a call; '' is the account's own address of record. */
  readonly target: string;
  /** Further header lines; Contact comes by itself where the method has one. CR and LF are refused. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: Uint8Array;
  /** As the account's user, but to the target itself and not by the account's server. */
  readonly straight?: boolean;
  /** Send it inside this dialog (dialog.ts), whose CSeq it takes; `target` is not looked at. */
  readonly dialog?: Dialog;
}

export interface Reply {
  /** 408 when nobody answered, 503 when it could not be sent. */
  readonly status: number;
  readonly reason: string;
  /** The final response; undefined when there was none. */
  readonly response: Message | undefined;
}

/** Request-URI of what a person names; '' is the account's own address. Throws PhoneError BAD_ADDRESS. */
export function addressOf(agent: Agent, target: string, account: Account | undefined): string {
  const unit = agent.ua.unit(account), uri = parseUri((target === '' ? unit?.address : agent.ua.target(target, unit)) ?? '');
  if (uri === undefined) throw new PhoneError('BAD_ADDRESS', `"${target}" is no address`);
  return formatUri(asRequestUri(uri));
}

/** Who asks and where to, of a request outside any dialog. */
export function outbound({ ua }: Agent, account: Account | undefined, address: string, straight = false): Pick<Ask, 'path' | 'place' | 'first' | 'from' | 'to' | 'credentials'> & { readonly tag: string } {
  const unit = ua.unit(account), tag = ua.token(), by = straight ? undefined : unit;
  return {
    path: { uri: address, routes: by?.routes ?? [], hop: address }, place: by?.place, first: by?.hop, to: `<${address}>`, credentials: straight ? unit?.credentials?.apart() : unit?.credentials, tag,
    from: (host) => `${unit?.from ?? ua.contact('phone', host, { transport: 'udp' })};tag=${tag}`,
  };
}

/** The same inside `dialog`, whose CSeq it takes. */
export function within({ ua }: Agent, dialog: Dialog, account: Account | undefined): Pick<Ask, 'path' | 'from' | 'to' | 'callId' | 'seq' | 'credentials'> {
  return { path: pathOf(dialog), from: () => dialog.from, to: dialog.to, callId: dialog.callId, seq: () => ++dialog.localSeq, credentials: ua.unit(account)?.credentials };
}

/**
 * Contact of our answer that makes a dialog, as in our calls: through the server of `account` what that has given us or knows us by (RFC 5627 §4.4,
 * RFC 5626 §4.3), else the address of ours, `host`, that leads to who asks.
 */
export const contactFor = ({ ua }: Agent, account: Account | undefined, { request: asked, from }: Pick<ServerTransaction, 'request' | 'from'>, host: string | undefined): string =>
  ua.contact(ua.unit(account)?.contact ?? 'phone', host ?? from.local.host, from, wantsSips(asked));

/** Send a request and resolve with what came of it; rejects with PhoneError BAD_ADDRESS or BAD_HEADER. */
export async function request(agent: Agent, { method, target, account, straight, headers = [], body, dialog }: RequestOptions): Promise<Reply> {
  const { ua } = agent;
  checkHeaders(headers, method);
  let seq = 0;
  const where = dialog === undefined ? { ...outbound(agent, account, addressOf(agent, target, account), straight), callId: ua.token(), seq: () => ++seq } : within(agent, dialog, account);
  const contact = method === 'MESSAGE' || method === 'PUBLISH' ? undefined : ua.unit(account)?.contact ?? 'phone'; // RFC 3428 §4 forbids it
  return new Promise((resolve) => ua.request({
    ...where, method, contact, headers, body,
    on(result) {
      const { response } = result;
      if (response === undefined) resolve({ status: result.failure === 'server silent' ? 408 : 503, reason: result.detail, response });
      else if (response.status >= 200) resolve({ status: response.status, reason: reasonOf(response), response });
    },
  }));
}
