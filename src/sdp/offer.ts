// Offer and answer (RFC 3264, RFC 6337) for one audio stream: pure, bytes in and out. A caller keeps the last description it sent and gives
// it back as `last`: the next one then keeps its m-lines and payload types, and its version rises only when something changed (RFC 3264 §8).

import { formatSdp, isAddress, parseSdp, type Attribute, type Sdp, type SdpMedia } from './sdp.ts';
import type { Choice, CodecName, CodecUse, CryptoUse, Direction, LocalMedia, StreamSession } from './types.ts';

/**
 * How each codec is spelt in rtpmap, and the payload type we give it: RFC 3551 §6, RFC 7587 §7; 101 and 102 are custom for events.
 * G.722 says 8000 though it samples at 16,000 (RFC 3551 §4.5.2).
 */
const CODECS = {
  opus: { map: 'opus/48000/2', type: 96, hz: 48_000 },
  G722: { map: 'G722/8000', type: 9, hz: 8000 },
  L16: { map: 'L16/16000', type: 97, hz: 16_000 },
  PCMU: { map: 'PCMU/8000', type: 0, hz: 8000 },
  PCMA: { map: 'PCMA/8000', type: 8, hz: 8000 },
} as const;
const EVENT_TYPES = { 8000: 101, 48_000: 102 } as const;
/** Comfort noise by clock: static for 8000, else of our choice (RFC 3389 §4). */
const NOISE_TYPES = { 8000: 13, 16_000: 98 } as const;
type NoiseHz = keyof typeof NOISE_TYPES;
type EventHz = keyof typeof EVENT_TYPES;
/** RFC 7587 §6.1: we use redundancy, and neither play nor catch more than 8 kHz of sound; one channel is the default. */
const OPUS_FMTP = 'useinbandfec=1;maxplaybackrate=16000;sprop-maxcapturerate=16000';
const opusFmtp = (local: LocalMedia): string => OPUS_FMTP + (local.silence === true ? ';usedtx=1' : '');
const MAX_PTIME_MS = 60;
/** Packet times of each codec, longest first: Opus has no frame of 30 or 50 ms (RFC 6716 §2.1.4), and more L16 fits no Ethernet frame. */
const LENGTHS_MS = { opus: [60, 40, 20, 10], L16: [40, 30, 20, 10], others: [60, 50, 40, 30, 20, 10] };

const DIRECTIONS: readonly Direction[] = ['inactive', 'sendonly', 'recvonly', 'sendrecv']; // bit 0: sends, bit 1: receives
const bitsOf = (direction: Direction) => DIRECTIONS.indexOf(direction);
/** What both sides' wishes leave us (RFC 3264 §6.1): we send what they receive. */
const meet = (ours: Direction, theirs: Direction): Direction => {
  const bits = bitsOf(theirs);
  return DIRECTIONS[bitsOf(ours) & (bits >> 1 | (bits & 1) << 1)]!;
};

const find = (attributes: readonly Attribute[], name: string): string | undefined => attributes.find((a) => a[0] === name)?.[1];

const MUX: Attribute = ['rtcp-mux', ''];
/** RFC 3611 §5.1: what we ask for, and what both do. */
const XR: Attribute = ['rtcp-xr', 'rcvr-rtt=all voip-metrics'];
const NONE: readonly Attribute[] = [];

/** RTP that is not encrypted; with feedback (AVPF) as peers that want none send it. The rest is for sdes.ts to say. */
function isAvp({ proto }: SdpMedia): boolean {
  const upper = proto.toUpperCase();
  return upper === 'RTP/AVP' || upper === 'RTP/AVPF';
}

interface Format {
  readonly type: number;
  readonly codec: CodecName | undefined;
  /** Clock, where it is telephone-event. */
  readonly eventHz: EventHz | undefined;
  /** Clock, where it is comfort noise. */
  readonly noiseHz: NoiseHz | undefined;
  readonly fmtp: string;
}

