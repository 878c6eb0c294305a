// Requests outside calls that the telephone takes: what the registered server says of voice messages, asked for or not (RFC 3842), and texts
// from whoever may call (RFC 3428). All else the agent refuses; nobody makes this phone answer, hold or restart from afar.

import type { Accounts } from './accounts.ts';
import type { Desk } from './desk.ts';
import type { AgentHandlers } from '../sip/agent-types.ts';
import { tagOf } from '../sip/headers.ts';
import { bodyOf, text } from '../sip/message.ts';
import { takeText, type Flood } from './texts.ts';

export function createRequests(desk: Desk, accounts: Accounts): NonNullable<AgentHandlers['onRequest']> {
  const flood: Flood = { sinceMs: -Infinity, taken: 0 };

  return (request, server, source, challenge) => {
    const { method } = request;
    if (accounts.subscriptions?.take(request, server) === true) return true;
    if (tagOf(request, 'to') !== undefined) return false;
    if (method === 'NOTIFY') {
      // Departs from RFC 6665 §4.1.3: what nobody asked for is taken from the registered server, because Asterisk and others tell so
      if (!/^message-summary\s*(;|$)/i.test(text(request, 'event') ?? '') || source.registeredServer === undefined) return false;
      server.respond(accounts.onMessages(source.registeredServer, bodyOf(request).toString()) ? 200 : 400);
      return true;
    }
    if (method !== 'MESSAGE') return false;
    takeText(desk, flood, request, server, source, challenge);
    return true;
  };
}
