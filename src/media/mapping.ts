// The address of a call's sound as the world beyond a NAT sees it: asked of a STUN server (RFC 8489 Binding) from the very sockets that carry the sound,
// before an offer or answer tells it, and kept open while nothing is sent. Loaded only where the setting media.stunServer names a server.
//
//   engine --opened--> ask from both sockets --mapped address, or after 500 ms the own one--> phone
//   socket --STUN--> here        --all else--> engine
//
// A NAT that gives each destination another port (address-dependent mapping, RFC 4787 §4.1) cannot be got through like this, and is not told apart: there
// only a server that relays the sound helps.

import type { Media, MediaEvent, StreamId } from './door.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { DatagramSocket, Endpoint, Network } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';

/** The messages, from the room that has them. */
export interface StunMessages {
  /** A Binding request with this id of 12 bytes. */
  binding(id: Uint8Array): Buffer;
  isStun(bytes: Buffer): boolean;
  /** 'host port' out of the answer to `id`; undefined when it is none. */
  mappedIn(bytes: Buffer, id: Uint8Array): string | undefined;
}

export interface MappingPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly udp: Network;
  readonly stun: StunMessages;
  /** An IPv4 address of a name; undefined when there is none. */
  readonly resolve: (name: string) => Promise<string | undefined>;
}

/**
 * Departs from the 500 ms, doubling, of RFC 8489 §6.2.1: a person waits for the call. Resent after 100 and 300 ms, given up after 500.
 */
const RESENT_MS = [0, 100, 300], GIVEN_UP_MS = 500;
/** After a failure calls do not wait for the server for so long, unless it answers. */
const SILENCE_MS = 60_000;
/** RFC 6263 §4: so long after the last packet something is sent. */
const KEEP_MS = 15_000;
const STUN_PORT = 3478;
const NOTHING = new Uint8Array();

type Opened = Extract<MediaEvent, { event: 'opened' }>;

interface Question {
  readonly id: Uint8Array;
  readonly server: Endpoint;
  answered(mapped: Endpoint): void;
}

/** One socket of a stream. */
interface Known {
  readonly socket: DatagramSocket;
  question: Question | undefined;
  mapped: Endpoint | undefined;
  sentMs: number;
  to: Endpoint | undefined;
  closed: boolean;
}

/** 'host:port' or 'host', for the default port of STUN. */
export function serverOf(text: string): Endpoint {
  const [, host = text, port] = /^(.*?)(?::(\d+))?$/.exec(text) ?? [];
  return { host, port: port === undefined ? STUN_PORT : Number(port) };
}

const isV4 = (host: string): boolean => /^\d+(\.\d+){3}$/.test(host);

/** On our own side of the NAT: loopback, private, link-local; and IPv6, which has no NAT to get through. */
export const isNear = (host: string): boolean =>
  host.includes(':') || /^(0|10|127)\.|^192\.168\.|^169\.254\.|^172\.(1[6-9]|2\d|3[01])\./.test(host);

/** The host in 'sip:user@host:port;x', 'host:port', '[v6]:port'. */
export const hostIn = (far: string): string => /^(?:sips?:)?(?:[^@]*@)?(\[[^\]]*\]|[^:;?>]*)/i.exec(far)?.[1] ?? '';

