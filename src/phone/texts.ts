// Texts from whoever may call (RFC 3428). In the bundle loaded with the first of them (scripts/later.js).

import { admit } from './admission.ts';
import type { Desk } from './desk.ts';
import type { AgentHandlers } from '../sip/agent-types.ts';
import { contentType, nameAddr } from '../sip/headers.ts';
import { bodyOf } from '../sip/message.ts';
import { parseUri } from '../sip/uri.ts';

/** So many texts in a minute are taken; neither log nor page take a flood. */
const TEXTS = 20, TEXTS_MS = 60_000;
const TEXT_BYTES = 4_096;

/** How many came lately. */
export interface Flood { sinceMs: number; taken: number }

type Asked = Parameters<NonNullable<AgentHandlers['onRequest']>>;

export function takeText(desk: Desk, flood: Flood, request: Asked[0], server: Asked[1], source: Asked[2], challenge: Asked[3]): void {
  const from = nameAddr(request, 'from')!, uri = parseUri(from.uri), user = uri?.user ?? '';
  const admission = admit(source, user, desk.settings(), desk.services.from);
  if (admission.let === 'prove') challenge();
  else if (admission.let === 'out') server.respond(admission.status);
  else if (contentType(request) !== 'text/plain') server.respond(415, { headers: [['Accept', 'text/plain']] });
  else if (request.bodyEnd - request.bodyStart > TEXT_BYTES) server.respond(413);
  else {
    if (desk.ports.clock.now() - flood.sinceMs >= TEXTS_MS) {
      flood.sinceMs = desk.ports.clock.now();
      flood.taken = 0;
    }
    if (++flood.taken > TEXTS) server.respond(480);
    else {
      server.respond(200);
      const { registeredServer } = source;
      desk.raise({ event: 'message', from: registeredServer !== undefined && user !== '' ? user : from.uri, name: from.display, account: registeredServer?.id ?? '', text: bodyOf(request).toString() });
    }
  }
}
