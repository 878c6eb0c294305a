// `offhook audio-test`: tests the sound card of a place through the phone that runs, or by itself where none does, and says what was found.

import { createAudioSystem } from '../audio/system.ts';
import { openStore } from '../config/store.ts';
import { OCTAVES_HZ, Probe, reportOf, type ProbeReport, type ProbeSound } from '../media/probe.ts';
import type { Place } from '../media/door.ts';
import { PhoneError } from '../ports/errors.ts';
import { systemClock } from '../system/clock.ts';
import { askControl } from '../system/control.ts';
import { systemFiles } from '../system/files.ts';
import { join } from 'node:path';

const RATE_HZ = 16_000;

/** Exit code: 0 tested, 1 not. */
export async function audioTest(state: string, place: Place, set: readonly string[], file: string | undefined, json: boolean): Promise<number> {
  const { settings } = await openStore({ files: systemFiles() }, state, { ...(file === undefined ? {} : { file }), set });
  const { device, captureDb } = settings.sound[place], { periodMs, periods } = settings.sound;
  process.stderr.write(`offhook: two sweeps are played on ${device}; it takes eight seconds\n`);
  const reply = await askControl(join(state, 'control.sock'), { do: 'audio test', place }).catch((error: unknown) => {
    if (error instanceof PhoneError && error.code === 'NOT_RUNNING') return undefined;
    throw error;
  });
  if (reply?.ok === false) {
    process.stderr.write(`offhook: ${String(reply['why'])}\n`);
    return 1;
  }
  const report = reply === undefined ? reportOf(await heardOn(device, Number(periodMs), periods), captureDb, place === 'speaker') : reply['sound'] as ProbeReport;
  process.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : words(report));
  return 0;
}

/** What the microphone of `name` hears of the test. Throws PhoneError where there is no such card, or it is lost meanwhile. */
async function heardOn(name: string, periodMs: number, periods: number): Promise<ProbeSound> {
  await import('../system/realtime.ts').then(({ realTime, SOUND_PRIORITY }) => realTime().take(SOUND_PRIORITY)).catch(() => undefined); // as the phone itself, where it may
  const probe = new Probe(RATE_HZ);
  return new Promise((resolve, reject) => {
    let heard = false;
    const end = (trouble: string) => {
      const { xruns } = device.status();
      device.close();
      if (trouble === '') resolve({ captured: probe.captured, rateHz: RATE_HZ, xruns });
      else reject(new PhoneError('AUDIO_NOT_TESTED', trouble));
    };
    const device = createAudioSystem({ clock: systemClock() }).open({
      name, rateHz: RATE_HZ, periodFrames: periodMs * RATE_HZ / 1_000, periods,
      onPeriod(captured, playback) {
        heard = true;
        if (!probe.beat(captured, playback, captured.length)) end('');
      },
      onStatus(status) {
        if (status.state === 'lost' || (!heard && status.trouble !== '')) setImmediately(() => end(status.trouble));
      },
    });
  });
}

/** The device tells of its state also while it is being opened. */
const setImmediately = (due: () => void) => { systemClock().after(0, due); };

const db = (value: number) => `${value.toFixed(1)} dB`;

/** The report as a table and sentences. */
function words({ noiseDb, clipped, echo, xruns, advice }: ProbeReport): string {
  const rows: (readonly [string, string])[] = [['noise in silence', `${noiseDb.toFixed(1)} dBFS`], ['samples at the limit', String(clipped)], ['times the card ran dry', String(xruns)]];
  if (echo === undefined) rows.push(['the loudspeaker in the microphone', 'not heard']);
  else {
    rows.push(
      ['the loudspeaker in the microphone', `${db(echo.lossDb)} weaker, at most ${echo.peakDb.toFixed(1)} dBFS`], ['delay from writing to reading', `${echo.delayMs.toFixed(1)} ms`],
      ['drift between the two', `${echo.driftPpm.toFixed(1)} ppm`], ['echo gone after', `${echo.tailMs.toFixed(0)} ms`],
      ['sound around', OCTAVES_HZ.map((hz, i) => `${hz} Hz ${echo.octavesDb[i]! >= 0 ? '+' : ''}${echo.octavesDb[i]!.toFixed(0)}`).join(', ')],
    );
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  return `${rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')}${advice.length === 0 ? 'All is well.\n' : advice.map((each) => `- ${each}\n`).join('')}`;
}
