// The accounts of the settings as accounts of the agent, and what the telephone says about each.

import type { Desk } from './desk.ts';
import type { RegistrationStatus } from './status.ts';
import { troubles, type StatusName } from './words.ts';
import type { AccountSettings } from '../config/types.ts';
import type { Account, Agent, RegistrationFailure, RegistrationState } from '../sip/agent-types.ts';

interface Kept {
  readonly account: Account;
  readonly settings: AccountSettings;
  /** The last failure, kept through further tries until the server confirms. */
  why: RegistrationFailure | undefined;
  detail: string;
  /** Last told, so that a refresh is not an event. */
  told: string;
}

export const accountId = ({ id, user, server }: AccountSettings): string => id !== '' ? id : `${user}@${server}`;

export interface Accounts {
  /** Add, change and drop accounts so that they are those of the settings. */
  sync(): void;
  onRegistration(account: Account, state: RegistrationState): void;
  list(): readonly Account[];
  settingsOf(account: Account | undefined): AccountSettings | undefined;
  troubleOf(account: Account): StatusName | undefined;
  /** The trouble of the telephone as a whole: none while one account is registered. */
  trouble(): StatusName | undefined;
  status(): readonly RegistrationStatus[];
}

export function createAccounts(desk: Pick<Desk, 'settings' | 'raise' | 'failed' | 'show' | 'ports'>, agent: () => Agent): Accounts {
  const kept = new Map<string, Kept>();
  const troubleOf = (account: Account): StatusName | undefined => {
    const { state } = account.registration;
    const why = kept.get(account.id)?.why;
    return state === 'off' || state === 'registered' || why === undefined ? undefined : troubles[why].tone;
  };
  return {
    sync() {
      const wanted = new Map(desk.settings().accounts.filter((a) => a.user !== '' && a.server !== '').map((a) => [accountId(a), a]));
      for (const [id, { account, settings }] of kept) {
        if (JSON.stringify(wanted.get(id)) === JSON.stringify(settings)) continue;
        kept.delete(id);
        account.remove().then(undefined, (error: unknown) => desk.ports.log.warn({ account: id, why: String(error) }, 'account was not removed cleanly'));
      }
      for (const [id, settings] of wanted) {
        if (kept.has(id)) continue;
        const account = agent().addAccount({ ...settings, id });
        // The agent may have told us of it while it was being added.
        kept.set(id, { account, settings, why: undefined, detail: '', told: '' });
        this.onRegistration(account, account.registration);
      }
    },
    onRegistration(account, state) {
      const entry = kept.get(account.id);
      if (entry === undefined || entry.account !== account) return;
      if (state.state === 'registered') {
        entry.why = undefined;
        const to = `to ${state.server} ${state.second}`;
        if (entry.told !== to) desk.raise({ event: 'registered', account: account.id, server: state.server, second: state.second === true });
        entry.told = to;
      } else if (state.state === 'failed') {
        entry.why = state.why;
        entry.detail = state.detail;
        if (entry.told !== state.why) {
          const retryS = Math.max(0, Math.round((state.retryAtMs - desk.ports.clock.now()) / 1_000));
          desk.raise({ event: 'registration failed', account: account.id, why: state.why, detail: state.detail, retryS });
          desk.failed(`${account.options.user} is not registered at ${account.options.server}. ${troubles[state.why].words}`);
        }
        entry.told = state.why;
      } else if (state.state === 'off' && entry.told !== '') {
        entry.told = '';
        desk.raise({ event: 'unregistered', account: account.id });
      }
      desk.show();
    },
    list: () => [...kept.values()].map((k) => k.account),
    settingsOf: (account) => account === undefined ? undefined : kept.get(account.id)?.settings,
    troubleOf,
    trouble() {
      let first: StatusName | undefined;
      for (const { account } of kept.values()) {
        const tone = troubleOf(account);
        if (tone === undefined && account.registration.state !== 'trying') return undefined;
        first ??= tone;
      }
      return first;
    },
    status: () => [...kept.values()].map(({ account, why, detail }): RegistrationStatus => {
      const state = account.registration;
      const now = desk.ports.clock.now();
      const failed = state.state !== 'registered' && state.state !== 'off' && why !== undefined;
      const until = state.state === 'registered' ? state.untilMs : state.state === 'failed' ? state.retryAtMs : now;
      const second = state.state === 'registered' && state.second === true;
      return {
        account: account.id, user: account.options.user, server: (second ? account.options.backupServer : undefined) ?? account.options.server, second, state: state.state, why: failed ? why : '',
        trouble: failed ? `${troubles[why].words}${detail === '' ? '' : ` (${detail})`}` : '', nextS: Math.max(0, Math.round((until - now) / 1_000)),
      };
    }),
  };
}
