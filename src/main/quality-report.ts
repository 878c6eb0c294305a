// Tells a collector how each call was when it is over (RFC 6035), by PUBLISH as the user of the call's account. Loaded only where the setting names a collector;
// whether it was told is a line of the log and nothing else.

import type { Settings } from '../config/types.ts';
import type { CallQuality, Media, MediaEvent } from '../media/door.ts';
import { UNKNOWN } from '../media/xr.ts';
import { GMIN } from '../media/quality.ts';
import type { PhoneDoor } from '../phone/status.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Account, Agent } from '../sip/agent-types.ts';
import type { CallUnit } from '../sip/call.ts';
import { request } from '../sip/outside.ts';
import { parseUri } from '../sip/uri.ts';
import { vqSessionReport, type VqMetrics } from '../sip/vq-report.ts';

/** The media thread's last word of a call comes at once, or not at all. */
const LAST_WORD_MS = 1_000;
const MOST_PORTS = 64;
const SAMPLES_HZ: Readonly<Record<string, number>> = { opus: 48_000, G722: 16_000, L16: 16_000 };

interface Reported {
  readonly call: CallUnit;
  readonly startMs: number;
  stopMs: number;
  quality: CallQuality | undefined;
  /** 'host:port' of their sound. */
  remote: string;
  stop: () => void;
}

export interface QualityReportPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly media: Pick<Media, 'subscribe'>;
  readonly phone: Pick<PhoneDoor, 'status' | 'subscribe'> & { readonly agent: Agent };
  readonly settings: () => Settings;
}

/** Begin; calls that are answered from now on are reported. */
export function reportQuality({ clock, log, media, phone, settings }: QualityReportPorts): void {
  const { agent } = phone;
  const reported = new Map<string, Reported>();
  const ports = new Map<number, number>();

  function report(id: string, { call, startMs, stopMs, quality, remote, stop }: Reported): void {
    stop();
    const port = ports.get(Number(id)) ?? 0, target = settings().calls.qualityReport;
    ports.delete(Number(id));
    reported.delete(id);
    if (quality === undefined || target === '') return; // hardly anything was heard
    const { account, callId, direction, dialog } = call;
    const ours = withoutTag(dialog?.from ?? ''), theirs = withoutTag(dialog?.to ?? `<${call.remote.uri}>`), colon = remote.lastIndexOf(':');
    const body = vqSessionReport({
      callId, localId: ours, remoteId: theirs, origId: direction === 'out' ? ours : theirs,
      local: { host: call.localHost, port, ssrc: quality.ssrc }, remote: { host: remote.slice(0, colon), port: Number(remote.slice(colon + 1)), ssrc: quality.remoteSsrc },
      localMetrics: ourMetrics(quality, startMs, stopMs, settings().media.silenceSuppression), remoteMetrics: quality.there && theirMetrics(quality.there, startMs, stopMs),
      tags: dialog && { local: dialog.localTag, remote: dialog.remoteTag },
    });
    request(agent, { method: 'PUBLISH', target, ...(account === undefined ? {} : { account, straight: !isOf(account, target) }), headers: [['Event', 'vq-rtcpxr'], ['Content-Type', 'application/vq-rtcpxr']], body: Buffer.from(body) }).then(
      ({ status, reason }) => {
        if (status < 300) log.info({ call: id, to: target }, 'quality reported');
        else log.warn({ call: id, to: target, status, reason }, 'quality not reported');
      },
      (error: unknown) => log.warn({ call: id, to: target, why: error instanceof Error ? error.message : String(error) }, 'quality not reported: see the setting calls.qualityReport'),
    );
  }

  media.subscribe((event: MediaEvent) => {
    if (event.event === 'opened') {
      ports.set(event.stream, event.port);
      if (ports.size > MOST_PORTS) ports.delete(ports.keys().next().value!); // streams of service codes and pages never end here
    }
    if (event.event !== 'quality') return;
    const id = String(event.stream), one = reported.get(id);
    if (one === undefined) return;
    one.quality = event.quality;
    one.remote = event.remote;
    if (event.last && one.stopMs > 0) report(id, one);
  });
  phone.subscribe((event) => {
    if (event.event === 'answered') {
      const known = phone.status().calls.find(({ id }) => id === event.call), call = agent.calls.find(({ callId }) => callId === known?.callId);
      // A service code is this phone itself
      if (call !== undefined && known?.remote.startsWith('*') !== true) reported.set(event.call, { call: call as CallUnit, startMs: clock.wall(), stopMs: 0, quality: known?.quality, remote: '', stop: () => undefined });
    } else if (event.event === 'ended') {
      const one = reported.get(event.call);
      if (one === undefined) return void ports.delete(Number(event.call));
      one.stopMs = clock.wall();
      one.stop = clock.after(LAST_WORD_MS, () => report(event.call, one));
    }
  });
}

