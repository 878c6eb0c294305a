import { describe, expect, test } from 'vitest';
import { intercomBeep } from '../../src/media/tone-tables.ts';
import type { Media, MediaCommand, MediaEvent } from '../../src/media/door.ts';
import { BEEP_ID, Line } from '../../src/phone/line.ts';
import type { LineEvent } from '../../src/phone/line-types.ts';
import { answerOffer, makeOffer } from '../../src/sdp/offer.ts';
import { PhoneError } from '../../src/ports/errors.ts';
import type { LocalMedia } from '../../src/sdp/types.ts';
import type { Call, CallEvent } from '../../src/sip/agent-types.ts';
import { FakeClock, settle } from '../fakes/clock.ts';
import { settings } from './settings.ts';

const far: LocalMedia = { host: '192.0.2.9', port: 30_000, rtcpPort: 30_001, codecs: ['PCMA'], ptimeMs: 20, direction: 'sendrecv', sessionId: 9, version: 1 };

/** A line between a scripted call and an engine that obeys at once. */
function rig(direction: 'in' | 'out', opened: { readonly port: number; readonly rtcpPort: number; readonly host?: string } = { port: 20_000, rtcpPort: 20_001 }, refuses: (target: string) => Error | undefined = () => undefined) {
  const clock = new FakeClock();
  const commands: MediaCommand[] = [];
  const said: LineEvent[] = [];
  const orders: [string, unknown][] = [];
  let first: Buffer = Buffer.alloc(0);
  let on: (event: CallEvent) => void = () => undefined;
  const order = (name: string) => (what?: unknown) => { orders.push([name, what]); };
  const call: Call = {
    id: 'x', callId: 'x@192.0.2.9', direction, state: 'ringing', account: undefined, remote: { uri: 'sip:b@192.0.2.9', user: 'b', host: '192.0.2.9', display: '' }, localHost: '192.0.2.1', transport: 'udp', invite: undefined,
    subscribe: (listener) => {
      on = listener;
      if (first.length > 0) on({ event: 'offer', body: first });
    },
    progress: order('progress'), accept: order('accept'), reject: order('reject'), hangUp: order('hangUp'), offer: order('offer'), answerOffer: order('answerOffer'),
    refuseOffer: order('refuseOffer'), transfer: order('transfer'), transferProgress: order('transferProgress'), sendInfoDigit: order('sendInfoDigit'),
  };
  const media: Media = {
    command(command) {
      commands.push(command);
      if (command.do === 'open') line.onMedia({ event: 'opened', stream: 1, ...opened });
    },
    subscribe: () => undefined, close: () => undefined,
  };
  const line: Line = new Line({ clock, media, settings: () => settings({ media: { codecs: ['PCMA'] } }), opus: false, cname: 'x', holdRoute: () => ({ to: 'nothing' }), call: (options) => {
    const error = refuses(options.target);
    if (error !== undefined) throw error;
    orders.push(['call', options.offer]);
    return call;
  }, hostFor: () => Promise.resolve('192.0.2.1') }, 1, direction, 'b', (_, event) => said.push(event));
  return {
    clock, line, call, commands, said, orders,
    /** The call comes in with `offer`, empty for none. */
    ring: (ringS: number, offer: Buffer) => {
      first = offer;
      line.ring(call, ringS);
    },
    /** An answer is one to our last offer, unless said otherwise. */
    event: (event: CallEvent | Omit<Extract<CallEvent, { event: 'answer' }>, 'offer'>) => {
      const offer = ['offer', 'answerOffer', 'accept', 'call'].map((name) => orders.findLast((o) => o[0] === name)?.[1] as Buffer | undefined).find((o) => o !== undefined);
      on(event.event === 'answer' ? { offer: offer!, ...event } : event);
    },
    media: (event: MediaEvent) => line.onMedia(event),
    last: (name: string) => orders.findLast((o) => o[0] === name)?.[1] as Buffer | undefined,
    route: () => commands.findLast((c) => c.do === 'route')?.route,
    answer: (offer: Buffer, patch: Partial<LocalMedia> = {}) => {
      const made = answerOffer(offer, { ...far, ...patch });
      if (!('answer' in made)) throw new Error(made.why);
      return made.answer;
    },
  };
}

/** An incoming call with an offer, answered at the handset. */
const answered = () => {
  const r = rig('in');
  r.ring(60, makeOffer(far));
  r.line.pickUp('handset');
  r.event({ event: 'established' });
  return r;
};

