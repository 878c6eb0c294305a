import { defaultOf, defaults } from '../../src/config/layers.ts';
import type { Node } from '../../src/config/check.ts';
import { accountSchema } from '../../src/config/schema.ts';
import type { AccountSettings, Settings } from '../../src/config/types.ts';

/** The defaults with some settings of some groups changed. */
export function settings(patch: { readonly [G in keyof Settings]?: Settings[G] extends readonly unknown[] ? Settings[G] : Partial<Settings[G]> } = {}): Settings {
  const all = structuredClone(defaults()) as Record<string, unknown>;
  for (const [group, values] of Object.entries(patch)) all[group] = Array.isArray(values) ? values : { ...(all[group] as object), ...values };
  return all as Settings;
}

export const accountSettings = (patch: Partial<AccountSettings>): AccountSettings =>
  ({ ...defaultOf(accountSchema as unknown as Node) as AccountSettings, ...patch });
