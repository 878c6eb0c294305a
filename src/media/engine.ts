// The engine: carries out the commands of the door and joins streams to cards. It runs wholly on the thread it is made on, on that
// thread's event loop: a card's period, the clock's beat, a datagram, a command. What has no card is paced by the clock.

import type { AudioSystem } from '../ports/audio.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Network } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';
import { Card, ENGINE_HZ, strip, type PlaceState } from './card.ts';
import type { CodecFactory } from './codec.ts';
import type { Media, MediaCommand, MediaEvent, MediaSettings, Place, Program, Route, StreamId } from './door.ts';
import type { MediaExtras } from './extras.ts';
import { Limiter } from './mixer.ts';
import { createPace } from './pace.ts';
import { Stream } from './stream.ts';
import { ToneGenerator, type Sounding } from './tones.ts';

export interface EnginePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  readonly udp: Network;
  readonly audio: AudioSystem;
  readonly codec: CodecFactory;
  /** Loads what only some calls need; absent: such calls do without. */
  readonly extras?: () => MediaExtras;
}

/** Beat of what has no card. */
const BEAT_MS = 20;
const NOWHERE: Route = { to: 'nothing' };

type StreamCommand = Exclude<Extract<MediaCommand, { readonly stream: StreamId }>, { readonly do: 'open' }>;

interface Joined {
  readonly stream: Stream;
  route: Route;
  program: Sounding | undefined;
}

