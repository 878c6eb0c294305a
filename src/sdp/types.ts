// What offer and answer are made of and what they come to. Types only; the media room's door takes CodecUse and StreamSession from here.

import type { Endpoint } from '../ports/net.ts';
import type { Attribute, SdpMedia } from './sdp.ts';

export type CodecName = 'opus' | 'G722' | 'L16' | 'PCMU' | 'PCMA';
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export interface CodecUse {
  readonly name: CodecName;
  readonly payloadType: number;
  /** opus only: fmtp of the side that will decode, RFC 7587 §6.1. */
  readonly fmtp?: string;
}

/** How packets are encrypted: RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14. */
export type SuiteName = 'AES_CM_128_HMAC_SHA1_80' | 'AES_CM_128_HMAC_SHA1_32' | 'AES_256_CM_HMAC_SHA1_80' | 'AES_256_CM_HMAC_SHA1_32' | 'AEAD_AES_128_GCM' | 'AEAD_AES_256_GCM';

/** What both sides' a=crypto lines came to. Never to be logged or shown. */
export interface CryptoUse {
  readonly suite: SuiteName;
  /** Master key with its salt behind it, in base64: ours, and the other side's. */
  readonly send: string;
  readonly receive: string;
  /** In hex: stands in each packet of the other side's (RFC 3711 §3.1). */
  readonly mki?: string;
}

/** never: no keys are taken or given. offered: those of the other side are answered. preferred: ours are offered as well. always: nothing goes without. */
export type Encryption = 'never' | 'offered' | 'preferred' | 'always';

/** Our line to one of theirs, and what that comes to. */
export interface Keys {
  readonly line: Attribute;
  readonly crypto: CryptoUse;
}

/** A line of an offer with its place: what answers its keys, nothing where it stays plain, or why it cannot be taken. */
export interface Choice {
  readonly at: number;
  readonly line: SdpMedia;
  readonly keys: Keys | string | undefined;
}

/** Keys in descriptions (sdes.ts), for those in which there are any, or must be. */
export interface Sdes {
  /** Lines to offer: as they were in our line before, or new. */
  offer(last: readonly Attribute[]): readonly Attribute[];
  /** The lines of an offer, first those that are to be taken first. `last`: our line before. */
  choices(lines: readonly SdpMedia[], encryption: Encryption | undefined, last: SdpMedia | undefined): readonly Choice[];
  /** What their answer to our line comes to: nothing where it is plain, or what is wrong. */
  agreed(ours: SdpMedia, theirs: SdpMedia, encryption: Encryption | undefined): CryptoUse | string | undefined;
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
  /** Clock that both count durations in: that of the codec sent where the other side has it, else 8000, and 8000 where absent. */
  readonly eventHz?: number;
  /** Payload types of comfort noise (RFC 3389) on the clock of the codec sent: what the other side takes, what we take. */
  readonly noiseSend?: number;
  readonly noiseReceive?: number;
  /** Our own direction after negotiation (RFC 3264 §6.1). */
  readonly direction: Direction;
  readonly ptimeMs: number;
  /** RTCP goes over the port of RTP (RFC 5761). */
  readonly rtcpMux?: true | undefined;
  /** The extended reports that the other side asks for (RFC 3611 §5.1), where we gave leave. */
  readonly rtcpXr?: string | undefined;
  /** Absent: nothing is encrypted. */
  readonly crypto?: CryptoUse | undefined;
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
  /** Whether silence need not be sent, either way: comfort noise is offered and taken, and DTX of Opus asked for. */
  readonly silence?: boolean;
  /** Whose order of codecs an answer keeps; 'offer' when absent. */
  readonly answerOrder?: 'offer' | 'local';
  /** RTCP may go over the port of RTP (RFC 5761): offered, and answered where the other side offers it. */
  readonly rtcpMux?: boolean;
  /** Metrics of a call's sound are asked for and given (RFC 3611 §5): offered, and answered where the other side offers it. */
  readonly rtcpXr?: boolean;
  /** 'never' when absent, and where there is no `sdes`. */
  readonly encryption?: Encryption | undefined;
  readonly sdes?: (() => Sdes) | undefined;
}
