// What statuses and failures mean to a person: which tone is heard, which sentence is shown. Tables.

import type { Ending, RegistrationFailure } from '../sip/agent-types.ts';
import type { Sounds } from './ports.ts';
import type { ToneName } from '../media/tone-tables.ts';

export type StatusName = keyof Sounds['statusTones'];
export type CountryTone = ToneName;

interface Trouble {
  readonly tone: StatusName;
  /** What to do about it. */
  readonly words: string;
}

/** A registration that failed, by its reason. */
export const troubles: Readonly<Record<RegistrationFailure, Trouble>> = {
  'no network': { tone: 'no network', words: 'There is no way to the server: look at the cable or the Wi-Fi, and whether the server is on.' },
  'no such server': { tone: 'no such server', words: 'The server\'s name is not known: look for a slip in the server setting.' },
  'server silent': { tone: 'server silent', words: 'The server does not answer: it may be off, or a firewall is in between.' },
  'server refused': { tone: 'server silent', words: 'Nothing listens at the server: look at its port and transport.' },
  'not trusted': { tone: 'not registered', words: 'The certificates of the server and this phone do not fit together, so nothing is sent.' },
  'wrong password': { tone: 'wrong password', words: 'The server did not take the user and password.' },
  'not allowed': { tone: 'not registered', words: 'The server does not allow this phone: ask who runs it.' },
  'server trouble': { tone: 'not registered', words: 'The server has trouble of its own.' },
};

/** The tone that a call of ours ends in; '' is silence. */
export function failureTone({ status }: Pick<Ending, 'status'>): CountryTone | '' {
  if (status === 486 || status === 600 || status === 603) return 'busy';
  if (status === 404 || status === 410 || status === 484 || status === 604) return 'sit';
  return status === 487 ? '' : 'congestion';
}
