// One RTP stream of a call: its pair of sockets, its two paths, its reports. Sound goes in by say() and out by hear(), both at 16 kHz,
// by whoever the stream is routed to. Knows nothing of cards and places.

import type { Clock } from '../ports/clock.ts';
import type { DatagramSocket, Endpoint, Network } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';
import type { Codec, CodecFactory } from './codec.ts';
import type { CodecUse, CryptoUse, MediaEvent, MediaSettings, StreamId, StreamSession, StreamStats } from './door.ts';
import type { MediaExtras, Quality, Srtp, Tap } from './extras.ts';
import { Latch } from './latch.ts';
import { Receiver } from './receiver.ts';
import { arrive, lostOf, readRtcp, reception, roundTripMs, rtcpIntervalMs, rtcpNews, writeRtcp } from './rtcp.ts';
import { readRtp, rtpPacket, type RtpPacket } from './rtp.ts';
import { Sender } from './sender.ts';
import { eventOf, EventReceiver } from './telephone-event.ts';

export interface StreamPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly udp: Network;
  readonly codec: CodecFactory;
  readonly extras: (() => MediaExtras) | undefined;
  readonly tell: (event: MediaEvent) => void;
}

/** Comfort noise (RFC 3389): tolerated also where it was not agreed on. */
const COMFORT_NOISE = 13;
const SECOND_MS = 1000;
/** What pages are spoken in: the static types of RFC 3551. */
const PAGED: readonly CodecUse[] = [{ name: 'PCMU', payloadType: 0 }, { name: 'PCMA', payloadType: 8 }];
/** A page is over when nothing more came for so long; looked at so often. */
const PAGE_OVER_MS = 1500;
const PAGE_WATCH_MS = 250;
/** The second byte of RTCP: what no RTP packet has that shares its port (RFC 5761 §4). */
const RTCP_FIRST = 192, RTCP_LAST = 223;
/** Reports have time: their socket is looked at once in so many periods. */
const RTCP_TURNS = 8;
/** Sound is heard later than an event comes, by the jitter buffer and the length of the key. */
const SAME_KEY_MS = 500;
const unspecified = (e: Endpoint): boolean => e.port === 0 || e.host === '' || e.host === '0.0.0.0' || e.host === '::';

export class Stream {
  /** Hears, and is heard by, the others at its place. */
  meets = false;
  /** Takes part in the sound, set by whoever makes it. */
  tap: Tap | undefined;
  readonly #id: StreamId;
  readonly #ports: StreamPorts;
  readonly #settings: MediaSettings;
  readonly #cname: Uint8Array;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  readonly #latch = new Latch();
  readonly #codecs = new Map<string, Codec>();
  readonly #packet: RtpPacket = rtpPacket();
  readonly #news = rtcpNews();
  #rtp: DatagramSocket | undefined;
  #rtcp: DatagramSocket | undefined;
  #closed = false;
  /** Periods heard. */
  #turn = 0;
  /** Hears a multicast group. */
  #paged = false;
  #session: StreamSession | undefined;
  #hearing = false;
  /** Once a session was encrypted; kept while one is not, for no index may serve twice. */
  #srtp: Srtp | undefined;
  /** Rates what is heard; nothing of a page is. */
  #quality: Quality | undefined;
  /** Codecs that could not be made, told once each. */
  #missing = '';

  #reception = reception();
  #events: EventReceiver | undefined;
  /** Hears keys in the sound. */
  #listener: ReturnType<MediaExtras['dtmfDetector']> | undefined;
  /** The digit that came last as an event, and when. */
  #event = '';
  #eventMs = 0;
  #newSsrc = 0;
  #newSequence = -1;
  #received = 0;
  #refused = 0;
  /** Whether 'heard' was told, and stands. */
  #heard = false;
  /** 'silent' is told once, until something is heard or negotiated. */
  #alarm: 'armed' | 'told' = 'armed';
  #heardMs = 0;

  /** Wall time minus monotonic time when the stream began: reports must not follow a clock that is set. */
  readonly #wallMs: number;
  #reportBuffer: Uint8Array | undefined;
  #reportedPackets = 0;
  #rtcpFrom: Endpoint | undefined;
  #lastSr = 0;
  #lastSrMs = 0;
  #roundTripMs = -1;
  #remoteLoss = 0;
  #stopReports = (): void => undefined;
  #stopWatch = (): void => undefined;

