// The parameters of Opus in SDP (RFC 7587 §6.1), as the other side gives them. ptime and maxptime stand in lines of their own (§7.1) and are
// the offer's concern; names that are not known are passed over.

/** What the decoder of that side can use, and what its encoder will send. */
export interface OpusFmtp {
  /** maxplaybackrate: sound above half of this is not heard. */
  readonly playbackHz: number;
  /** sprop-maxcapturerate: sound above half of this is not sent. */
  readonly captureHz: number;
  /** maxaveragebitrate: bits a second that may be sent there; undefined when nothing is said. */
  readonly bitrate: number | undefined;
  readonly stereo: boolean;
  readonly sendsStereo: boolean;
  /** Packets of one size are wanted. */
  readonly cbr: boolean;
  /** useinbandfec: redundancy is made use of. */
  readonly fec: boolean;
  /** usedtx: silence need not be sent. */
  readonly dtx: boolean;
}

/** Read the value of an fmtp attribute, behind its payload type; what is malformed or out of range counts as not said. */
export function readOpusFmtp(text: string): OpusFmtp {
  const number = (name: string, least: number, most: number): number | undefined => {
    const digits = new RegExp(`(?:^|[;\\s])${name}\\s*=\\s*(\\d{1,6})\\s*(?:;|\\s|$)`, 'i').exec(text)?.[1];
    const value = Number(digits ?? NaN);
    return value >= least && value <= most ? value : undefined;
  };
  const flag = (name: string): boolean => number(name, 0, 1) === 1;
  return {
    playbackHz: number('maxplaybackrate', 8000, 48_000) ?? 48_000,
    captureHz: number('sprop-maxcapturerate', 8000, 48_000) ?? 48_000,
    bitrate: number('maxaveragebitrate', 6000, 510_000),
    stereo: flag('stereo'), sendsStereo: flag('sprop-stereo'), cbr: flag('cbr'), fec: flag('useinbandfec'), dtx: flag('usedtx'),
  };
}