describe('holding', () => {
  test('a hold refused again and again is tried three times; they hear nothing of us all the same (RFC 3261 §14.1)', () => {
    const r = answered();
    r.line.hold(true);
    for (let i = 0; i < 3; i++) {
      r.event({ event: 'offer refused', status: 500, reason: 'Server Error' });
      r.clock.advance(5_000);
    }
    expect(r.orders.filter((o) => o[0] === 'offer')).toHaveLength(3);
    expect(r.line.held).toBe(true);
    expect(r.route()).toEqual({ to: 'nothing' });
    expect(r.said.at(-1)).toEqual({ is: 'held', by: 'us' });
  });

  test('a resume refused for good leaves the call held and says why', () => {
    const r = answered();
    r.line.hold(true);
    r.event({ event: 'answer', body: r.answer(r.last('offer')!), early: false });
    r.line.hold(false);
    for (let i = 0; i < 3; i++) {
      r.event({ event: 'offer refused', status: 488, reason: 'Not Acceptable Here' });
      r.clock.advance(5_000);
    }
    expect(r.line.held).toBe(true);
    expect(r.route()).toEqual({ to: 'nothing' });
    expect(r.said.at(-1)).toEqual({ is: 'not held', why: 'Not Acceptable Here' });
  });

  test('a refusal of the moment is got over', () => {
    const r = answered();
    r.line.hold(true);
    r.event({ event: 'offer refused', status: 500, reason: 'busy' });
    r.clock.advance(1_000);
    r.event({ event: 'answer', body: r.answer(r.last('offer')!), early: false });
    expect(r.said.at(-1)).toEqual({ is: 'held', by: 'us' });
    expect(r.commands.findLast((c) => c.do === 'negotiated')).toMatchObject({ session: { direction: 'sendonly' } });
  });

  test('an offer of theirs while ours waits does not spoil the answer to ours (RFC 3264 §4)', () => {
    const r = answered();
    r.line.hold(true);
    const ours = r.last('offer')!;
    r.event({ event: 'offer', body: makeOffer({ ...far, port: 31_000, version: 2 }) });
    expect(r.last('answerOffer')!.toString()).toContain('a=sendonly');
    r.event({ event: 'answer', body: r.answer(ours, { port: 32_000 }), early: false });
    expect(r.commands.findLast((c) => c.do === 'negotiated')).toMatchObject({ session: { remote: { port: 32_000 } } });
  });

  test('silence of a held call is no dead call', () => {
    const r = answered();
    r.line.hold(true);
    r.media({ event: 'silent', stream: 1, seconds: 60 });
    expect(r.orders.some((o) => o[0] === 'hangUp')).toBe(false);
    r.line.hold(false);
    r.media({ event: 'silent', stream: 1, seconds: 60 });
    expect(r.orders.some((o) => o[0] === 'hangUp')).toBe(true);
  });
});

describe('offer and answer', () => {
  test('an INVITE without an offer gets ours in the 200; the sound begins with the ACK, beep before microphone (RFC 3261 §13.3.1)', () => {
    const r = rig('in');
    r.ring(60, Buffer.alloc(0));
    r.line.auto = { place: 'speaker', beep: intercomBeep, maxS: 60 };
    r.line.pickUp('handset');
    r.event({ event: 'established' });
    expect(r.commands.some((c) => c.do === 'negotiated')).toBe(false);
    r.event({ event: 'answer', body: r.answer(r.last('accept')!), early: false });
    expect(r.commands.map((c) => c.do)).toEqual(['open', 'mute', 'negotiated', 'route', 'tone']);
    r.media({ event: 'tone ended', place: 'speaker', id: BEEP_ID + 1 });
    expect(r.commands.at(-1)).toEqual({ do: 'mute', stream: 1, muted: false });
  });

  test('a microphone muted by hand stays so after the beep', () => {
    const r = rig('in');
    r.ring(60, makeOffer(far));
    r.line.auto = { place: 'speaker', beep: intercomBeep, maxS: 60 };
    r.line.pickUp('speaker');
    r.line.mute(true);
    r.media({ event: 'tone ended', place: 'speaker', id: BEEP_ID + 1 });
    expect(r.commands.findLast((c) => c.do === 'mute')).toMatchObject({ muted: true });
  });

  test('a re-INVITE without an offer gets ours (RFC 3261 §14.2)', () => {
    const r = answered();
    r.event({ event: 'offer', body: Buffer.alloc(0) });
    r.event({ event: 'answer', body: r.answer(r.last('answerOffer')!, { port: 33_000 }), early: false });
    expect(r.commands.findLast((c) => c.do === 'negotiated')).toMatchObject({ session: { remote: { port: 33_000 } } });
  });

  test('an early answer is used once, and again only when it changes', async () => {
    const r = rig('out');
    await r.line.dial({ to: [{ target: 'sip:b@192.0.2.9', account: undefined }], user: 'a', display: '' }, { to: 'place', place: 'handset' });
    await settle();
    const body = r.answer(makeOffer({ ...far, host: '192.0.2.1', port: 20_000, rtcpPort: 20_001, sessionId: r.line.startedAt }));
    r.event({ event: 'answer', body, early: true });
    r.event({ event: 'progress', status: 180, reason: 'Ringing' });
    r.event({ event: 'answer', body, early: false });
    r.event({ event: 'established' });
    expect(r.commands.filter((c) => c.do === 'negotiated')).toHaveLength(1);
    expect(r.said.map((e) => e.is)).toEqual(['calling', 'early', 'established']);
  });

  test('an offer we cannot take is refused and the call goes on (RFC 3261 §14.2)', () => {
    const r = answered();
    r.event({ event: 'offer', body: Buffer.from('v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=video 4000 RTP/AVP 31\r\n') });
    expect(r.orders.at(-1)).toEqual(['refuseOffer', 488]);
    expect(r.line.state).toBe('established');
  });

  test('an answer without sound in common ends the call', () => {
    const r = rig('in');
    r.ring(60, Buffer.alloc(0));
    r.line.pickUp('handset');
    r.event({ event: 'established' });
    r.event({ event: 'answer', body: Buffer.from('nonsense'), early: false });
    expect(r.orders.some((o) => o[0] === 'hangUp')).toBe(true);
  });
});

