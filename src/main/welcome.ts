import type { Settings } from '../config/types.ts';

/** What a person who has just started the phone in a terminal is told. */
export function welcome(about: {
  readonly settings: Settings; readonly board: string; readonly sip: string; readonly page: string | undefined; readonly keys: string | undefined; readonly state: string;
}): string {
  const { settings } = about;
  const wired = about.board !== 'bench' && about.board !== 'none';
  const lines = [
    '',
    '  The telephone is running.',
    '',
    ...(about.page === undefined ? [] : [`  Its page        ${about.page}   (the first visit sets its password)`]),
    `  Its address     sip:${about.sip}`,
    settings.accounts.length === 0 ? '  Its account     none yet: calls go straight to addresses; add one on the page' : `  Its account     ${settings.accounts.map((a) => `${a.user}@${a.server}`).join(', ')}`,
    `  Its handset     ${wired ? `wired, board ${about.board}` : about.board === 'none' ? 'none' : 'drawn on the page, and in this terminal'}`,
    '',
    '  What to try',
    `    lift the handset${about.keys === undefined ? '' : ' (space)'}, hear dial tone, dial *43: the echo line sends back what you say`,
    '    dial *44: the phone says how it is',
    '    offhook call sip:someone@192.168.1.20    from another terminal, or a number once there is an account',
    ...(about.keys === undefined ? [] : ['', `  Keys            ${about.keys}`]),
    `  Settings in     ${about.state}`,
    '',
  ];
  return `${lines.join('\n')}\n`;
}