/** The collector is at the account's own server, or all goes by a proxy. Elsewhere a PBX would refuse what is for others. */
const isOf = ({ options: { proxy, server } }: Account, target: string): boolean => proxy !== '' || parseUri(target)?.host.toLowerCase() === hostOf(server);
const hostOf = (server: string): string => server.toLowerCase().replace(/:\d+$/, '');
const withoutTag = (party: string): string => party.replace(/;tag=[^;>]*$/, '');
const known = (value: number): number | undefined => (value === UNKNOWN ? undefined : value);
const rated = (value: number): number | undefined => (value < 0 ? undefined : value);

function ourMetrics({ heard, path, codec, payloadType, packetMs }: CallQuality, startMs: number, stopMs: number, silenceSuppression: boolean): VqMetrics {
  return {
    startMs, stopMs, session: { payloadType, codec, sampleHz: SAMPLES_HZ[codec] ?? 8_000, packetMs, silenceSuppression }, concealment: 2,
    jitterBuffer: { adaptive: 3, rate: 0, nominalMs: path.jitterNominalMs, maximumMs: path.jitterMaximumMs, absoluteMs: path.jitterAbsoluteMs },
    lossPercent: heard.lossPercent, discardPercent: heard.discardPercent, burst: { lossPercent: path.burstPercent, ms: path.burstMs, gapLossPercent: path.gapPercent, gapMs: path.gapMs, gmin: GMIN },
    delay: { roundTripMs: rated(path.roundTripMs), endSystemMs: path.endSystemMs, oneWayMs: path.oneWayMs, jitterMs: path.jitterMs },
    estimate: { rLq: heard.rLq, rCq: heard.r, mosLq: heard.mosLq, mosCq: heard.mosCq, algorithm: codec === 'PCMA' || codec === 'PCMU' ? 'G.107' : 'G.107.1' },
  };
}

function theirMetrics(there: NonNullable<CallQuality['there']>, startMs: number, stopMs: number): VqMetrics {
  return {
    startMs, stopMs, concealment: there.concealment, jitterBuffer: { adaptive: there.adaptive, rate: there.rate, nominalMs: there.jitterNominalMs, maximumMs: there.jitterMaximumMs, absoluteMs: there.jitterAbsoluteMs },
    lossPercent: there.lossPercent, discardPercent: there.discardPercent, burst: { lossPercent: there.burstPercent, ms: there.burstMs, gapLossPercent: there.gapPercent, gapMs: there.gapMs, gmin: there.gmin },
    delay: { roundTripMs: there.roundTripMs > 0 ? there.roundTripMs : undefined, endSystemMs: there.endSystemMs },
    signal: { levelDb: known(there.signalDb), noiseDb: known(there.noiseDb), echoDb: known(there.echoDb) },
    estimate: { rCq: rated(there.r), mosLq: rated(there.mosLq), mosCq: rated(there.mosCq) },
  };
}
