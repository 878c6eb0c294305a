// An agent whose calls others may watch (event package 'dialog', RFC 4235): busy lamps of a house. Loaded only where the setting lets somebody.

import type { Settings } from '../config/types.ts';
import { admit } from '../phone/admission.ts';
import type { Agent, AgentHandlers } from '../sip/agent-types.ts';
import { nameAddr } from '../sip/headers.ts';
import { dialogPackage, Notifier } from '../sip/notifier.ts';
import { hostPort, parseUri } from '../sip/uri.ts';

/**
 * `make` makes the agent for the handlers it is given. Who may call may watch, by the same rules; but not a stranger who may only ring because
 * everybody may: who knows a dialog's name can take it over by Replaces (RFC 3891 §5), and so would hear the room.
 */
export function watchedAgent(make: (handlers: AgentHandlers) => Agent, handlers: AgentHandlers, settings: () => Settings): Agent {
  const agent = make({
    ...handlers,
    onIncoming(call, source, challenge) {
      handlers.onIncoming(call, source, challenge);
      calls.watch(call);
    },
    onRequest: (request, server, source, challenge) => notifier.take(request, server, source, challenge) || handlers.onRequest?.(request, server, source, challenge) === true,
  });
  const entity = (): string => {
    const [account] = agent.accounts, { host, port } = agent.local;
    return account === undefined ? `sip:${hostPort(host === '' ? 'localhost' : host, port)}` : `sip:${account.options.user}@${account.options.server}`;
  };
  const calls = dialogPackage(agent, entity, () => notifier.changed());
  const notifier = new Notifier(agent, calls, (request, source) => {
    const admission = admit(source, parseUri(nameAddr(request, 'from')?.uri ?? '')?.user ?? '', settings());
    return admission.let === 'in' && !admission.trusted ? 'out' : admission.let;
  });
  const { call, close } = agent;
  return Object.assign(agent, {
    call: (options: Parameters<Agent['call']>[0]) => {
      const made = call(options);
      calls.watch(made);
      return made;
    },
    close: () => {
      notifier.close();
      return close();
    },
  });
}