  constructor(id: StreamId, cname: string, ports: StreamPorts, settings: MediaSettings) {
    this.#id = id;
    this.#ports = ports;
    this.#settings = settings;
    this.#cname = Buffer.from(cname);
    this.#wallMs = ports.clock.wall() - ports.clock.now();
    this.#sender = new Sender(ports.random, (packet) => {
      const out = this.#session?.crypto === undefined ? packet : this.#srtp?.protect(packet);
      if (out !== undefined) this.#rtp?.send(out, this.#latch.to);
    });
    this.#receiver = new Receiver(settings.jitterMinMs, settings.jitterMaxMs, (payloadType) => this.#codecOf(payloadType), ports.extras);
  }

  /** True once negotiated, until closed: the stream wants to be served. */
  get live(): boolean {
    return this.#session !== undefined && !this.#closed;
  }

  set muted(muted: boolean) {
    this.#sender.muted = muted;
  }

  /** Bind the pair of ports, an even one and the next (RFC 3550 §11); tells 'opened' or 'failed'; false when there is nothing to go on with. */
  async open(host: string): Promise<boolean> {
    const { udp, random, tell } = this.#ports;
    const first = this.#settings.rtpPortMin + (this.#settings.rtpPortMin & 1);
    const pairs = Math.max(0, (this.#settings.rtpPortMax - first + 1) >> 1);
    const start = Math.floor(random.fraction() * pairs);
    const onError = (): void => undefined; // a refusal says no more than silence does, which is watched
    for (let i = 0; i < pairs && !this.#closed; i++) {
      const port = first + 2 * ((start + i) % pairs);
      let rtp: DatagramSocket | undefined;
      try {
        rtp = await udp.udp({ host, port }, { onDatagram: (bytes, from, ageMs) => this.#onRtp(bytes, from, ageMs), onError });
        const rtcp = await udp.udp({ host, port: port + 1 }, { onDatagram: (bytes, from, ageMs) => this.#onRtcp(bytes, from, ageMs), onError });
        if (this.#closed) {
          rtp.close();
          rtcp.close();
          return false;
        }
        this.#rtp = rtp;
        this.#rtcp = rtcp;
        tell({ event: 'opened', stream: this.#id, port, rtcpPort: port + 1 });
        return true;
      } catch (error) {
        rtp?.close();
        const { code, message } = error as { code?: string; message: string };
        if (code === 'PORT_IN_USE') continue;
        tell({ event: 'failed', stream: this.#id, code: code ?? 'NO_RTP_PORT', message });
        return false;
      }
    }
    if (!this.#closed) {
      tell({ event: 'failed', stream: this.#id, code: 'NO_RTP_PORT', message: `No free pair of ports from ${this.#settings.rtpPortMin} to ${this.#settings.rtpPortMax}: widen the settings media.rtpPortMin and media.rtpPortMax.` });
    }
    return false;
  }

  /** Hear whoever speaks to a multicast group; tells 'opened' or 'failed', then 'heard' and 'silent' for each page. */
  async join(group: Endpoint): Promise<boolean> {
    const { udp, tell } = this.#ports;
    try {
      const rtp = await udp.udp(group, { onDatagram: (bytes, from, ageMs) => this.#onRtp(bytes, from, ageMs), onError: () => undefined });
      if (this.#closed) {
        rtp.close();
        return false;
      }
      this.#rtp = rtp;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      tell({ event: 'failed', stream: this.#id, code: code ?? 'NO_ROUTE', message });
      return false;
    }
    this.#paged = true;
    this.negotiated({ remote: { host: '', port: 0 }, rtcpPort: 0, send: PAGED[0]!, receive: PAGED, direction: 'recvonly', ptimeMs: 20 });
    tell({ event: 'opened', stream: this.#id, port: group.port, rtcpPort: 0 });
    return true;
  }

  /** Begin, or go on differently. */
  negotiated(session: StreamSession): void {
    const { clock, random } = this.#ports;
    const before = this.#session;
    this.#session = session;
    this.#latch.negotiate(session.remote);
    if (session.crypto !== undefined) this.#encrypt(session.crypto);
    if (!this.#paged) this.#quality ??= this.#ports.extras?.().createQuality?.(this, this.#id, this.#sender.ssrc, this.#receiver.jitter, this.#settings, this.#ports);
    this.#quality?.negotiated(session);
    const codec = this.#codec(session.send);
    codec?.retune?.(session.send.fmtp ?? ''); // it may be there since we received it
    this.#sender.enabled = codec !== undefined && /^send/.test(session.direction) && !unspecified(session.remote);
    if (codec !== undefined) this.#sender.configure(codec, session.send.payloadType, session.ptimeMs, session.eventSend, session.eventHz);
    const noise = codec === undefined || codec.name === 'opus' ? undefined : session.noiseSend; // Opus has a way of its own
    this.#sender.suppress(noise === undefined ? undefined : this.#ports.extras?.().createSilence(codec!.rateHz), noise ?? 0);
    const hearing = session.direction === 'sendrecv' || session.direction === 'recvonly';
    if (hearing && !this.#hearing) this.#receiver.reset();
    this.#hearing = hearing;
    this.#heardMs = clock.now();
    if (this.#events === undefined || eventHzOf(before) !== eventHzOf(session)) this.#renewEvents();
    const { inbandDtmf } = this.#settings;
    const listens = inbandDtmf === 'on' || (inbandDtmf === 'auto' && session.eventReceive === undefined && !this.#paged);
    this.#listener = listens ? this.#listener ?? this.#ports.extras?.().dtmfDetector((digit, ms) => this.#tellDigit(digit, ms, true)) : undefined;
    if (before !== undefined) return;
    this.#stopReports = clock.after(rtcpIntervalMs(random, true), this.#reportDue);
    this.#stopWatch = clock.after(SECOND_MS, this.#watch);
  }

  /** What cannot be sealed does not leave, and nothing that comes is genuine. */
  #encrypt(crypto: CryptoUse): void {
    if (this.#srtp === undefined) this.#srtp = this.#ports.extras?.().createSrtp(crypto);
    else this.#srtp.use(crypto);
  }

  /** Queue a digit; false when it is none, or too many wait. */
  digit(digit: string, ms: number): boolean {
    return eventOf(digit) >= 0 && this.#sender.digit(digit, ms);
  }

  /** Take `count` samples of 16 kHz to send. */
  say(samples: Int16Array, count: number): void {
    if (this.tap === undefined) this.#sender.push(samples, count);
    else this.tap.say(samples, count, this.#sender);
  }

  /** Give `count` samples of 16 kHz to hear. */
  hear(out: Int16Array, count: number, nowMs: number): void {
    this.#rtp?.poll?.();
    if (this.#turn++ % RTCP_TURNS === 0) this.#rtcp?.poll?.();
    this.#events?.poll(nowMs);
    if (this.#hearing) {
      this.#receiver.pull(out, count, nowMs);
      this.#listener?.take(out, count);
      this.tap?.hear(out, count);
    } else out.fill(0, 0, count);
  }

  stats(): StreamStats {
    const { jitter, concealedMs, delayMs, bufferedMs, acceleratedMs, expandedMs, recovered } = this.#receiver;
    const { host, port } = this.#latch.to;
    const name = this.#session?.send.name;
    return {
      codec: name ?? '',
      remote: host === '' ? '' : host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
      sentPackets: this.#sender.packets,
      receivedPackets: this.#received,
      lostPackets: Math.max(0, lostOf(this.#reception) + this.#reception.doubles), // reports let doubles make up for losses, people do not
      latePackets: jitter.late + jitter.dropped,
      refusedPackets: this.#refused,
      forgedPackets: this.#srtp?.forged ?? 0,
      replayedPackets: this.#srtp?.replayed ?? 0,
      jitterMs: this.#reception.jitter * 1000 / clockOf(name),
      playoutDelayMs: delayMs,
      wantedDelayMs: jitter.targetMs,
      bufferedMs,
      concealedMs,
      acceleratedMs,
      expandedMs,
      recoveredPackets: recovered,
      roundTripMs: this.#roundTripMs,
      remoteLossPercent: this.#remoteLoss,
      quality: this.#quality?.now,
    };
  }

  /** Say goodbye (RFC 3550 §6.6) and free everything. */
  close(): void {
    if (this.#closed) return;
    if (this.#session !== undefined) this.#report(true);
    this.#quality?.close();
    this.#closed = true;
    this.tap?.end();
    this.#stopReports();
    this.#stopWatch();
    this.#rtp?.close();
    this.#rtcp?.close();
    for (const codec of this.#codecs.values()) codec.close();
  }

  #codec(use: CodecUse): Codec | undefined {
    let codec = this.#codecs.get(use.name);
    if (codec !== undefined || this.#missing.includes(use.name)) return codec;
    try {
      codec = this.#ports.codec(use, this.#settings);
      this.#codecs.set(use.name, codec);
    } catch (error) {
      this.#missing += `${use.name} `;
      const { code, message } = error as { code?: string; message: string };
      this.#ports.tell({ event: 'trouble', code: code ?? 'CODEC_FAILED', message });
    }
    return codec;
  }

  #useOf(payloadType: number): CodecUse | undefined {
    const uses = this.#session?.receive;
    if (uses !== undefined) for (let i = 0; i < uses.length; i++) if (uses[i]!.payloadType === payloadType) return uses[i];
    return undefined;
  }

  #codecOf(payloadType: number): Codec | undefined {
    const use = this.#useOf(payloadType);
    return use === undefined ? undefined : this.#codec(use);
  }

  #renewEvents(): void {
    this.#events = new EventReceiver(eventHzOf(this.#session), (digit, ms) => this.#tellDigit(digit, ms, false));
  }

  /** A key that comes both as event and, later by the jitter buffer, as sound is one. */
  #tellDigit(digit: string, ms: number, inBand: boolean): void {
    const now = this.#ports.clock.now();
    if (inBand && digit === this.#event && now - this.#eventMs < SAME_KEY_MS) return;
    if (!inBand) {
      this.#event = digit;
      this.#eventMs = now;
    }
    this.#ports.tell({ event: 'digit', stream: this.#id, digit, ms });
  }

  #onRtp(bytes: Buffer, from: Endpoint, ageMs = 0): void {
    const packet = this.#packet, session = this.#session;
    if (this.#closed || session === undefined) return;
    if (session.rtcpMux === true && bytes.length > 1 && bytes[1]! >= RTCP_FIRST && bytes[1]! <= RTCP_LAST) return this.#onRtcp(bytes, from, ageMs);
    // What is not genuine counts for nothing: neither heard nor believed to come from where the other side now is.
    const length = session.crypto === undefined ? bytes.length : this.#opened(bytes, false);
    const now = this.#ports.clock.now() - ageMs;
    const known = length > 0 && readRtp(bytes, packet, length);
    const event = known && packet.payloadType === session.eventReceive;
    const use = known && !event ? this.#useOf(packet.payloadType) : undefined;
    if (this.#paged && !this.#heard) this.#latch.negotiate({ host: from.host, port: from.port }); // whoever speaks first, until he is silent
    const noise = known && (packet.payloadType === COMFORT_NOISE || packet.payloadType === session.noiseReceive);
    if ((use === undefined && !event && !noise) || !this.#latch.accept(from, packet.ssrc, packet.payloadType, packet.sequence) || !this.#sameSource(packet)) {
      this.#refused++;
      return;
    }
    this.#received++;
    this.#heardMs = now;
    const fresh = arrive(this.#reception, packet, use === undefined ? NaN : now * clockOf(use.name) / 1000);
    if (!this.#heard) {
      this.#heard = true;
      this.#ports.tell({ event: 'heard', stream: this.#id });
    }
    if (fresh) this.#quality?.packet(packet);
    if (event) this.#events?.receive(packet.payload, packet.timestamp, packet.marker, now);
    if (use === undefined || packet.payload.length === 0) this.#receiver.skip(packet.sequence, noise ? packet.payload : undefined);
    else if (fresh && this.#hearing) this.#receiver.put(packet, now);
  }

  /** Another SSRC is believed from its second packet in a row on: the sender began anew (RFC 3550 §8.2, §A.1). */
  #sameSource(packet: RtpPacket): boolean {
    const { ssrc, sequence } = packet, heard = this.#reception;
    if (ssrc === heard.ssrc && heard.highest >= 0) {
      this.#newSequence = -1;
      return true;
    }
    if (heard.highest >= 0 && (ssrc !== this.#newSsrc || sequence !== this.#newSequence)) {
      this.#newSsrc = ssrc;
      this.#newSequence = (sequence + 1) & 0xffff;
      return false;
    }
    this.#reception = { ...reception(ssrc), lostBefore: lostOf(heard), doubles: heard.doubles };
    this.#newSequence = -1;
    this.#lastSr = 0;
    this.#receiver.reset();
    this.#renewEvents();
    return true;
  }

  #onRtcp(bytes: Buffer, from: Endpoint, ageMs = 0): void {
    if (this.#closed) return;
    const news = this.#news, now = this.#ports.clock.now() - ageMs;
    const plain = this.#session?.crypto === undefined ? bytes : bytes.subarray(0, from.host !== this.#latch.to.host ? 0 : this.#opened(bytes, true));
    if (from.host !== this.#latch.to.host || !readRtcp(plain, this.#sender.ssrc, news)) {
      this.#refused++;
      return;
    }
    if (from.port !== this.#rtcpFrom?.port || from.host !== this.#rtcpFrom.host) this.#rtcpFrom = { host: from.host, port: from.port };
    if (news.sr !== 0) {
      this.#lastSr = news.sr;
      this.#lastSrMs = now;
    }
    this.#quality?.heard(plain);
    if (!news.aboutUs) return;
    const roundTrip = roundTripMs(news, this.#wallMs + now);
    if (roundTrip >= 0) this.#roundTripMs = roundTrip;
    this.#remoteLoss = news.lossPercent;
    const name = this.#session?.send.name;
    if (name !== undefined) this.#codecs.get(name)?.expectLoss?.(news.lossPercent);
  }

  /** How much of it is a genuine packet, opened where it lies; 0 for none. */
  #opened(bytes: Buffer, rtcp: boolean): number {
    const srtp = this.#srtp;
    return srtp === undefined ? 0 : Math.max(0, rtcp ? srtp.unprotectRtcp(bytes) : srtp.unprotect(bytes));
  }

  readonly #reportDue = (): void => {
    this.#report(false);
    this.#stopReports = this.#ports.clock.after(rtcpIntervalMs(this.#ports.random, false), this.#reportDue);
  };

  #report(bye: boolean): void {
    const session = this.#session!, { to } = this.#latch;
    if (unspecified(session.remote)) return;
    const now = this.#ports.clock.now();
    const out = this.#reportBuffer ??= new Uint8Array(512);
    let bytes = writeRtcp(out, {
      ssrc: this.#sender.ssrc, cname: this.#cname, sender: this.#sender.packets > this.#reportedPackets, wallMs: this.#wallMs + now,
      timestamp: this.#sender.timestamp, packets: this.#sender.packets, octets: this.#sender.octets,
      lastSr: this.#lastSr, sinceLastSrMs: now - this.#lastSrMs, bye,
    }, this.#reception);
    if (this.#quality !== undefined) bytes = this.#quality.append(out, bytes, bye);
    this.#reportedPackets = this.#sender.packets;
    const port = to.port === session.remote.port && to.host === session.remote.host ? session.rtcpPort : to.port + 1;
    const target = this.#rtcpFrom?.host === to.host ? this.#rtcpFrom : { host: to.host, port };
    const report = out.subarray(0, bytes), sealed = session.crypto === undefined ? report : this.#srtp?.protectRtcp(report);
    if (sealed === undefined) return;
    if (session.rtcpMux === true) this.#rtp?.send(sealed, to);
    else if (target.port > 0 && target.port < 65_536) this.#rtcp?.send(sealed, target);
  }

  /** Only where sound is due both ways: whoever holds us may be silent. */
  readonly #watch = (): void => {
    const { clock, tell } = this.#ports;
    const limit = this.#settings.rtpTimeoutS, since = clock.now() - this.#heardMs;
    const due = this.#paged ? this.#heard && since >= PAGE_OVER_MS : limit > 0 && this.#session?.direction === 'sendrecv' && since >= limit * SECOND_MS;
    if (due && this.#alarm === 'armed') {
      this.#alarm = 'told';
      this.#heard = false;
      tell({ event: 'silent', stream: this.#id, seconds: Math.floor(since / SECOND_MS) });
    } else if (!due) this.#alarm = 'armed';
    if (!this.#closed) this.#stopWatch = clock.after(this.#paged ? PAGE_WATCH_MS : SECOND_MS, this.#watch);
  };
}

/** Ticks a second of the events: those of the codec, unless agreed otherwise. */
const eventHzOf = (session: StreamSession | undefined): number => session?.eventHz ?? clockOf(session?.send.name);

/** Ticks a second of a codec's RTP clock. */
const clockOf = (name: string | undefined): number => (name === 'opus' ? 48_000 : name === 'L16' ? 16_000 : 8_000);

