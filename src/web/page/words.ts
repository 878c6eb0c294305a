// What the phone's state is in plain words. Pure: no page, no clock.

import type { CallLogEntry, ExchangeView, PhoneStatus } from '../types.ts';

export type Mood = 'good' | 'busy' | 'warn' | 'bad' | 'calm';

export interface Words {
  readonly mood: Mood;
  readonly headline: string;
  readonly detail: string;
}

const who = (call: PhoneStatus['calls'][number]): string => call.remoteName || call.remote || 'an unknown caller';

const deadTones: Readonly<Record<string, string>> = {
  busy: 'The other side is busy.', congestion: 'The call could not be made.', sit: 'That number is not in service.', reorder: 'That may not be dialled.',
};
/** Tones that say what is wrong with the phone itself. */
const STATUS_TONES = ['no account', 'no network', 'not registered', 'wrong password', 'server silent', 'no such server'];

/** What *44 beeps. */
function stateOf(phone: PhoneStatus): string {
  if (phone.registrations.length === 0) return 'no account';
  if (phone.registrations.some((r) => r.state === 'registered' || r.state === 'off')) return 'all well';
  return phone.registrations.find((r) => r.why !== '')?.why ?? 'not registered';
}

/** Why the person at the handset hears nothing; empty when all is well. */
export const silenceWords = (phone: PhoneStatus): string =>
  phone.hook === 'off' ? phone.devices.find((d) => d.place === 'handset' && d.trouble !== '')?.trouble ?? '' : '';

/** The line as the person at the handset has it. */
export function lineWords(phone: PhoneStatus): Words {
  const ringing = phone.calls.find((c) => c.direction === 'in' && c.state === 'ringing');
  const talking = phone.calls.find((c) => c.state === 'established' && !c.held);
  const held = phone.calls.find((c) => c.state === 'established' && c.held);
  const calling = phone.calls.find((c) => c.direction === 'out' && c.state !== 'established');
  if (talking !== undefined) {
    return {
      mood: 'busy', headline: `${talking.intercom ? 'Intercom with' : 'Talking to'} ${who(talking)}`,
      detail: ringing !== undefined ? `${who(ringing)} is calling too; flash to take it.` : held !== undefined ? `${who(held)} is on hold.` : talking.remoteHeld ? 'The other side put you on hold.'
        : talking.remote === '*43' ? 'The echo line: what you say comes back.' : talking.remote === '*44' ? `The beeps say how the phone is: ${stateOf(phone)}.` : '',
    };
  }
  if (ringing !== undefined) return { mood: 'busy', headline: `${who(ringing)} is calling`, detail: phone.hook === 'on' ? 'Lift the handset to answer.' : '' };
  if (calling !== undefined) return { mood: 'busy', headline: `Calling ${who(calling)}`, detail: calling.state === 'ringing' ? 'It is ringing there.' : 'Waiting for the other side.' };
  if (phone.state === 'collecting') return { mood: 'busy', headline: `Dialling ${phone.dialled}`, detail: 'A pause or # ends the number.' };
  if (phone.state === 'dead line') return { mood: 'warn', headline: deadTones[phone.tone] ?? (STATUS_TONES.includes(phone.tone) ? `The call could not be made: ${phone.tone}.` : 'The line is dead.'), detail: 'Hang up before the next call.' };
  if (phone.state === 'howler' || phone.state === 'silence') return { mood: 'warn', headline: 'The handset is off', detail: 'Nobody can call. Hang up.' };
  if (held !== undefined) return { mood: 'busy', headline: `${who(held)} is on hold`, detail: 'Flash to go back.' };
  if (phone.hook === 'off') {
    const detail = STATUS_TONES.includes(phone.tone) ? `The beeps say: ${phone.tone}. Service codes and direct calls still work.`
      : phone.tone === 'confirm' ? 'Done. Dial on, or hang up.' : 'Dial a number, or *43 to hear yourself.';
    return { mood: 'busy', headline: 'Dial tone', detail };
  }
  return readiness(phone);
}

/** Whether the phone can be called, and why not. */
export function readiness(phone: PhoneStatus): Words {
  const on = phone.registrations.filter((r) => r.state !== 'off');
  const registered = on.filter((r) => r.state === 'registered');
  const failed = on.find((r) => r.state === 'failed');
  const quiet = phone.doNotDisturb ? ' Do not disturb is on: callers hear busy.' : '';
  if (failed !== undefined) {
    return { mood: registered.length > 0 ? 'warn' : 'bad', headline: registered.length > 0 ? 'One account is not registered' : 'Not registered', detail: (failed.trouble || `${failed.server}: ${failed.why}.`) + quiet };
  }
  if (on.some((r) => r.state === 'trying')) return { mood: 'calm', headline: 'Registering', detail: `Asking ${on.find((r) => r.state === 'trying')!.server}.` };
  if (registered.length > 0) {
    const second = registered.filter((r) => r.second).map((r) => ` ${r.user || r.account} is at its second server ${r.server}: the first does not answer.`).join('');
    return { mood: phone.doNotDisturb || second !== '' ? 'warn' : 'good', headline: 'Ready', detail: `Can be called at ${registered.map((r) => r.user || r.account).join(' and ')}.${second}${quiet}` };
  }
  return { mood: phone.doNotDisturb ? 'warn' : 'calm', headline: 'Ready, without an account', detail: `Service codes and direct calls work. Give it an account to be called by number.${quiet}` };
}

