// The accounts of the settings as accounts of the agent, and what the telephone says about each.

import type { Desk } from './desk.ts';
import type { MessageStatus, RegistrationStatus } from './status.ts';
import { troubles, type StatusName } from './words.ts';
import type { AccountSettings } from '../config/types.ts';
import type { Account, Agent, RegistrationFailure, RegistrationState } from '../sip/agent-types.ts';
import { readMessageSummary } from '../sip/packages.ts';
import type { Subscription, Subscriptions } from '../sip/subscriptions.ts';

interface Kept {
  readonly account: Account;
  settings: AccountSettings;
  /** The last failure, kept through further tries until the server confirms. */
  why: RegistrationFailure | undefined;
  detail: string;
  /** Last told, so that a refresh is not an event. */
  told: string;
  messages: MessageStatus | undefined;
  subscription: Subscription | undefined;
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
  /** None until an account asks for voice messages. */
  readonly subscriptions: Subscriptions | undefined;
  /** The body of a NOTIFY about voice messages (RFC 3842); false when it cannot be read, or the account is none of ours. */
  onMessages(account: Account | undefined, body: string): boolean;
}

export function createAccounts(desk: Pick<Desk, 'settings' | 'raise' | 'failed' | 'show' | 'ports'>, agent: () => Agent): Accounts {
  const kept = new Map<string, Kept>();
  let subscriptions: Subscriptions | undefined;
  const troubleOf = (account: Account): StatusName | undefined => {
    const { state } = account.registration;
    const why = kept.get(account.id)?.why;
    return state === 'off' || state === 'registered' || why === undefined ? undefined : troubles[why].tone;
  };
  const subscribe = async (entry: Kept): Promise<void> => {
    const { account } = entry, { Subscriptions } = await desk.ports.beyond();
    if (kept.get(account.id) !== entry || (entry.subscription?.state ?? 'ended') !== 'ended') return; // dropped, or asked for, meanwhile
    subscriptions ??= new Subscriptions(agent());
    entry.subscription = subscriptions.subscribe({ account, target: '', event: 'message-summary', accept: 'application/simple-message-summary' }, (e) => {
      if (e.event === 'notified') {
        if (e.body.length > 0) onMessages(account, e.body.toString());
      } else if (e.why !== 'unsubscribed') desk.ports.log[e.event === 'ended' ? 'warn' : 'debug']({ account: account.id, status: e.status, why: e.why }, 'not told of voice messages');
    });
  };
  const onMessages = (account: Account | undefined, body: string): boolean => {
    const entry = account && kept.get(account.id), read = readMessageSummary(body);
    if (entry === undefined || read === undefined) return false;
    const { waiting, fresh, old } = read, before = entry.messages;
    if (before?.waiting !== waiting || before.fresh !== fresh || before.old !== old) {
      entry.messages = { waiting, fresh, old };
      desk.raise({ event: 'messages', account: entry.account.id, waiting, fresh, old });
      desk.show();
    }
    return true;
  };
  return {
    onMessages,
    get subscriptions() { return subscriptions; },
    sync() {
      const wanted = new Map(desk.settings().accounts.filter((a) => a.user !== '' && a.server !== '').map((a) => [accountId(a), a]));
      for (const [id, entry] of kept) {
        const { account, settings } = entry;
        if (JSON.stringify(wanted.get(id)) === JSON.stringify(settings)) continue;
        kept.delete(id);
        void entry.subscription?.end(); // settles by itself
        account.remove().then(undefined, (error: unknown) => desk.ports.log.warn({ account: id, why: String(error) }, 'account was not removed cleanly'));
      }
      for (const [id, settings] of wanted) {
        if (kept.has(id)) continue;
        const account = agent().addAccount({ ...settings, id });
        // The agent may have told us of it while it was being added.
        kept.set(id, { account, settings, why: undefined, detail: '', told: '', messages: undefined, subscription: undefined });
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
        if (entry.settings.password !== '' && entry.settings.passwordKept === 'hash') desk.ports.confirmed?.(account, entry);
        if (entry.settings.mwi === 'subscribe' && (entry.subscription?.state ?? 'ended') === 'ended') void subscribe(entry);
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
    status: () => [...kept.values()].map(({ account, why, detail, messages }): RegistrationStatus => {
      const state = account.registration;
      const now = desk.ports.clock.now();
      const failed = state.state !== 'registered' && state.state !== 'off' && why !== undefined;
      const until = state.state === 'registered' ? state.untilMs : state.state === 'failed' ? state.retryAtMs : now;
      const second = state.state === 'registered' && state.second === true;
      return {
        account: account.id, user: account.options.user, server: (second ? account.options.backupServer : undefined) ?? account.options.server, second, state: state.state, why: failed ? why : '',
        trouble: failed ? `${troubles[why].words}${detail === '' ? '' : ` (${detail})`}` : '', nextS: Math.max(0, Math.round((until - now) / 1_000)),
        ...(messages === undefined ? {} : { messages }),
      };
    }),
  };
}
