// What the settings say to the system's network: certificates, marks, and per server how far it is believed.

import type { Settings } from '../config/types.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { NetworkOptions } from '../system/network.ts';

/** Not before the first registration, which the start is measured by. */
const MARK_AFTER_MS = 1_000;

export function networkOptions(settings: () => Settings, clock: Clock, log: Log): NetworkOptions {
  return {
    log,
    dscp: settings().sip.dscp,
    marks: async () => {
      await new Promise<void>((resolve) => { clock.after(MARK_AFTER_MS, resolve); });
      return import('../system/dscp.ts');
    },
    tls: () => {
      const { tlsCa: ca, tlsCert: cert, tlsKey: key } = settings().sip;
      return { ca, cert, key };
    },
    /** An account is known by the name that it is reached by; of two at one server the stricter counts. Others are checked in full, the network's own way. */
    server: (name) => {
      const there = settings().accounts.filter(({ server, proxy, backupServer }) => [proxy || server, backupServer].some((place) => place !== '' && hostOf(place) === name.toLowerCase()));
      if (there[0] === undefined) return undefined;
      const checkings = there.map((account) => account.tlsVerify);
      return {
        checking: checkings.includes('on') ? 'on' : checkings.includes('wildcards') ? 'wildcards' : 'off',
        webSocketPath: there[0].wsPath,
      };
    },
  };
}

const hostOf = (place: string): string => /^\[(.*)\]/.exec(place)?.[1] ?? place.replace(/:\d+$/, '').toLowerCase();
