// What the media room loads with the first call that wants it, in a file of its own beside the core.

import { wavHeader } from '../audio/wav.ts';
import { openWavLoop } from '../audio/wav-loop.ts';
import { createQuality } from '../media/call-quality.ts';
import { ComfortNoise } from '../media/comfort.ts';
import { DtmfDetector } from '../media/dtmf-detector.ts';
import type { MediaExtras } from '../media/extras.ts';
import { Probe } from '../media/probe.ts';
import { createRecord } from '../media/recording.ts';
import { createRepair } from '../media/repair.ts';
import { createRoom } from '../media/room.ts';
import { createSeam } from '../media/seam.ts';
import { createSilence } from '../media/silence.ts';
import { createSrtp } from '../media/srtp.ts';
import { makeSoundFile } from '../system/recordings.ts';
import { soundFiles } from '../system/sound-files.ts';

export const extras: MediaExtras = {
  comfort: (rateHz) => new ComfortNoise(rateHz),
  dtmfDetector: (onDigit) => new DtmfDetector(onDigit),
  probe: (rateHz) => new Probe(rateHz),
  record: createRecord(makeSoundFile, wavHeader),
  repair: createRepair,
  room: createRoom,
  createQuality,
  createSeam,
  createSilence,
  createSrtp,
  wav: ({ wav, pauseMs, mostDbov }, rateHz) => openWavLoop({ path: wav, pauseMs, mostDbov, rateHz }, soundFiles()),
};
