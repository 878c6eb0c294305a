// REFER outside a call, sent to us (RFC 3515 §2.4): taken with 202, then told by NOTIFY how it goes. Whether to obey is the owner's to decide.

import type { Agent, Source } from './agent-types.ts';
import { dialogOfRequest } from './dialog.ts';
import { contentType, nameAddr, nameAddrs, tagOf } from './headers.ts';
import { text, type Message } from './message.ts';
import { contactFor, request as send } from './outside.ts';
import type { ServerTransaction } from './transaction.ts';
import { hostPort, parseUri } from './uri.ts';

export interface Referral {
  /** What we are asked to call, as written in Refer-To. */
  readonly target: string;
  /** Who asks: Referred-By, else From. */
  readonly by: string;
  readonly source: Source;
  /** 202 and the first NOTIFY. The function tells how it goes on: 1xx, and once a final status, which ends it. */
  accept(): Promise<(status: number, reason: string) => void>;
  refuse(status: number): void;
}

/** How long the one who asked may have to wait for the end. */
const EXPIRES_S = 300;

/** Undefined when `request` is no REFER outside a call, or is answered by what is wrong with it. */
export function readRefer(agent: Agent, request: Message, server: ServerTransaction, source: Source): Referral | undefined {
  if (request.method !== 'REFER' || tagOf(request, 'to') !== undefined) return undefined;
  const named = nameAddrs(request, 'refer-to'), target = named?.length === 1 ? named[0]!.uri : undefined, uri = parseUri(target ?? '');
  const dialog = dialogOfRequest(request, server.toTag);
  if (target === undefined || uri === undefined || dialog === undefined) return void server.respond(400, { reason: uri === undefined ? 'Bad refer-to Header' : 'Bad contact Header' });
  if ((uri.params.get('method') ?? 'INVITE').toUpperCase() !== 'INVITE') return void server.respond(501);
  const silent = /^\s*false/i.test(text(request, 'refer-sub') ?? '');
  const { registeredServer: account } = source;
  let over = silent;
  const tell = (status: number, reason: string): void => {
    if (over) return;
    over = status >= 200;
    send(agent, {
      method: 'NOTIFY', target: '', dialog, ...(account === undefined ? {} : { account }), body: Buffer.from(`SIP/2.0 ${status} ${reason.replace(/[\r\n\0]/g, ' ')}\r\n`),
      headers: [['Event', 'refer'], ['Subscription-State', over ? 'terminated;reason=noresource' : `active;expires=${EXPIRES_S}`], ['Content-Type', 'message/sipfrag;version=2.0']],
    }).then(({ status: said }) => { if (said >= 300) over = true; }, () => { over = true; }); // nobody listens any more
  };
  return {
    target, by: nameAddr(request, 'referred-by')?.uri ?? nameAddr(request, 'from')!.uri, source,
    refuse: (status) => server.respond(status),
    async accept() {
      const { from } = server, host = await agent.localHostFor(`sip:${hostPort(from.host, from.port)}`);
      server.respond(202, { headers: [['Contact', contactFor(agent, account, server, host)], ...(silent ? [['Refer-Sub', 'false']] as const : [])] }); // RFC 4488 §4
      tell(100, 'Trying'); // §2.4.4
      return tell;
    },
  };
}

/** What a NOTIFY of a REFER says: 'SIP/2.0 200 OK' (RFC 3420); undefined for another body. */
export function readSipfrag(type: string, body: Buffer): { readonly status: number; readonly reason: string } | undefined {
  const line = type === 'message/sipfrag' ? /^SIP\/2\.0\s+([1-6]\d\d)\s*([^\r\n]*)/.exec(body.toString()) : null;
  return line === null ? undefined : { status: Number(line[1]), reason: line[2]! };
}

/** A text of MESSAGE (RFC 3428): undefined when it is of another type than text/plain. */
export function readText(request: Message): string | undefined {
  return contentType(request) === 'text/plain' ? request.bytes.toString('utf8', request.bodyStart, request.bodyEnd) : undefined;
}