/** 65 -> '1:05', 3700 -> '1:01:40'. */
export function clockTime(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(s / 60) % 60, hours = Math.floor(s / 3_600);
  const two = (n: number) => String(n).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** What is known of who else can listen to a call; empty while nothing protects it. */
export function secrecyWords({ encrypted, suite, keysInClear }: PhoneStatus['calls'][number]): string {
  if (!encrypted) return '';
  return `Encrypted by ${suite}${keysInClear ? ', but the keys travelled in readable messages: whoever saw those can listen. The transport tls hides them.' : '.'}`;
}

/** How a call of the log went, shortly. */
export function callWords(call: CallLogEntry): string {
  if (call.missed) return 'missed';
  return call.seconds > 0 ? clockTime(call.seconds) : call.how;
}

type Quality = NonNullable<PhoneStatus['calls'][number]['quality']>;
const percent = (share: number): string => `${share < 10 ? Number(share.toFixed(1)) : Math.round(share)} %`;
const gone = (lossPercent: number, discardPercent: number): string =>
  lossPercent < 0.05 && discardPercent < 0.05 ? 'nothing lost' : [lossPercent < 0.05 ? '' : `${percent(lossPercent)} lost`, discardPercent < 0.05 ? '' : `${percent(discardPercent)} too late`].filter(Boolean).join(', ');

/** How the other side is heard, and what of: 'Sounds good: MOS 4.1, 1.2 % lost, 85 ms to the ear'. */
export function qualityWords({ heard, path }: Quality): string {
  const delay = path.roundTripMs < 0 ? '' : `, ${path.oneWayMs} ms to the ear`;
  return `Sounds ${heard.words}: MOS ${heard.mosCq.toFixed(1)}, ${gone(heard.lossPercent, heard.discardPercent)}${delay}`;
}

/** What the other side says of us; empty where it says nothing. */
export const heardThereWords = ({ there }: Quality): string =>
  there === undefined ? '' : `They hear us: ${there.mosCq < 0 && there.mosLq < 0 ? '' : `MOS ${(there.mosCq < 0 ? there.mosLq : there.mosCq).toFixed(1)}, `}${gone(there.lossPercent, there.discardPercent)}`;

/** The rest of the figures, for whoever wants them. */
export const qualityFigures = ({ heard, path, packetMs }: Quality): string =>
  `R ${Math.round(heard.r)}, listening MOS ${heard.mosLq.toFixed(1)}; jitter ${Math.round(path.jitterMs)} ms, jitter buffer ${path.playoutDelayMs} ms, packets of ${packetMs} ms${path.roundTripMs < 0 ? '' : `, round trip ${Math.round(path.roundTripMs)} ms`}${path.burstMs > 0 ? `; bursts of ${path.burstMs} ms with ${percent(path.burstPercent)} lost` : ''}; MOS is 1 to 4.5`;

/** How a call of the log sounded, and what of; empty where nobody knows. */
export const soundedWords = ({ quality }: CallLogEntry): string =>
  quality === undefined ? '' : `sounded ${quality.words} (MOS ${quality.mosCq.toFixed(1)})`;
export const soundedFigures = ({ quality }: CallLogEntry): string | undefined => quality && `${gone(quality.lossPercent, quality.discardPercent)}; MOS is 1 to 4.5`;

/** 'today 14:05', 'yesterday 09:12', '3 Nov 14:05': as `locale` writes times. */
export function when(at: number, now: number, locale?: string): string {
  const day = (ms: number) => new Date(ms).setHours(0, 0, 0, 0);
  const days = Math.round((day(now) - day(at)) / 86_400_000);
  const time = new Date(at).toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
  const date = days === 0 ? 'today' : days === 1 ? 'yesterday' : new Date(at).toLocaleDateString(locale, { day: 'numeric', month: 'short', ...(days > 300 ? { year: 'numeric' } : {}) });
  return `${date} ${time}`;
}

/** Further ports of the exchange: ', over TLS at port 5061'. */
export const doorWords = (doors: ExchangeView['doors']): string =>
  doors.map(({ transport, port }) => `, over ${DOOR_NAMES[transport] ?? transport} at port ${port}`).join('');
const DOOR_NAMES: Readonly<Record<string, string>> = { tls: 'TLS', ws: 'WebSocket', wss: 'WebSocket with TLS' };

/** Where a user of the exchange is registered: 'today 14:05, 192.168.1.7:5060, Offhook/0.1'. */
export const registeredWords = (phones: ExchangeView['users'][number]['phones'], now: number, locale?: string): string =>
  phones.length === 0 ? 'not registered' : phones.map((p) => `since ${when(p.since, now, locale)}, ${p.address}${p.userAgent === '' ? '' : `, ${p.userAgent}`}`).join('; ');

/** What has to happen before the changes work: one sentence for each kind, nothing for those that work now. */
export function applyWords(kinds: readonly string[]): string {
  const has = (kind: string) => kinds.includes(kind);
  return [
    has('on registering') ? 'The phone registers anew.' : '', has('next call') ? 'Some of it holds from the next call.' : '', has('on restart') ? 'Some of it holds after a restart of the phone.' : '',
  ].filter(Boolean).join(' ');
}
