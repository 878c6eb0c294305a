// What offer and answer are made of and what they come to. CodecUse and StreamSession are the media room's by structure; this room
// imports nothing of it.

import type { Endpoint } from '../ports/net.ts';

export type CodecName = 'opus' | 'PCMU' | 'PCMA';
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export interface CodecUse {
  readonly name: CodecName;
  readonly payloadType: number;
  readonly fmtp?: string;
}

export interface StreamSession {
  readonly remote: Endpoint;
  readonly rtcpPort: number;
  readonly send: CodecUse;
  readonly receive: readonly CodecUse[];
  readonly eventSend?: number;
  readonly eventReceive?: number;
  readonly eventHz?: number;
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
