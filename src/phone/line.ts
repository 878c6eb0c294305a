// One call with its sound: joins the agent's call, offer/answer and a media stream, and tells the telephone what became of it.
//
//   agent Call --CallEvent--> Line <--MediaEvent-- media        Line --LineEvent--> phone, built-in line
//
// Which call a person talks on, tones, bell and lamp are not known here.

import type { Answering, Destination, LineEvent, LinePorts, Outgoing } from './line-types.ts';
import type { Ring } from './ringing.ts';
import type { CallLogEntry, CallStatus } from './status.ts';
import type { CallQuality, CodecUse, MediaEvent, Place, Route, StreamId, ToneProgram } from '../media/door.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Endpoint } from '../ports/net.ts';
import { answerOffer, applyAnswer, makeOffer } from '../sdp/offer.ts';
import type { Encryption, LocalMedia, StreamSession } from '../sdp/types.ts';
import type { Call, CallEvent, Ending } from '../sip/agent-types.ts';

const SILENCE_AFTER_HANG_UP_MS = 5_000;
const DIGIT_MS = 100;
/** How often and how soon a refused hold or resume is tried. */
const REINVITES = 3;
const RETRY_MS = 1_000;
/** An emergency call does not wait for timer B (32 s) where there is another account. */
const HURRY_MS = 5_000;
const busy = new Set([486, 600, 603, 487]);
/** What is offered after `before` was refused by 488: some take keys in RTP/SAVP alone, some not at all. */
function nextOffer(wanted: Encryption, before: Encryption): Encryption | undefined {
  if (wanted === 'never' || wanted === 'always') return undefined;
  return before === wanted ? 'always' : wanted === 'preferred' && before === 'always' ? 'offered' : undefined;
}

/** A tone id of the beep of stream n; the telephone's own tones count up from 1. */
export const BEEP_ID = 1_000_000_000;

const NOWHERE: Route = { to: 'nothing' };

export class Line {
  readonly id: string;
  readonly stream: StreamId;
  readonly direction: 'in' | 'out';
  readonly startedAt: number;
  call: Call | undefined = undefined;
  place: Place = 'handset';
  state: 'calling' | 'ringing' | 'established' | 'ended' = 'calling';
  held = false;
  remoteHeld = false;
  muted = false;
  /** In a conference with another call of this phone. */
  joined = false;
  /** Kept by record.ts. */
  recording = false;
  intercom = false;
  emergency = false;
  /** Answered without a person: where, and with what caution. */
  auto: { readonly place: Place; readonly beep: ToneProgram; readonly maxS: number } | undefined = undefined;
  /** Rung for otherwise than usual. */
  ringStyle: Ring | undefined = undefined;
  /** Who it is, as shown; the address for calling back. */
  remote: string;
  name = '';
  /** Who was called first, when it was not us. */
  diverted: { readonly diverted?: string } = {};
  codec = '';
  /** What the sound is encrypted by; '' while it is not. */
  suite = '';
  ending: Ending | undefined = undefined;
  quality: CallQuality | undefined = undefined;
  readonly #ports: LinePorts;
  readonly #tell: (line: Line, event: LineEvent) => void;
  #route = NOWHERE;
  #routed = '';
  #answering: Answering | undefined = undefined;
  #plan: Outgoing | undefined = undefined;
  #attempt = 0;
  /** What was offered: other than the setting where that was refused. */
  #offered: Encryption | undefined = undefined;
  #host = '';
  #port: { readonly rtp: number; readonly rtcp: number } | undefined = undefined;
  /** The last description we sent; the other side's offer that waits for accept(). */
  #last: Buffer | undefined = undefined;
  #theirs: Buffer | undefined = undefined;
  #session: StreamSession | undefined = undefined;
  #beeping = false;
  /** A re-INVITE of ours waits for its answer. */
  #asking = false;
  #tries = 0;
  #holds = false;
  #establishedMs = 0;
  #leaving = false;
  #leavingWhy = '';
  #cancel: (() => void) | undefined;
  #hurry: (() => void) | undefined;

  constructor(ports: LinePorts, stream: StreamId, direction: 'in' | 'out', remote: string, tell: (line: Line, event: LineEvent) => void) {
    this.#ports = ports;
    this.#tell = tell;
    this.stream = stream;
    this.id = String(stream);
    this.direction = direction;
    this.remote = remote;
    this.startedAt = ports.clock.wall();
  }

  // --- outgoing

