// What offer and answer are made of and what they come to. Types only; the media room's door takes CodecUse and StreamSession from here.

import type { Endpoint } from '../ports/net.ts';

export type CodecName = 'opus' | 'PCMU' | 'PCMA';
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export interface CodecUse {
  readonly name: CodecName;
  readonly payloadType: number;
  /** opus only: fmtp of the side that will decode, RFC 7587 §6.1. */
  readonly fmtp?: string;
}

/** What offer and answer came to, as the engine needs it. */
export interface StreamSession {
  /** Where RTP goes; RTCP to `rtcpPort`. Host 0.0.0.0 or port 0: send nothing. */
  readonly remote: Endpoint;
  readonly rtcpPort: number;
  readonly send: CodecUse;
  /** Every payload type we said we take. */
  readonly receive: readonly CodecUse[];
  /** Payload types of telephone-event (RFC 4733): what the other side takes, what we take. */
  readonly eventSend?: number;
  readonly eventReceive?: number;
  /** Payload type of comfort noise (RFC 3389) other than 13, where one was agreed. */
  readonly noiseReceive?: number;
  /** Clock that both count durations in: that of the codec sent where the other side has it, else 8000, and 8000 where absent. */
  readonly eventHz?: number;
  /** Our own direction after negotiation (RFC 3264 §6.1). */
  readonly direction: Direction;
  readonly ptimeMs: number;
}

/** Our side of the one audio stream. */
export interface LocalMedia {
  /** Numeric address that the other side reaches us at. */
  readonly host: string;
  readonly port: number;
  readonly rtcpPort: number;
  /** In order of preference. */
  readonly codecs: readonly CodecName[];
  readonly ptimeMs: number;
  /** What we want: sendonly holds the other side. */
  readonly direction: Direction;
  /** Of the o= line, constant for a call; the first description has `version`, see `last` of makeOffer and answerOffer. */
  readonly sessionId: number;
  readonly version: number;
  /** Whose order of codecs an answer keeps; 'offer' when absent. */
  readonly answerOrder?: 'offer' | 'local';
}
