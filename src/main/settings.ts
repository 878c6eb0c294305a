// `offhook settings`: shows the settings, or checks those of --set and writes them into the file of a phone that is not running.

import { join } from 'node:path';
import { openStore, redacted, type Patch } from '../config/store.ts';
import { askControl } from '../system/control.ts';
import { systemFiles } from '../system/files.ts';

/** Exit code: 0 written or shown, 1 refused; each refusal is a line on standard error. */
export async function settingsCommand(state: string, set: readonly string[], file?: string): Promise<number> {
  const from = file === undefined ? {} : { file };
  const files = systemFiles();
  const given = await openStore({ files }, state, { ...from, set });
  const refuse = (problems: readonly { readonly key: string; readonly reason: string }[]) => {
    for (const { key, reason } of problems) process.stderr.write(`offhook: ${key}: ${reason}\n`);
    return problems.length === 0 ? 0 : 1;
  };
  if (set.length === 0) {
    process.stdout.write(`${JSON.stringify(redacted(given.settings).settings, undefined, 2)}\n`);
    return refuse(given.problems);
  }
  const wrong = given.problems.filter((problem) => problem.from !== 'file');
  if (wrong.length > 0) return refuse(wrong);
  const store = await openStore({ files }, state, from);
  const outcome = await store.change(given.settings as Patch);
  await store.close();
  if (outcome.ok && await runs(state)) process.stderr.write('offhook: written. The phone that is running does not know of it: restart it before anything is changed on its page\n');
  return outcome.ok ? 0 : refuse(outcome.problems);
}

const runs = (state: string) => askControl(join(state, 'control.sock'), { do: 'status' }).then(() => true, () => false);
