// Puts the hash of a password in its place once the server has confirmed it: what lies on the memory card is then good for that server
// alone. Loaded only when there is a password to do it for. Left as it is: what was given from outside or written by hand, an account with
// a second server, whose realm may be another.

import { same } from '../config/layers.ts';
import type { Store } from '../config/store.ts';
import type { AccountSettings } from '../config/types.ts';
import type { Log } from '../ports/log.ts';
import type { DigestClient } from '../sip/digest.ts';
import { hashesFor } from '../sip/ha1.ts';

/** `kept` is the account as the telephone holds it: it is to take the change for the same account. Resolves when all is on the disk. */
export async function keepHash(store: Store, log: Log, credentials: DigestClient, kept: { settings: AccountSettings }): Promise<void> {
  const before = kept.settings, { user, authUser, password, ha1, backupServer, server } = before;
  const hashes = hashesFor(credentials, authUser || user, password);
  if (hashes === '' || backupServer !== '' || store.handwritten || [...store.fixed.keys()].some((key) => key.startsWith('accounts'))) return;
  // The owner gave it again though its hash for this server was there: another realm, of a proxy that only calls meet, must have asked for it
  if (hashes.split(' ').every((hash) => ` ${ha1} `.includes(` ${hash} `))) {
    log.info({ account: `${user}@${server}` }, 'password stays as given: its hash did not do');
    return;
  }
  const after = { ...before, password: '', ha1: hashes };
  let found = false;
  try {
    const outcome = await store.change(({ accounts }) => ({
      accounts: accounts.map((one) => {
        if (!same(one, before)) return one;
        found = true;
        kept.settings = after;
        return after;
      }),
    }));
    if (outcome.ok && found) return log.info({ account: `${user}@${server}` }, 'password kept as its hash');
    for (const { key, reason } of outcome.ok ? [] : outcome.problems) log.debug({ setting: key, reason }, 'password not kept as its hash');
  } catch (error) {
    log.debug({ why: error instanceof Error ? error.message : String(error) }, 'password not kept as its hash'); // a card that went read-only
  }
  kept.settings = before;
}