/** The formats of an m-line that we know, in its order, each codec once; static types 0, 8, 9 and 13 need no rtpmap (RFC 3551 §6). */
function formatsOf(media: SdpMedia): Format[] {
  const maps: string[] = [CODECS.PCMU.map];
  maps[8] = CODECS.PCMA.map;
  maps[9] = CODECS.G722.map;
  maps[13] = 'CN/8000';
  const fmtps: string[] = [];
  for (const [name, value] of media.attributes) {
    const of = name === 'rtpmap' ? maps : name === 'fmtp' ? fmtps : undefined;
    const text = of === undefined ? null : /^(\d{1,3})\s+(.*)$/.exec(value);
    if (text !== null) of![Number(text[1])] = text[2]!;
  }
  const known: Format[] = [];
  for (const text of media.formats) {
    const type = /^\d{1,3}$/.test(text) ? Number(text) : 128;
    if (type > 127) continue; // no number of RTP's
    const [name, hz, channels = '1'] = (maps[type] ?? '').trim().toLowerCase().split('/');
    const codec = (Object.keys(CODECS) as CodecName[]).find((each) =>
      each.toLowerCase() === name && Number(hz) === CODECS[each].hz && (each === 'opus' || channels === '1'));
    const eventHz = name === 'telephone-event' && (hz === '8000' || hz === '48000') ? Number(hz) as EventHz : undefined;
    const noiseHz = name === 'cn' && (hz === '8000' || hz === '16000') ? Number(hz) as NoiseHz : undefined;
    if ((codec ?? eventHz ?? noiseHz) === undefined || known.some((each) => each.codec === codec && each.eventHz === eventHz && each.noiseHz === noiseHz)) continue;
    known.push({ type, codec, eventHz, noiseHz, fmtp: fmtps[type] ?? '' });
  }
  return known;
}

const use = ({ codec, type, fmtp }: Format): CodecUse => ({ name: codec!, payloadType: type, ...(codec === 'opus' && fmtp !== '' ? { fmtp } : {}) });

/** Our audio line. Attributes stand in the order of the formats, the direction last. */
function audioLine(formats: readonly Format[], local: LocalMedia, direction: Direction, proto: string, keys: readonly Attribute[]): SdpMedia {
  const attributes: Attribute[] = [];
  for (const { type, codec, eventHz, noiseHz, fmtp } of formats) {
    attributes.push(['rtpmap', `${type} ${codec !== undefined ? CODECS[codec].map : noiseHz !== undefined ? `CN/${noiseHz}` : `telephone-event/${eventHz}`}`]);
    if (fmtp !== '') attributes.push(['fmtp', `${type} ${fmtp}`]);
  }
  attributes.push(['ptime', `${local.ptimeMs}`], ['maxptime', `${MAX_PTIME_MS}`]);
  if (local.rtcpPort !== local.port + 1) attributes.push(['rtcp', `${local.rtcpPort}`]); // RFC 3605
  if (local.rtcpMux) attributes.push(MUX);
  if (local.rtcpXr) attributes.push(XR);
  attributes.push(...keys, [direction, '']);
  return { kind: 'audio', port: local.port, proto, formats: formats.map((f) => `${f.type}`), host: undefined, attributes };
}

/** An m-line that is not in use: port 0, everything else as it was (RFC 3264 §6, §8.2). */
const refused = ({ kind, proto, formats }: SdpMedia): SdpMedia => ({ kind, port: 0, proto, formats, host: undefined, attributes: [] });

function read(bytes: Uint8Array | undefined): Sdp | undefined {
  const sdp = bytes === undefined ? undefined : parseSdp(bytes);
  return sdp === undefined || 'malformed' in sdp ? undefined : sdp;
}

/** The description's bytes; with `last`, its version where nothing else differs, else one more (RFC 3264 §8). */
function write(media: readonly SdpMedia[], local: LocalMedia, last: Uint8Array | undefined): Buffer {
  const before = read(last)?.version;
  const bytes = (version: number | string) => formatSdp({ sessionId: `${local.sessionId}`, version: `${version}`, host: local.host, attributes: [], media });
  if (last === undefined || before === undefined) return bytes(local.version);
  const same = bytes(before);
  return same.equals(last) ? same : bytes(Number(before) + 1);
}

/** The audio line in use in a description of ours. */
const audioIn = (sdp: Sdp): number => sdp.media.findIndex((each) => each.kind === 'audio' && each.port !== 0);
const ownLine = (sdp: Sdp | undefined): SdpMedia | undefined => sdp?.media[audioIn(sdp)];

