// Recordings of calls: asked for or ended by page, command line, service code, or the setting that wants one of every call. Loaded with the first
// (main/dialled.ts); hears itself what the media room has to say of them.

import { no } from './commands.ts';
import type { Desk } from './desk.ts';
import type { Line } from './line.ts';
import type { Outcome } from './status.ts';
import type { MediaEvent, RecordTo, StreamId } from '../media/door.ts';

/** The disk may have to wake up first. */
const BEGUN_MS = 10_000;

export interface Recorder {
  /** Resolves when the file is there, or whole; a failure is logged, for nobody may be waiting for it. */
  record(line: Line, on: boolean): Promise<Outcome>;
}

type News = Extract<MediaEvent, { event: 'recording' }>;

const recorders = new WeakMap<Desk, Recorder>();
/** The one of this telephone. */
export function recorderOf(desk: Desk): Recorder {
  const made = recorders.get(desk) ?? createRecorder(desk);
  recorders.set(desk, made);
  return made;
}

function createRecorder(desk: Desk): Recorder {
  const { media, log, recordings, clock } = desk.ports;
  /** Who waits for news of a stream. */
  const waiting = new Map<StreamId, (news: News) => void>();

  media.subscribe((event) => {
    if (event.event !== 'recording') return;
    const { event: fact, stream, on, path, seconds, why } = event, line = [...desk.lines].find((each) => each.stream === stream), call = String(stream);
    if (line !== undefined) line.recording = on;
    if (why !== '') {
      log.warn({ call, path, why }, 'recording ended by itself');
      desk.failed(`A recording ended: ${why}`);
    }
    desk.raise({ event: fact, call, on, path, seconds, why });
    waiting.get(stream)?.(event);
    desk.show();
  });

  const failed = (line: Line, why: string): Outcome => {
    log.error({ call: line.id, why }, 'call not recorded');
    desk.failed(`The call with ${line.remote} was not recorded: ${why}`);
    return no('NOT_RECORDED', why);
  };

  return {
    async record(line, on) {
      const { mode, maxMinutes } = desk.settings().recording;
      const ok: Outcome = { ok: true, call: line.id, state: on ? 'recorded' : 'not recorded' };
      if (typeof on !== 'boolean') return no('BAD_COMMAND', 'on is true or false');
      if (on && (mode === 'off' || recordings === undefined)) return no('RECORDING_OFF', 'recording is switched off: setting recording.mode');
      if (on && line.emergency) return no('REFUSED', 'emergency calls are not recorded');
      if (line.recording === on) return ok;
      if (waiting.has(line.stream)) return no('BUSY', 'it begins or ends just now');
      let to: RecordTo | undefined;
      const news = new Promise<News | undefined>((resolve) => {
        waiting.set(line.stream, resolve);
        clock.after(BEGUN_MS, () => resolve(undefined));
      });
      try {
        if (on) {
          const { place } = await recordings!(), { path, maxBytes } = await place(clock.wall(), line.direction, line.remote);
          to = { path, maxBytes, maxS: maxMinutes * 60 };
        }
        if (line.state !== 'established' || line.leaving) return no('WRONG_STATE', 'the call is over');
        media.command({ do: 'record', stream: line.stream, to });
        const said = await news;
        if (said === undefined) return failed(line, 'nothing was heard of the file');
        return said.on === on ? ok : failed(line, said.why);
      } catch (error) {
        return failed(line, error instanceof Error ? error.message : String(error));
      } finally {
        waiting.delete(line.stream);
      }
    },
  };
}