  /** Call `plan.to`, the sound joined to `route`. Failures come as `ended`. */
  async dial(plan: Outgoing, route: Route): Promise<void> {
    this.#plan = plan;
    this.#route = route;
    this.emergency = plan.emergency === true;
    if (route.to === 'place') this.place = route.place;
    this.#timer(this.#ports.settings().calls.noAnswerS, () => this.hangUp('no answer'));
    const host = await this.#ports.hostFor(plan.to[0]!);
    if (this.state !== 'ended') this.#open(host);
  }

  #open(host: string): void {
    this.#host = host;
    this.#ports.media.command({ do: 'open', stream: this.stream, host, cname: this.#ports.cname });
  }

  #invite(): void {
    const plan = this.#plan!;
    if (plan.page !== undefined) return this.#speak(plan.page);
    const { target, account } = plan.to[this.#attempt]!;
    const local = this.#local(undefined, this.#offered);
    this.#last = makeOffer(local);
    if (this.#offered === undefined) this.#say({ is: 'calling' });
    this.#offered = local.encryption;
    try {
      this.#take(this.#ports.call({
        target, offer: this.#last, user: plan.user, displayName: plan.display, anonymous: plan.emergency === true ? false : plan.anonymous, // who helps must be able to call back
        ...(account === undefined ? {} : { account }), ...(plan.headers === undefined ? {} : { headers: plan.headers }),
      }));
      if (plan.emergency === true && this.#attempt + 1 < plan.to.length) this.#hurry = this.#ports.clock.after(HURRY_MS, () => this.#next());
    } catch (error) {
      if (plan.emergency === true && this.#attempt + 1 < plan.to.length) return this.#next(); // whatever it was: help comes first
      if (!(error instanceof PhoneError)) throw error;
      this.#ended({ by: 'us', status: 484, why: error.message });
    }
  }

  /** To a group nobody answers: whoever listens hears us from now on. */
  #speak(remote: Endpoint): void {
    this.#say({ is: 'calling' });
    const use = { name: 'PCMU', payloadType: 0 } as const;
    this.#negotiated({ remote, rtcpPort: 0, send: use, receive: [use], direction: 'sendonly', ptimeMs: 20 });
    this.#establish();
  }

  /** Leave the account that does not answer for the next one. */
  #next(): void {
    const { call } = this;
    this.call = undefined; // what it still says is not heard
    this.#attempt++;
    this.#offered = undefined;
    call?.hangUp();
    this.#invite();
  }

  // --- incoming

  /** Let a call that came in wait for accept(); it ends by itself with 480 after `ringS`. */
  ring(call: Call, ringS: number): void {
    this.state = 'ringing';
    this.#host = call.localHost;
    this.#timer(ringS, () => this.#refuse(480, 'not answered'));
    this.#take(call); // the first to listen hears the INVITE's offer
  }

  /** Answer: the sound is opened first, the 200 follows. */
  accept(answering: Answering): void {
    if (this.state !== 'ringing' || this.#answering !== undefined) return;
    this.#answering = answering;
    this.#route = answering.route;
    if (answering.route.to === 'place') this.place = answering.route.place;
    this.#open(this.#host);
  }

  /** Answer at `place`, unless `auto` names another. */
  pickUp(place: Place): void {
    const { auto } = this;
    this.accept({ route: { to: 'place', place: auto?.place ?? place }, ...(auto === undefined ? {} : { beep: auto.beep, maxS: auto.maxS }) });
  }

  #answer(): void {
    const call = this.call!;
    if (this.#theirs === undefined) {
      this.#last = makeOffer(this.#local());
      call.accept(this.#last);
    } else {
      const made = answerOffer(this.#theirs, this.#local());
      if ('refuse' in made) return this.#refuse(488, made.why);
      this.#last = made.answer;
      this.#negotiated(made.session); // first, so that the first packet finds us listening
      call.accept(made.answer);
    }
    this.#theirs = undefined;
    this.#establish(); // the agent's own event may come at once or with the ACK; the first counts
  }

  /** Refuse a call that rings. */
  #refuse(status: number, why: string): void {
    if (this.state !== 'ringing') return;
    this.#leaving = true;
    this.#leavingWhy = why;
    this.call!.reject(status, status === 488 ? [['Warning', `399 offhook "${why.replace(/[^ !#-[\]-~]/g, '')}"`]] : []); // RFC 3261 §20.43
    this.#ended({ by: 'us', status, why });
  }

  // --- both

  /** End it, whatever it is: a caller hears busy, a call of ours is cancelled, a conversation ended. */
  hangUp(why = 'hung up'): void {
    if (this.state === 'ended' || this.#leaving) return;
    if (this.direction === 'in' && this.state === 'ringing') return this.#refuse(486, why === 'hung up' ? 'declined' : why);
    const status = this.state === 'established' ? 0 : 487;
    this.#leaving = true;
    this.#cancel?.();
    this.#hurry?.();
    const over = (): void => this.#ended({ by: 'us', status, why });
    if (this.call === undefined) return over();
    this.#join();
    this.#plan = undefined;
    this.#leavingWhy = why;
    this.#cancel = this.#ports.clock.after(SILENCE_AFTER_HANG_UP_MS, over);
    this.call.hangUp();
  }

  /** Hold the other side, or take it back. */
  hold(on: boolean): void {
    this.#holds = on;
    if (this.state !== 'established' || this.held === on || this.#port === undefined) return;
    this.#hold(on);
    this.#asking = true;
    this.#tries = 0;
    this.#reinvite();
  }

  /** All who meet at a place hear each other. */
  meet(on: boolean): void {
    this.joined = on;
    this.moveTo(this.place);
  }

  #hold(on: boolean): void {
    this.held = on;
    if (on) this.#join(); // the microphone is never open to whoever is held
    if (this.muted) this.mute(true);
    if (!on) this.#join();
  }

  /** Join the sound to another place. Taken to the handset, a call that answered itself is one like any other. */
  moveTo(place: Place): void {
    if (place === 'handset' && this.auto !== undefined && this.state === 'established') this.#cancel?.();
    this.place = place;
    this.#route = this.joined ? { to: 'place', place, meets: true } : { to: 'place', place };
    if (this.#session !== undefined) this.#join();
  }

  mute(muted: boolean): void {
    this.muted = muted;
    if (this.#port !== undefined) this.#ports.media.command({ do: 'mute', stream: this.stream, muted: (muted && !this.held) || this.#beeping }); // whoever is held hears no microphone, but music
  }

  /** Send a digit; false when there is no sound to send it in. */
  digit(digit: string, ms = DIGIT_MS): boolean {
    if (this.#session === undefined || this.held) return false;
    this.#ports.media.command({ do: 'digit', stream: this.stream, digit, ms });
    return true;
  }

  /** Sound came before the answer. */
  get early(): boolean {
    return this.state !== 'established' && this.#session !== undefined;
  }

  /** Comes in and waits for a person. */
  get rings(): boolean {
    return this.direction === 'in' && this.state === 'ringing' && this.#answering === undefined;
  }

  /** Was ever talked on. */
  get established(): boolean {
    return this.#establishedMs !== 0;
  }

  /** Hung up by us, and not over yet. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** What is called, as dialled in the last attempt. */
  get destination(): Destination | undefined {
    return this.#plan?.to[this.#attempt];
  }

  /** Whoever reads the messages on their way can listen: they are not encrypted, and have the keys in them. */
  get keysInClear(): boolean {
    return this.suite !== '' && this.call?.transport !== 'tls' && this.call?.transport !== 'wss';
  }

  get seconds(): number {
    return this.#establishedMs === 0 ? 0 : Math.round((this.#ports.clock.now() - this.#establishedMs) / 1_000);
  }

  status(): CallStatus {
    return {
      id: this.id, callId: this.call?.callId, quality: this.quality, direction: this.direction, state: this.state === 'ended' ? 'established' : this.state, remote: this.remote, remoteName: this.name,
      account: this.call?.account?.id ?? this.destination?.account?.id ?? '', codec: this.codec, place: this.place, seconds: this.seconds, held: this.held,
      remoteHeld: this.remoteHeld, muted: this.muted, joined: this.joined, recording: this.recording, encrypted: this.suite !== '', suite: this.suite, keysInClear: this.keysInClear, intercom: this.intercom, emergency: this.emergency, ...this.diverted,
    };
  }

  logEntry(): CallLogEntry {
    const { startedAt: at, direction, remote: who, name, intercom, ending } = this;
    const missed = direction === 'in' && this.#establishedMs === 0 && ending?.why !== 'answered elsewhere' && ending?.why !== 'declined';
    return { at, direction, who, name, seconds: this.seconds, how: ending?.why ?? '', missed, intercom, quality: this.quality?.heard, ...this.diverted };
  }

  onMedia(event: MediaEvent): void {
    if (event.event === 'opened') {
      this.#host = event.host ?? this.#host;
      this.#port = { rtp: event.port, rtcp: event.rtcpPort };
      if (this.muted) this.mute(true);
      if (this.#leaving || this.state === 'ended') return;
      if (this.direction === 'out') this.#invite();
      else this.#answer();
    } else if (event.event === 'failed') {
      if (this.state === 'ringing' && this.direction === 'in') this.#refuse(500, event.message);
      else if (this.call === undefined) this.#ended({ by: 'us', status: 500, why: event.message });
      else this.hangUp(event.message);
    } else if (event.event === 'quality') this.quality = event.quality;
    else if (event.event === 'digit') this.#say({ is: 'digit', digit: event.digit, ms: event.ms });
    else if (event.event === 'silent' && this.state === 'established' && !this.held && !this.remoteHeld) this.hangUp(`no sound for ${event.seconds} s`);
    else if (event.event === 'tone ended' && event.id === BEEP_ID + this.stream) {
      this.#beeping = false;
      this.mute(this.muted);
    }
  }

  #take(call: Call): void {
    this.call = call;
    call.subscribe((event) => { if (this.call === call) this.#onCall(event); });
  }

  #onCall(event: CallEvent): void {
    if (this.#leaving && event.event !== 'ended') return;
    this.#hurry?.();
    switch (event.event) {
      case 'progress':
        // Sound that is there already is the other side's ring-back.
        if (event.status !== 183 && !this.early) this.#say({ is: 'ringing' });
        return;
      case 'offer': return this.#onOffer(event.body);
      case 'answer': {
        if (this.#port === undefined) return;
        const made = applyAnswer(Buffer.from(event.offer), event.body, this.#local());
        if ('wrong' in made) return this.hangUp(`no sound in common: ${made.wrong}`);
        const first = this.#session === undefined;
        this.#negotiated(made.session);
        if (made.session.direction === 'sendrecv') this.remoteHeld = false;
        if (event.early && first) this.#say({ is: 'early' });
        if (this.#asking && this.state === 'established') this.#say({ is: this.held ? 'held' : 'resumed', by: 'us' });
        this.#asking = false;
        return;
      }
      case 'offer refused': return this.#refused(event.reason);
      case 'established': return this.#establish();
      case 'transfer asked': return this.#say({ is: 'transfer asked', target: event.target, by: event.by });
      case 'transfer progress': return this.#say({ is: 'transfer progress', status: event.status, reason: event.reason });
      case 'digit': return this.#say({ is: 'digit', digit: event.digit, ms: event.ms });
      case 'ended': return this.#onEnded(event.ending);
      default: event satisfies never;
    }
  }

  /** Our hold or resume was refused; the session goes on as it was (RFC 3261 §14.1). Tried again, for most refusals are of the moment. */
  #refused(why: string): void {
    if (this.state !== 'established' || !this.#asking) return;
    if (++this.#tries < REINVITES) {
      this.#ports.clock.after(RETRY_MS * this.#tries, () => { if (this.#asking && this.state === 'established' && !this.#leaving) this.#reinvite(); });
      return;
    }
    this.#asking = false;
    // Held without their consent: they hear nothing of us all the same. Not taken back: they would not be heard.
    if (this.held) return this.#say({ is: 'held', by: 'us' });
    this.#hold(true);
    this.#say({ is: 'not held', why });
  }

  #reinvite(): void {
    this.#last = makeOffer(this.#local(), this.#last);
    this.call!.offer(this.#last);
  }

  #onOffer(body: Buffer): void {
    if (this.state === 'ringing' && this.direction === 'in') {
      this.#theirs = body;
      // Better now than after somebody has run to the phone; the port is not known yet and does not matter.
      const made = answerOffer(body, this.#local(9));
      if ('refuse' in made) this.#refuse(488, made.why);
      return;
    }
    if (this.#port === undefined) return this.call!.refuseOffer(488);
    if (body.length === 0) { // a re-INVITE that asks for our offer; the answer comes with the ACK
      this.#last = makeOffer(this.#local(), this.#last);
      return this.call!.answerOffer(this.#last);
    }
    const made = answerOffer(body, this.#local(), this.#last);
    if ('refuse' in made) return this.call!.refuseOffer(488);
    this.#last = made.answer;
    this.call!.answerOffer(made.answer);
    this.#negotiated(made.session);
    const remoteHeld = made.session.direction === 'recvonly' || made.session.direction === 'inactive';
    if (remoteHeld === this.remoteHeld) return;
    this.remoteHeld = remoteHeld;
    this.#say({ is: remoteHeld ? 'held' : 'resumed', by: 'them' });
  }

  #negotiated(session: StreamSession): void {
    const first = this.#session === undefined, before = this.suite;
    const { media } = this.#ports;
    // An early answer comes again, equal, with the 200.
    if (!first && JSON.stringify(session) === JSON.stringify(this.#session)) return this.#join();
    this.#session = session;
    this.codec = session.send.name;
    this.suite = session.crypto?.suite ?? '';
    const beep = this.#answering?.beep;
    // Muted before the first packet can leave; opened again only when the beep has been heard.
    if (first && beep !== undefined) {
      this.#beeping = true;
      this.mute(this.muted);
    }
    media.command({ do: 'negotiated', stream: this.stream, session: { ...session, send: session.send as CodecUse, receive: session.receive as readonly CodecUse[] } });
    this.#join();
    if (this.suite !== before && this.state === 'established') this.#say({ is: 'encryption' });
    if (first && beep !== undefined) media.command({ do: 'tone', place: this.place, program: beep, id: BEEP_ID + this.stream });
  }

  /** What is joined already is not joined anew: music would begin again with each answer. */
  #join(): void {
    const route = this.#leaving ? NOWHERE : this.held ? this.#ports.holdRoute() : this.#route, routed = JSON.stringify(route);
    if (routed === this.#routed) return;
    this.#routed = routed;
    this.#ports.media.command({ do: 'route', stream: this.stream, route });
  }

  #establish(): void {
    if (this.#establishedMs !== 0 || this.#leaving || this.state === 'ended') return;
    this.#cancel?.();
    this.state = 'established';
    this.#establishedMs = this.#ports.clock.now() || 1;
    const maxS = this.#answering?.maxS ?? 0;
    if (maxS > 0) this.#timer(maxS, () => this.hangUp('longest intercom call'));
    this.#say({ is: 'established' });
    if (this.#holds) this.hold(true); // flashed away before it was
  }

  #onEnded(ending: Ending): void {
    const plan = this.#plan;
    if (ending.status === 488 && this.#offered !== undefined && this.#ports.sdes !== undefined && plan !== undefined && !this.#leaving) {
      this.#offered = nextOffer(this.#local().encryption!, this.#offered);
      if (this.#offered !== undefined) return this.#invite();
    }
    if (plan?.emergency === true && this.#establishedMs === 0 && !this.#leaving && !busy.has(ending.status) && this.#attempt + 1 < plan.to.length) {
      return this.#next();
    }
    this.#ended(this.#leaving && ending.by === 'us' ? { ...ending, why: this.#leavingWhy } : ending);
  }

  #ended(ending: Ending): void {
    if (this.state === 'ended') return;
    this.#cancel?.();
    this.ending = ending;
    if (this.#host !== '' && (this.direction === 'out' || this.#answering !== undefined)) this.#ports.media.command({ do: 'close', stream: this.stream });
    this.state = 'ended';
    this.#say({ is: 'ended', ending });
  }

  #timer(seconds: number, due: () => void): void {
    this.#cancel?.();
    this.#cancel = this.#ports.clock.after(seconds * 1_000, due);
  }

  #say(event: LineEvent): void {
    this.#tell(this, event);
  }

  #local(port?: number, encryption?: Encryption): LocalMedia {
    const { media } = this.#ports.settings(), { sdes } = this.#ports;
    const codecs = media.codecs.filter((c, i) => (c !== 'opus' || this.#ports.opus) && media.codecs.indexOf(c) === i);
    return {
      host: this.#host, port: port ?? this.#port!.rtp, rtcpPort: port === undefined ? this.#port!.rtcp : port + 1, codecs: codecs.length === 0 ? ['PCMA', 'PCMU'] : codecs,
      ptimeMs: Number(media.ptimeMs), direction: this.held ? 'sendonly' : 'sendrecv', sessionId: this.startedAt, version: 1, silence: media.silenceSuppression,
      rtcpMux: true, rtcpXr: media.rtcpXr, sdes, encryption: encryption ?? (this.emergency && media.encryption === 'always' ? 'preferred' : media.encryption), // help must be reached, encrypted or not
    };
  }
}