/** The engine that `make` makes on the network it is given, its streams opened with the address at the NAT. `server`: host, or host:port. */
export function throughNat(ports: MappingPorts, server: string, make: (udp: Network) => Media): Media {
  const { clock, random, log, stun } = ports, asked = serverOf(server);
  const sockets = new Map<number, Known>();
  /** Whom each stream is opened for. */
  const fars = new Map<StreamId, string>();
  const listeners: ((event: MediaEvent) => void)[] = [];
  let silentUntilMs = -Infinity;
  let stopKeeping: (() => void) | undefined;

  const addressOf = async (host: string): Promise<string | undefined> => (isV4(host) || host.includes(':') ? host : ports.resolve(host).catch(() => undefined));

  const ask = (known: Known, to: Endpoint, answered: (mapped: Endpoint) => void): void => {
    if (known.closed) return;
    const id = random.bytes(12);
    known.question = { id, server: to, answered };
    known.socket.send(stun.binding(id), to);
  };

  /** True when it was STUN, whoever sent it. */
  const take = (known: Known, bytes: Buffer, from: Endpoint): boolean => {
    if (!stun.isStun(bytes)) return false;
    const { question } = known;
    if (question === undefined || from.host !== question.server.host || from.port !== question.server.port) return true;
    const [host, port] = stun.mappedIn(bytes, question.id)?.split(' ') ?? [];
    if (host === undefined || !isV4(host)) return true;
    known.question = undefined;
    silentUntilMs = -Infinity;
    question.answered({ host, port: Number(port) });
    return true;
  };

  const udp: Network = {
    ...ports.udp,
    async udp(local, handler) {
      let known: Known | undefined = undefined as Known | undefined;
      const socket = await ports.udp.udp(local, {
        onDatagram(bytes, from, ageMs) { if (known === undefined || !take(known, bytes, from)) handler.onDatagram(bytes, from, ageMs); },
        onError: (error, to) => handler.onError(error, to),
      });
      const made: Known = known = { socket, question: undefined, mapped: undefined, sentMs: clock.now(), to: undefined, closed: false };
      sockets.set(socket.local.port, made);
      return {
        local: socket.local,
        send(bytes, to) {
          made.sentMs = clock.now();
          made.to = to;
          socket.send(bytes, to);
        },
        ...(socket.poll === undefined ? {} : { poll: () => socket.poll!() }),
        close() {
          made.closed = true;
          made.question = undefined;
          sockets.delete(socket.local.port);
          socket.close();
        },
      };
    },
  };

  /** The mapped addresses of sockets; what is not known in time is missing. */
  const mapped = (wanted: readonly (Known | undefined)[], far: string): Promise<void> => new Promise((resolve) => {
    let waits = true, near = false;
    const stops: (() => void)[] = [];
    const done = (): void => {
      if (!waits) return;
      waits = false;
      for (const stop of stops) stop();
      resolve();
    };
    const patient = clock.now() >= silentUntilMs;
    stops.push(clock.after(patient ? GIVEN_UP_MS : 0, () => {
      done();
      if (!patient || near) return;
      silentUntilMs = clock.now() + SILENCE_MS;
      log.warn({ server }, 'STUN server silent: the call tells the address inside the NAT');
    }));
    void Promise.all([addressOf(hostIn(far)), addressOf(asked.host)]).then(([there, host]) => {
      near = there !== undefined && isNear(there);
      if (near) return done();
      if (host === undefined) return; // no such name: the time runs out, and the log says so
      const to = { host, port: asked.port };
      const questions = wanted.filter((each) => each !== undefined);
      let left = questions.length;
      for (const known of questions) {
        const answered = (at: Endpoint): void => {
          known.mapped = at;
          if (--left === 0) done();
        };
        ask(known, to, answered);
        const { question } = known;
        for (const ms of RESENT_MS.slice(1)) stops.push(clock.after(ms, () => { if (known.question === question && question !== undefined) known.socket.send(stun.binding(question.id), to); }));
      }
    });
  });

  const onOpened = async (event: Opened): Promise<Opened> => {
    const far = fars.get(event.stream), rtp = sockets.get(event.port), rtcp = sockets.get(event.rtcpPort);
    if (far === undefined || rtp === undefined || rtp.socket.local.host.includes(':') || rtp.socket.local.host.startsWith('127.')) return event;
    await mapped([rtp, rtcp], far);
    const at = rtp.mapped;
    if (at === undefined || rtp.closed) return event;
    log.debug({ stream: event.stream, mapped: `${at.host}:${at.port}`, rtcp: rtcp?.mapped?.port ?? 0 }, 'address at the NAT');
    keep();
    return { ...event, host: at.host, port: at.port, rtcpPort: rtcp?.mapped?.host === at.host ? rtcp.mapped.port : at.port + 1 };
  };

  /** While a mapped socket sends nothing, the NAT is asked again, and the other side gets an empty datagram (RFC 6263 §4.1), so that both stay known to it. */
  const keep = (): void => {
    stopKeeping ??= clock.after(KEEP_MS, () => {
      stopKeeping = undefined;
      const all = [...sockets.values()].filter((each) => each.mapped !== undefined);
      for (const known of all) if (clock.now() - known.sentMs >= KEEP_MS) void refresh(known);
      if (all.length > 0) keep();
    });
  };
  const refresh = async (known: Known): Promise<void> => {
    if (known.to !== undefined) known.socket.send(NOTHING, known.to);
    const host = await addressOf(asked.host);
    if (host === undefined) return;
    ask(known, { host, port: asked.port }, (at) => {
      const before = known.mapped;
      known.mapped = at;
      if (before !== undefined && (before.host !== at.host || before.port !== at.port)) log.warn({ was: `${before.host}:${before.port}`, is: `${at.host}:${at.port}` }, 'the NAT gave a call another address: the other side may not be heard');
    });
  };

  const media = make(udp);
  media.subscribe((event) => {
    const tell = (said: MediaEvent): void => { for (const on of listeners) on(said); };
    if (event.event === 'opened') void onOpened(event).then(tell);
    else tell(event);
  });
  return {
    command(command) {
      if (command.do === 'open' && command.far !== undefined) fars.set(command.stream, command.far);
      else if (command.do === 'close') fars.delete(command.stream);
      media.command(command);
    },
    subscribe: (on) => { listeners.push(on); },
    close() {
      stopKeeping?.();
      media.close();
    },
  };
}
