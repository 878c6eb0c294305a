import { isAbsolute, join, resolve } from 'node:path';

/** Where a phone keeps its state: as given, else $OFFHOOK_STATE, else as the XDG base directory specification says (empty and relative are as if not set). */
export function stateFolder(given: string | undefined, env: Readonly<Record<string, string | undefined>>, home: string): string {
  const wanted = given ?? env['OFFHOOK_STATE'] ?? '';
  if (wanted !== '') return resolve(wanted);
  const base = env['XDG_STATE_HOME'] ?? '';
  return join(isAbsolute(base) ? base : join(home, '.local', 'state'), 'offhook');
}
