// Sound devices by name: the one place that knows every driver.

import type { AudioDevice, AudioOptions, AudioSystem } from '../ports/audio.ts';
import type { Clock } from '../ports/clock.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Log } from '../ports/log.ts';
import { loadAlsa } from './alsa.ts';
import type { SoundLibrary } from './alsa.ts';
import { AlsaDevice } from './alsa-device.ts';
import type { Candidate } from './alsa-device.ts';
import { ChildDevice, realSpawn } from './child-device.ts';
import type { Spawn } from './child-device.ts';
import { echo, openClocked, silence, tone } from './clocked.ts';
import { noFiles } from './files.ts';
import type { SoundFiles } from './files.ts';
import { byIdentity, duplexCards, meaning } from './names.ts';
import { wavSource } from './wav-source.ts';

export interface AudioPorts {
  readonly clock: Clock;
  readonly log?: Log;
  /** WAV files and the kernel's tables of cards; without them wav: opens nothing and cards are known by the library alone. */
  readonly files?: SoundFiles;
  /** Starts arecord and aplay. */
  readonly spawn?: Spawn;
  /** libasound, loaded when first needed. */
  readonly alsa?: () => SoundLibrary;
}

/** Every sound device of this machine, and those without a card. Opening is quick: a card is opened on another thread. */
export function createAudioSystem(ports: AudioPorts): AudioSystem {
  const { clock, log } = ports;
  const files = ports.files ?? noFiles;
  const spawn = ports.spawn ?? realSpawn;
  const alsa = ports.alsa ?? loadAlsa;
  const table = (name: string): string => {
    try {
      return Buffer.from(files.read(`/proc/asound/${name}`)).toString('latin1');
    } catch {
      return ''; // no sound in this kernel
    }
  };
  const identity = (pcm: string) => byIdentity(pcm, (card) => table(`card${card}/id`).trim());
  const both = (name: string, halfWillDo: boolean): Candidate => ({ capture: name, playback: name, halfWillDo });

  const openAuto = (options: AudioOptions): AudioDevice => {
    let library: SoundLibrary;
    try {
      library = alsa();
    } catch (error) {
      log?.warn({ device: options.name, trouble: error instanceof Error ? error.message : String(error) }, 'no sound library');
      return openClocked(clock, options, silence);
    }
    let seen: string | undefined;
    const candidates = (lost: boolean): Candidate[] => {
      const cards = table('cards');
      if (!lost && cards === seen && !/^\s*\d+\s*\[/m.test(cards)) return []; // still none: asking the library again would only burn time
      seen = cards;
      const duplex = duplexCards(table('pcm'), cards);
      // default:CARD= is shared between programs where the card's configuration allows it, plughw: is always there.
      return [both('default', false), ...duplex.flatMap((card) => [both(`default:${card.split(',')[0]!}`, false), both(`plughw:${card}`, false)]), both('default', true)];
    };
    return new AlsaDevice({ clock, log, library, candidates, optional: true }, options);
  };

  return {
    open: (options) => {
      const what = meaning(options.name);
      switch (what?.driver) {
        case undefined:
          throw new PhoneError('AUDIO_DEVICE_UNKNOWN', `no sound device is named "${options.name}": say auto, alsa:NAME, arecord:NAME, echo, tone:HZ, silence or wav:IN,OUT`);
        case 'auto':
          return openAuto(options);
        case 'alsa': {
          let { capture, playback } = what;
          const halfWillDo = capture === playback;
          const candidates = () => {
            capture = identity(capture);
            playback = identity(playback);
            return [{ capture, playback, halfWillDo }];
          };
          return new AlsaDevice({ clock, log, library: alsa(), candidates, optional: false }, options);
        }
        case 'arecord':
          return new ChildDevice({ clock, log, spawn }, options, identity(what.capture), identity(what.playback));
        case 'silence':
          return openClocked(clock, options, silence);
        case 'echo':
          return openClocked(clock, options, echo(options.periodFrames));
        case 'tone':
          return openClocked(clock, options, tone(what.hz, options.rateHz));
        case 'wav':
          return openClocked(clock, options, wavSource(what.inPath, what.outPath, options.rateHz, files, log));
      }
    },
    list: () => {
      const found = [{ name: 'auto', description: 'A sound card when there is one, else silence', input: true, output: true }];
      try {
        for (const hint of alsa().hints()) found.push({ ...hint, name: `alsa:${hint.name}` });
      } catch (error) {
        if (!(error instanceof PhoneError)) throw error;
        log?.warn({ trouble: error.message }, 'sound cards not listed');
      }
      found.push(
        { name: 'echo', description: 'Test: sends back what is heard', input: true, output: true },
        { name: 'tone', description: 'Test: a tone of 440 Hz', input: true, output: false },
        { name: 'silence', description: 'No sound', input: true, output: true },
      );
      return found;
    },
  };
}