export function createEngine(ports: EnginePorts, settings: MediaSettings): Media {
  const listeners: ((event: MediaEvent) => void)[] = [];
  const joined = new Map<StreamId, Joined>();
  /** Those routed to no card, served by the beat. */
  const loose: Joined[] = [];
  const states: Readonly<Record<Place, PlaceState>> = {
    handset: placeState('handset', settings), speaker: placeState('speaker', settings), ringer: placeState('ringer', settings),
  };
  let cards = new Map<string, Card>();
  let opening = Promise.resolve();
  let closed = false;

  const tell = (event: MediaEvent): void => {
    if (event.event === 'trouble') ports.log?.warn({ code: event.code }, event.message);
    for (const on of listeners) on(event);
  };
  const streamPorts = { clock: ports.clock, random: ports.random, udp: ports.udp, codec: ports.codec, extras: ports.extras, tell };

  const sound = new Int16Array(BEAT_MS * ENGINE_HZ / 1000);
  const pace = createPace(ports.clock, BEAT_MS, () => {
    const now = ports.clock.now();
    for (let i = 0; i < loose.length; i++) {
      const { stream, route, program } = loose[i]!;
      if (!stream.live) continue;
      stream.hear(sound, sound.length, now);
      if (route.to !== 'echo') sound.fill(0);
      program?.mix(sound); // adds nothing once it ended
      stream.say(sound, sound.length);
    }
  });

  const sounding = (program: Program): Sounding => {
    if (!('wav' in program)) return new ToneGenerator(program, ENGINE_HZ);
    const made = ports.extras?.().wav(program, ENGINE_HZ) ?? 'not on this phone';
    if (typeof made !== 'string') return made;
    tell({ event: 'trouble', code: 'SOUND_NOT_PLAYED', message: `The sound ${program.wav} is not played: ${made}.` });
    return new ToneGenerator(program.instead, ENGINE_HZ);
  };

  const join = (entry: Joined, route: Route): void => {
    leave(entry);
    entry.route = route;
    entry.program = route.to === 'program' ? sounding(route.program) : undefined;
    entry.stream.meets = route.to === 'place' && route.meets === true;
    if (route.to === 'place') {
      states[route.place].streams.push(entry.stream);
      settle(route.place);
    } else loose.push(entry);
    beat();
  };
  const leave = (entry: Joined): void => {
    const { route } = entry;
    if (route.to === 'place') {
      remove(states[route.place].streams, entry.stream);
      settle(route.place);
    }
    remove(loose, entry);
  };
  const beat = (): void => {
    if (loose.some((entry) => entry.stream.live)) pace.start();
    else pace.stop();
  };

  /** One card for each device named, however many places name it. */
  const wire = (): void => {
    const together = new Map<string, PlaceState[]>();
    for (const state of Object.values(states)) {
      const others = together.get(state.settings.device);
      if (others === undefined) together.set(state.settings.device, [state]);
      else others.push(state);
    }
    cards = new Map([...together].map(([device, places]) => [device, new Card(places, { clock: ports.clock, audio: ports.audio, tell, extras: ports.extras })]));
    for (const card of cards.values()) card.settle();
  };
  /** End the tone of a place without a click. */
  const fade = (place: Place): PlaceState => {
    const state = states[place];
    state.tone?.end();
    state.fading = state.tone ?? state.fading;
    state.tone = undefined;
    return state;
  };
  const settle = (place: Place): void => cards.get(states[place].settings.device)?.settle();

  const use = (next: MediaSettings): void => {
    const changed = Object.values(states).some(({ place, settings: now }) => {
      const then = next.places[place];
      return now.device !== then.device || now.periodMs !== then.periodMs || now.periods !== then.periods;
    });
    settings = next;
    for (const state of Object.values(states)) {
      const before = JSON.stringify(state.settings.room);
      state.settings = next.places[state.place];
      if (before !== JSON.stringify(state.settings.room)) strip(state);
    }
    for (const card of cards.values()) card.settle();
    if (!changed) return;
    for (const card of cards.values()) card.close();
    wire();
  };

  const onStream = (command: StreamCommand): void => {
    const entry = joined.get(command.stream);
    if (entry === undefined) return; // closed meanwhile
    const { stream } = entry;
    switch (command.do) {
      case 'negotiated':
        stream.negotiated(command.session);
        return beat();
      case 'route':
        return join(entry, command.route);
      case 'mute':
        stream.muted = command.muted;
        return;
      case 'digit':
        if (!stream.digit(command.digit, command.ms)) tell({ event: 'trouble', code: 'DIGIT_REFUSED', message: 'A key that is no DTMF digit, or too many at once, was not sent.' });
        return;
      case 'record':
        return ports.extras?.().record(stream, command, tell);
      case 'measure':
        return tell({ event: 'stats', stream: command.stream, ask: command.ask, stats: stream.stats() });
      case 'close':
        joined.delete(command.stream);
        leave(entry);
        stream.close();
        return beat();
      default:
        command satisfies never;
    }
  };

  wire();
  return {
    command(command) {
      if (closed) return;
      switch (command.do) {
        case 'open': {
          if (joined.has(command.stream)) {
            return tell({ event: 'failed', stream: command.stream, code: 'STREAM_IN_USE', message: `Stream ${command.stream} is open already.` });
          }
          const entry: Joined = { stream: new Stream(command.stream, command.cname, streamPorts, settings), route: NOWHERE, program: undefined };
          joined.set(command.stream, entry);
          join(entry, NOWHERE);
          opening = opening.then(() => (command.group === undefined ? entry.stream.open(command.host) : entry.stream.join(command.group).then((heard) => {
            beat();
            return heard;
          }))).then((opened) => { // one after the other: none stands in another's way
            if (opened || joined.get(command.stream) !== entry) return;
            joined.delete(command.stream);
            leave(entry);
            entry.stream.close();
          });
          return;
        }
        case 'tone': {
          const state = fade(command.place);
          state.tone = sounding(command.program);
          state.toneId = command.id;
          return settle(command.place);
        }
        case 'quiet':
          fade(command.place);
          return settle(command.place);
        case 'warm':
          states[command.place].warm = command.on;
          return settle(command.place);
        case 'settings':
          return use(command.settings);
        case 'probe': {
          const { place, ask } = command, probe = ports.extras?.().probe(ENGINE_HZ);
          const answer = (heard: Extract<MediaEvent, { event: 'probed' }>['heard']): void => tell({ event: 'probed', place, ask, heard });
          if (probe === undefined) return answer('sound cards cannot be tested here');
          const begun = cards.get(states[place].settings.device)!.test(probe, (xruns) => answer(xruns >= 0 ? { captured: probe.captured, rateHz: ENGINE_HZ, xruns } : 'the test was interrupted: a call came, or the sound card was lost'));
          if (!begun) answer('the sound card is in use');
          return;
        }
        case 'sound':
          return tell({ event: 'sound', ask: command.ask, places: [...cards.values()].flatMap((card) => card.report()) });
        case 'ping': // answered by the event loop, so that a loop that stands still is noticed
          ports.clock.after(0, () => tell({ event: 'pong', ask: command.ask }));
          return;
        default:
          return onStream(command);
      }
    },
    subscribe(on) {
      listeners.push(on);
    },
    close() {
      if (closed) return;
      closed = true;
      pace.stop();
      for (const { stream } of joined.values()) stream.close();
      joined.clear();
      for (const card of cards.values()) card.close();
    },
  };
}

function placeState(place: Place, settings: MediaSettings): PlaceState {
  return { place, settings: settings.places[place], warm: false, tone: undefined, toneId: 0, fading: undefined, told: '', streams: [], room: undefined, limiter: new Limiter() };
}

function remove<T>(list: T[], one: T): void {
  const at = list.indexOf(one);
  if (at >= 0) list.splice(at, 1);
}
