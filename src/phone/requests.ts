// Requests outside calls that the telephone takes: what the registered server says of voice messages, asked for or not (RFC 3842), and texts
// from whoever may call (RFC 3428). All else the agent refuses; nobody makes this phone answer, hold or restart from afar.

import type { Accounts } from './accounts.ts';
import { admit } from './admission.ts';
import type { Desk } from './desk.ts';
import type { AgentHandlers } from '../sip/agent-types.ts';
import { contentType, nameAddr, tagOf } from '../sip/headers.ts';
import { bodyOf, text } from '../sip/message.ts';
import { parseUri } from '../sip/uri.ts';

/** So many texts in a minute are taken; neither log nor page take a flood. */
const TEXTS = 20, TEXTS_MS = 60_000;
const TEXT_BYTES = 4_096;

export function createRequests(desk: Desk, accounts: Accounts): NonNullable<AgentHandlers['onRequest']> {
  const { clock } = desk.ports;
  let sinceMs = -TEXTS_MS;
  let taken = 0;

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
    const from = nameAddr(request, 'from')!, uri = parseUri(from.uri), user = uri?.user ?? '';
    const admission = admit(source, user, desk.settings(), desk.services.from);
    if (admission.let === 'prove') challenge();
    else if (admission.let === 'out') server.respond(admission.status);
    else if (contentType(request) !== 'text/plain') server.respond(415, { headers: [['Accept', 'text/plain']] });
    else if (request.bodyEnd - request.bodyStart > TEXT_BYTES) server.respond(413);
    else {
      if (clock.now() - sinceMs >= TEXTS_MS) {
        sinceMs = clock.now();
        taken = 0;
      }
      if (++taken > TEXTS) server.respond(480);
      else {
        server.respond(200);
        const { registeredServer } = source;
        desk.raise({ event: 'message', from: registeredServer !== undefined && user !== '' ? user : from.uri, name: from.display, account: registeredServer?.id ?? '', text: bodyOf(request).toString() });
      }
    }
    return true;
  };
}
