// Which board this is, so that nobody has to say.

import { chipPaths, findChips } from './gpiochip.ts';
import type { Linux } from './linux.ts';

/** Labels of the chips that carry the header, newest board first. */
const raspberryPiChips = ['pinctrl-rp1', 'pinctrl-bcm2711', 'pinctrl-bcm2835'] as const;

/** The board id for this machine; 'bench' when it has no pins that we know. */
export function detectBoard(linux: Linux): string {
  const model = linux.read('/proc/device-tree/model') ?? '';
  if (!model.startsWith('Raspberry Pi') || /^Raspberry Pi Model [AB] Rev/.test(model)) return 'bench'; // the first ones have 26 pins
  const chips = findChips(linux);
  // A chip that we may not open has no label for us, yet it is there: opening it for use then says what to do.
  const known = chips.some(({ label }) => (raspberryPiChips as readonly string[]).includes(label)) || chipPaths(linux).length > chips.length;
  return known || linux.list('/sys/class/gpio').some((name) => (raspberryPiChips as readonly string[]).includes(linux.read(`/sys/class/gpio/${name}/label`) ?? ''))
    ? 'raspberry-pi' : 'bench';
}