/** A description of what we want, as first offer or, with `last` (the last we sent in this call), as the next. */
export function makeOffer(local: LocalMedia, last?: Uint8Array): Buffer {
  const before = read(last);
  const at = before === undefined ? -1 : audioIn(before);
  const line = before?.media[at];
  const known = line === undefined ? [] : formatsOf(line);
  const taken = new Set(known.map((each) => each.type));
  // A number once bound to a format stays with it (RFC 3264 §8.3.2).
  const typeOf = (wanted: number, format: (each: Format) => boolean) => {
    const old = known.find(format)?.type;
    let type = old ?? wanted;
    while (old === undefined && taken.has(type)) type = type < 96 || type === 127 ? 96 : type + 1;
    taken.add(type);
    return type;
  };
  const formats = local.codecs.map((codec): Format =>
    ({ codec, eventHz: undefined, noiseHz: undefined, type: typeOf(CODECS[codec].type, (each) => each.codec === codec), fmtp: codec === 'opus' ? opusFmtp(local) : '' }));
  for (const noiseHz of [8000, 16_000] as const) {
    if (local.silence !== true || !local.codecs.some((codec) => CODECS[codec].hz === noiseHz)) continue;
    formats.push({ codec: undefined, eventHz: undefined, noiseHz, type: typeOf(NOISE_TYPES[noiseHz], (each) => each.noiseHz === noiseHz), fmtp: '' });
  }
  for (const eventHz of [8000, 48_000] as const) {
    if (eventHz === 48_000 && !local.codecs.includes('opus')) continue; // 8000 also for opus alone: many know no other
    formats.push({ codec: undefined, eventHz, noiseHz: undefined, type: typeOf(EVENT_TYPES[eventHz], (each) => each.eventHz === eventHz), fmtp: '0-16' });
  }
  const { encryption, sdes } = local;
  const keyed = sdes !== undefined && (line === undefined ? encryption === 'preferred' || encryption === 'always' : find(line.attributes, 'crypto') !== undefined);
  const proto = line?.proto ?? (encryption === 'always' ? 'RTP/SAVP' : 'RTP/AVP');
  const ours = audioLine(formats, local, local.direction, proto, keyed ? sdes().offer(line?.attributes ?? NONE) : NONE);
  const media = before?.media.map((each, i) => i === at ? ours : refused(each)) ?? [];
  return write(at < 0 ? [...media, ours] : media, local, last);
}

/** What the sound's path comes to once both sides have spoken. `theirs` are their formats in the order that counts, `ours` those we take. */
function sessionOf(sdp: Sdp, line: SdpMedia, theirs: readonly Format[], ours: readonly Format[], local: LocalMedia, crypto: CryptoUse | undefined): StreamSession | string {
  const send = theirs.find((each) => each.codec !== undefined && ours.some((own) => own.codec === each.codec));
  if (send?.codec === undefined) return 'no codec in common';
  if (line.host === undefined || !isAddress(line.host)) return `no numeric address: ${line.host ?? 'c= is missing'}`;
  const attribute = (name: string) => find(line.attributes, name) ?? find(sdp.attributes, name);
  const hz = CODECS[send.codec].hz;
  const inCommon = (clock: number) => theirs.some((f) => f.eventHz === clock) && ours.some((f) => f.eventHz === clock);
  const eventHz = inCommon(hz) ? hz : inCommon(8000) ? 8000 : undefined;
  const eventType = (formats: readonly Format[]) => formats.find((each) => each.eventHz === eventHz)!.type;
  const noiseType = (formats: readonly Format[]) => formats.find((each) => each.noiseHz === hz)?.type;
  const noiseSend = noiseType(theirs), noiseReceive = noiseType(ours);
  const rtcp = Number(/^\d{1,5}/.exec(find(line.attributes, 'rtcp') ?? '')?.[0] ?? NaN);
  const most = Number(attribute('maxptime') ?? NaN);
  const asked = Math.min(Number(attribute('ptime') ?? NaN) || local.ptimeMs, most >= 10 ? most : MAX_PTIME_MS);
  const lengths = LENGTHS_MS[send.codec === 'opus' || send.codec === 'L16' ? send.codec : 'others'];
  return {
    remote: { host: line.host, port: line.port },
    rtcpPort: rtcp > 0 && rtcp < 65_536 ? rtcp : line.port === 0 ? 0 : line.port + 1 & 0xffff,
    send: use(send),
    receive: ours.filter((each) => each.codec !== undefined).map(use),
    ...(eventHz === undefined ? {} : { eventSend: eventType(theirs), eventReceive: eventType(ours), eventHz }),
    ...(noiseSend === undefined || noiseReceive === undefined ? {} : { noiseSend, noiseReceive }),
    direction: meet(local.direction, directionOf(sdp, line)),
    ptimeMs: lengths.find((ms) => ms <= asked) ?? 10,
    rtcpMux: (local.rtcpMux === true && find(line.attributes, MUX[0]) !== undefined) || undefined,
    rtcpXr: (local.rtcpXr && attribute(XR[0])) || undefined,
    crypto,
  };
}

/** A line's direction, its own or the session's; 0.0.0.0 is how RFC 2543 held, and nothing may go there (RFC 3264 §8.4). */
function directionOf(sdp: Sdp, line: SdpMedia): Direction {
  const said = (attributes: readonly Attribute[]) => DIRECTIONS.find((each) => attributes.some((a) => a[0] === each));
  const direction = said(line.attributes) ?? said(sdp.attributes) ?? 'sendrecv';
  return line.host === '0.0.0.0' || line.host === '::' ? DIRECTIONS[bitsOf(direction) & 1]! : direction;
}