describe('a call that cannot begin', () => {
  const to = [{ target: 'sip:112@one.example', account: undefined }, { target: 'sip:112@two.example', account: undefined }];
  const refuses = (what: Error) => (target: string) => (target.includes('one') ? what : undefined);

  test.each([['of ours', new PhoneError('NO_ROUTE', 'nowhere to go')], ['that nobody foresaw', new TypeError('x')]])('for help goes on over the next account, whatever the error: one %s', async (_, error) => {
    const r = rig('out', undefined, refuses(error));
    await r.line.dial({ to, user: 'a', display: '', emergency: true }, { to: 'place', place: 'handset' });
    expect(r.orders.map(([name]) => name)).toContain('call');
    expect(r.line.state).not.toBe('ended');
  });

  test('any other ends, and says why', async () => {
    const r = rig('out', undefined, refuses(new PhoneError('NO_ROUTE', 'nowhere to go')));
    await r.line.dial({ to, user: 'a', display: '' }, { to: 'place', place: 'handset' });
    expect(r.said.at(-1)).toMatchObject({ is: 'ended', ending: { status: 484, why: 'nowhere to go' } });
  });
});

describe('ending', () => {
  test('a call hung up while its sound is being opened never sends an INVITE and frees the sound', async () => {
    const r = rig('out');
    const dialled = r.line.dial({ to: [{ target: 'sip:b@192.0.2.9', account: undefined }], user: 'a', display: '' }, { to: 'nothing' });
    r.line.hangUp();
    await dialled;
    expect(r.said).toEqual([{ is: 'ended', ending: { by: 'us', status: 487, why: 'hung up' } }]);
    expect(r.commands).toEqual([]);
    expect(r.clock.pending).toBe(0);
  });

  test('an agent that never tells of the end is not waited for', () => {
    const r = answered();
    r.line.hangUp();
    expect(r.said.at(-1)).toEqual({ is: 'established' });
    r.clock.advance(5_000);
    expect(r.said.at(-1)).toMatchObject({ is: 'ended' });
    expect(r.commands.at(-1)).toMatchObject({ do: 'close' });
    expect(r.clock.pending).toBe(0);
  });

  test('the end is told once', () => {
    const r = answered();
    r.event({ event: 'ended', ending: { by: 'them', status: 0, why: 'hung up' } });
    r.event({ event: 'ended', ending: { by: 'them', status: 0, why: 'hung up' } });
    r.line.hangUp();
    r.clock.advance(600_000);
    expect(r.said.filter((e) => e.is === 'ended')).toHaveLength(1);
  });
});

describe('behind a NAT', () => {
  const NAT = { host: '198.51.100.7', port: 50_123, rtcpPort: 50_777 };
  const text = (sdp: Buffer | undefined) => sdp!.toString('latin1').split('\r\n').filter((line) => /^(c=|m=|a=rtcp:)/.test(line));
  const TOLD = ['c=IN IP4 198.51.100.7', 'm=audio 50123 RTP/AVP 8 101', 'a=rtcp:50777'];

  test('an offer tells address and ports as the NAT has them (RFC 3605 for that of RTCP), and so does the next one', async () => {
    const r = rig('out', NAT);
    void r.line.dial({ to: [{ target: 'sip:b@192.0.2.9', account: undefined }], user: 'a', display: 'A' }, { to: 'place', place: 'handset' });
    await settle();
    expect(text(r.last('call'))).toEqual(TOLD);
    r.event({ event: 'answer', body: r.answer(r.last('call')!), early: false });
    r.event({ event: 'established' });
    r.line.hold(true);
    expect(text(r.last('offer'))).toEqual(TOLD);
  });

  test('so does an answer', () => {
    const r = rig('in', NAT);
    r.ring(60, makeOffer(far));
    r.line.pickUp('handset');
    expect(text(r.last('accept'))).toEqual(TOLD);
  });
});
