import { createAudioSystem } from '../audio/system.ts';
import { systemClock } from '../system/clock.ts';

/** Sound devices by the name that sound.handset.device takes, a line each. */
export function listDevices(): string {
  const devices = createAudioSystem({ clock: systemClock() }).list();
  const width = Math.max(...devices.map((d) => d.name.length));
  const ways = (d: (typeof devices)[number]) => (d.input && d.output ? 'both ways' : d.input ? 'microphone' : 'loudspeaker');
  return devices.map((d) => `${d.name.padEnd(width)}  ${ways(d).padEnd(11)}  ${d.description}\n`).join('');
}
