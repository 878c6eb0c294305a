// What digits are judged by: the tables of dialplan.ts, made anew when settings or country have changed; and what of them an emergency number goes
// before, said once in the log.

import type { Desk } from './desk.ts';
import { outranked } from './dial-rules.ts';
import { compilePlan, emergencyNumbers, type Dialling } from './dialplan.ts';
import { CODES } from './outgoing.ts';

/** Emergency numbers that people know from elsewhere (ITU-T E.161.1); whatever else the owner has them for goes first. */
const ABROAD = ['112', '911'];

export function createDialling({ ports, settings, failed }: Pick<Desk, 'ports' | 'settings' | 'failed'>): () => Dialling {
  let known: { readonly of: readonly unknown[]; readonly tables: Dialling } | undefined;
  let source: readonly string[] | undefined, plan: Dialling['plan'] = [], told = '';
  return () => {
    const { dialing, exchange, phone: { country } } = settings(), { emergency: national } = ports.sounds.national();
    const of = [dialing.plan, dialing.emergency, dialing.emergencyOfCountry, dialing.speedDial, exchange, national];
    if (known !== undefined && of.every((one, i) => one === known!.of[i])) return known.tables;
    if (source !== dialing.plan) {
      source = dialing.plan;
      try {
        plan = compilePlan(source);
      } catch (error) {
        // Refused by the settings' own check as a rule; else the rules before stay in force.
        const why = error instanceof Error ? error.message : String(error);
        ports.log.error({ why }, 'dial plan refused');
        failed(why);
      }
    }
    const extensions = exchange.enabled ? [...exchange.users.map((u) => u.user), ...exchange.groups.map((g) => g.number)] : [];
    const { speedDial } = dialing, emergency = emergencyNumbers(national, dialing.emergencyOfCountry, dialing.emergency);
    const abroad = dialing.emergencyOfCountry ? ABROAD.filter((number) => !emergency.includes(number) && !extensions.includes(number)) : [];
    known = { of, tables: { plan, emergency, abroad, speedDial, codes: CODES } };
    const short = Object.keys(speedDial), all = plan.length + short.length + extensions.length === 0 ? [] : outranked(plan, emergency, short, extensions);
    if (all.join() !== told) for (const why of all) ports.log.warn({ why, country }, 'an emergency number goes first');
    told = all.join();
    return known.tables;
  };
}