/**
 * Our answer to `offer` and the session it makes, or why there is none (to be refused 488). Every m-line is answered, in its place; one audio
 * line is taken, of several one that is encrypted, where we may. `last`: the description we sent before in this call.
 */
export function answerOffer(offer: Uint8Array, local: LocalMedia, last?: Uint8Array):
  { readonly answer: Buffer; readonly session: StreamSession } | { readonly refuse: 488; readonly why: string } {
  const sdp = parseSdp(offer);
  if ('malformed' in sdp) return { refuse: 488, why: sdp.malformed };
  let why = 'no audio stream';
  const { encryption, sdes } = local;
  const plain = sdes === undefined || (encryption !== 'always' && sdp.media.every((each) => isAvp(each) && find(each.attributes, 'crypto') === undefined));
  for (const [i, choice] of (plain ? sdp.media : sdes().choices(sdp.media, encryption, ownLine(read(last)))).entries()) {
    const { at, line, keys }: Choice = 'at' in choice ? choice : { at: i, line: choice, keys: isAvp(choice) ? undefined : `transport ${choice.proto}` };
    if (line.kind !== 'audio' || line.port === 0) continue;
    if (typeof keys === 'string') {
      why = keys;
      continue;
    }
    const known = formatsOf(line).filter((each) => each.codec === undefined || local.codecs.includes(each.codec));
    const codecs = known.filter((each) => each.codec !== undefined);
    if (local.answerOrder === 'local') codecs.sort((a, b) => local.codecs.indexOf(a.codec!) - local.codecs.indexOf(b.codec!));
    // Of the events the one clock of the codec that will be sent, so that no doubt is left (RFC 4733 §2.1).
    const hz = codecs[0]?.codec === undefined ? 0 : CODECS[codecs[0].codec].hz;
    const events = known.find((each) => each.eventHz === hz) ?? known.find((each) => each.eventHz === 8000);
    const noise = local.silence === true ? known.find((each) => each.noiseHz === hz) : undefined;
    const theirs = [...codecs, ...(noise === undefined ? [] : [noise]), ...(events === undefined ? [] : [events])];
    const ours = theirs.map((each): Format => ({ ...each, fmtp: each.codec === 'opus' ? opusFmtp(local) : each.eventHz !== undefined ? eventsTaken(each.fmtp) : '' }));
    const session = sessionOf(sdp, line, theirs, ours, local, keys?.crypto);
    if (typeof session === 'string') {
      why = session;
      continue;
    }
    const answer = audioLine(ours, { ...local, rtcpMux: session.rtcpMux === true, rtcpXr: session.rtcpXr !== undefined }, session.direction, line.proto, keys === undefined ? NONE : [keys.line]);
    return { answer: write(sdp.media.map((each, i) => i === at ? answer : refused(each)), local, last), session };
  }
  return { refuse: 488, why };
}

/** Events of an answer: the flash only where it was offered. */
const eventsTaken = (fmtp: string) => /(^|[,-])16(,|-|$)/.test(fmtp.replace(/\s/g, '')) ? '0-16' : '0-15';

/** What `answer` makes of `offer`, the last we sent; `wrong` says why the call cannot have sound. */
export function applyAnswer(offer: Uint8Array, answer: Uint8Array, local: LocalMedia): { readonly session: StreamSession } | { readonly wrong: string } {
  const asked = parseSdp(offer);
  if ('malformed' in asked) return { wrong: `our offer, ${asked.malformed}` };
  const sdp = parseSdp(answer);
  if ('malformed' in sdp) return { wrong: sdp.malformed };
  const at = audioIn(asked);
  const own = asked.media[at];
  const line = sdp.media[at]; // §6: m-lines correspond by their place
  if (own === undefined || line === undefined || line.kind !== 'audio') return { wrong: 'no audio stream' };
  if (line.port === 0) return { wrong: 'the audio stream was refused' };
  const crypto = local.sdes === undefined || (local.encryption !== 'always' && isAvp(own) && isAvp(line) && find(line.attributes, 'crypto') === undefined) ? isAvp(line) ? undefined : `transport ${line.proto}` : local.sdes().agreed(own, line, local.encryption);
  if (typeof crypto === 'string') return { wrong: crypto };
  const session = sessionOf(sdp, line, formatsOf(line), formatsOf(own), local, crypto);
  return typeof session === 'string' ? { wrong: session } : { session };
}
