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

/** Answers of the other side that mean: it is in use, or does not want the call. */
const BUSY = [486, 600, 603, 607, 608];
/** And: there is no such number, or not any more. The special information tone is heard twice, then congestion. */
const NO_SUCH = [404, 410, 414, 416, 484, 485, 604];
/** Our password is not taken. */
const NOT_PROVED = [401, 407];

/** The tone that a call of ours ends in, by the status of its answer (README has the table); '' is silence, after a call that we ended. */
export function failureTone({ status }: Pick<Ending, 'status'>): CountryTone | StatusName | '' {
  return BUSY.includes(status) ? 'busy' : NO_SUCH.includes(status) ? 'sit' : NOT_PROVED.includes(status) ? 'wrong password' : status === 487 ? '' : 'congestion';
}
