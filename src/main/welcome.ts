// What a person who has just started the phone in a terminal is told. Only what is true of this phone on this machine.

import type { Settings } from '../config/types.ts';

export interface Started {
  readonly settings: Settings;
  readonly board: string;
  /** Address and port where SIP listens. */
  readonly sip: string;
  /** Where the page is; undefined when it is not served. */
  readonly page: string | undefined;
  /** What the keys of the terminal do; undefined where there is no terminal or no drawn handset. */
  readonly keys: string | undefined;
  readonly state: string;
  /** The kernel knows a sound card. */
  readonly cards: boolean;
  /** How this phone's command is spelt here: 'node dist/offhook.js --state DIR'. */
  readonly command: string;
}

const callers: Readonly<Record<Settings['sip']['acceptFrom'], string>> = {
  registered: 'rings for its server and listed addresses only: setting sip.acceptFrom', listed: 'rings for listed addresses only', anyone: 'rings for anyone',
};

export function welcome({ settings, board, sip, page, keys, state, cards, command }: Started): string {
  const wired = board !== 'bench' && board !== 'none';
  const drawn = board === 'none' ? [] : [...(page === undefined ? [] : ['drawn on the page']), ...(keys === undefined ? [] : ['worked by the keys of this terminal'])];
  const handset = wired ? `wired, board ${board}` : drawn.length === 0 ? 'none: only the command line works this phone' : drawn.join(', and ');
  const { device } = settings.sound.handset;
  const sound = device !== 'auto' ? device : cards ? 'the sound card' : 'no sound card seen: calls work, silently. Plug one in at any time';
  const lines = [
    '',
    '  The telephone is running.',
    '',
    `  Its page        ${page === undefined ? settings.web.enabled ? 'none, see the error above' : 'switched off: setting web.enabled' : `${page}   (the first visit sets its password)`}`,
    `  Its handset     ${handset}`,
    `  Its sound       ${sound}`,
    `  Its account     ${settings.accounts.length === 0 ? `none yet: it calls addresses directly. Add one ${page === undefined ? 'with --set accounts.0.user=…, .server=…, .password=…' : 'on the page'}` : settings.accounts.map((a) => `${a.user}@${a.server}`).join(', ')}`,
    `  Its address     sip:${sip}   (${callers[settings.sip.acceptFrom]})`,
    `  Its settings    ${state}`,
    '',
    '  What to try',
    ...(wired || drawn.length > 0 ? [
      `    lift the handset${keys === undefined ? '' : ' (space)'}, hear dial tone, dial *43: the echo line sends back what you say`,
      '    dial *44: the phone beeps how it is',
    ] : []),
    '    from another terminal:',
    `      ${command} call sip:someone@192.168.1.20`,
    `      ${command} status`,
    ...(keys === undefined ? [] : ['', `  Keys            ${keys}`]),
    '',
  ];
  return `${lines.join('\n')}\n`;
}
