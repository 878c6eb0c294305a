// What a telephone reports of a call's quality when it is over (RFC 6035): the body of application/vq-rtcpxr. Pure, figures in and text out; what is
// not known is left out.

export interface VqPlace {
  readonly host: string;
  readonly port: number;
  readonly ssrc: number;
}

/** One side's figures (§4.6.2): percent, ms, dBm0, dB; opinions 1 to 5, ratings 0 to 120. */
export interface VqMetrics {
  /** ms since 1970. */
  readonly startMs: number;
  readonly stopMs: number;
  readonly session?: {
    readonly payloadType: number;
    readonly codec: string;
    readonly sampleHz: number;
    readonly packetMs: number;
    readonly silenceSuppression: boolean;
  };
  /** 0 unknown, 1 none, 2 enhanced, 3 standard. */
  readonly concealment?: number | undefined;
  readonly jitterBuffer: {
    /** 0 unknown, 2 fixed, 3 adaptive; and how fast. */
    readonly adaptive: number;
    readonly rate: number;
    readonly nominalMs: number;
    readonly maximumMs: number;
    readonly absoluteMs: number;
  };
  readonly lossPercent: number;
  readonly discardPercent: number;
  readonly burst: { readonly lossPercent: number; readonly ms: number; readonly gapLossPercent: number; readonly gapMs: number; readonly gmin: number };
  readonly delay: { readonly roundTripMs?: number | undefined; readonly endSystemMs: number; readonly oneWayMs?: number | undefined; readonly jitterMs?: number | undefined };
  readonly signal?: { readonly levelDb?: number | undefined; readonly noiseDb?: number | undefined; readonly echoDb?: number | undefined };
  readonly estimate: { readonly rLq?: number | undefined; readonly rCq?: number | undefined; readonly mosLq?: number | undefined; readonly mosCq?: number | undefined; readonly algorithm?: string };
}

export interface VqReport {
  readonly callId: string;
  /** Addresses as in From and To, without tags; whose call it was. */
  readonly localId: string;
  readonly remoteId: string;
  readonly origId: string;
  readonly local: VqPlace;
  readonly remote: VqPlace;
  readonly localMetrics: VqMetrics;
  readonly remoteMetrics?: VqMetrics | undefined;
  readonly tags?: { readonly local: string; readonly remote: string } | undefined;
}

/** A report at the end of a call (§4.6.1, CallTerm). */
export function vqSessionReport({ callId, localId, remoteId, origId, local, remote, localMetrics, remoteMetrics, tags }: VqReport): string {
  const lines = [
    'VQSessionReport: CallTerm', `CallID: ${callId}`, `LocalID: ${localId}`, `RemoteID: ${remoteId}`, `OrigID: ${origId}`, `LocalAddr: ${place(local)}`, `RemoteAddr: ${place(remote)}`,
    'LocalMetrics:', ...metrics(localMetrics), ...(remoteMetrics === undefined ? [] : ['RemoteMetrics:', ...metrics(remoteMetrics)]),
    ...(tags === undefined ? [] : [`DialogID: ${callId};to-tag=${tags.remote};from-tag=${tags.local}`]),
  ];
  return lines.map((line) => `${line.replace(/[\r\n]+/g, ' ')}\r\n`).join('');
}

const place = ({ host, port, ssrc }: VqPlace): string => `IP=${host.replace(/^\[|\]$/g, '')} PORT=${port} SSRC=0x${(ssrc >>> 0).toString(16).padStart(8, '0')}`;

/** 'Name: A=1 B=2' of what is known; nothing of what is not. */
function line(name: string, fields: Readonly<Record<string, string | number | undefined>>): string[] {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined).map(([key, value]) => `${key}=${value}`);
  return known.length === 0 ? [] : [`${name}: ${known.join(' ')}`];
}

const whole = (value: number | undefined): number | undefined => value === undefined ? undefined : Math.round(value);
const tenths = (value: number | undefined): string | undefined => value?.toFixed(1);
const instant = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

function metrics({ startMs, stopMs, session, concealment, jitterBuffer, lossPercent, discardPercent, burst, delay, signal, estimate }: VqMetrics): string[] {
  return [
    ...line('Timestamps', { START: instant(startMs), STOP: instant(stopMs) }),
    ...(session === undefined ? [] : line('SessionDesc', {
      PT: session.payloadType, PD: session.codec, SR: session.sampleHz, FD: session.packetMs, FPP: 1, PPS: Math.round(1000 / session.packetMs), PLC: concealment, SSUP: session.silenceSuppression ? 'on' : 'off',
    })),
    ...line('JitterBuffer', { JBA: jitterBuffer.adaptive, JBR: jitterBuffer.rate, JBN: whole(jitterBuffer.nominalMs), JBM: whole(jitterBuffer.maximumMs), JBX: whole(jitterBuffer.absoluteMs) }),
    ...line('PacketLoss', { NLR: tenths(lossPercent), JDR: tenths(discardPercent) }),
    ...line('BurstGapLoss', { BLD: tenths(burst.lossPercent), BD: whole(burst.ms), GLD: tenths(burst.gapLossPercent), GD: whole(burst.gapMs), GMIN: burst.gmin }),
    ...line('Delay', { RTD: whole(delay.roundTripMs), ESD: whole(delay.endSystemMs), SOWD: whole(delay.oneWayMs), IAJ: whole(delay.jitterMs) }),
    ...line('Signal', { SL: signal?.levelDb, NL: signal?.noiseDb, RERL: signal?.echoDb }),
    ...line('QualityEst', { RLQ: whole(estimate.rLq), RCQ: whole(estimate.rCq), MOSLQ: tenths(estimate.mosLq), MOSCQ: tenths(estimate.mosCq), QoEEstAlg: estimate.algorithm }),
  ];
}
