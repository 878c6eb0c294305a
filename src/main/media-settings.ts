import type { Settings } from '../config/types.ts';
import type { MediaSettings } from '../media/door.ts';

/** What the media room needs of the settings. */
export function mediaSettings({ sound, media }: Settings): MediaSettings {
  const place = ({ device, playDb, captureDb }: Settings['sound']['handset']) => ({ device, playDb, captureDb, periodMs: Number(sound.periodMs), periods: sound.periods });
  return {
    places: { handset: place(sound.handset), speaker: place(sound.speaker), ringer: place(sound.ringer) },
    rtpPortMin: media.rtpPortMin, rtpPortMax: media.rtpPortMax, jitterMinMs: media.jitterMinMs, jitterMaxMs: media.jitterMaxMs,
    opusBitrate: media.opusBitrate, opusComplexity: media.opusComplexity, rtpTimeoutS: media.rtpTimeoutS,
  };
}
