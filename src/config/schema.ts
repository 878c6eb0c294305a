// Every setting the phone has, once. The type, the check, the file, the page's form and the README's table come from here.
//
// Each leaf carries `title`, `description`, `default`, and where it helps `unit`, `secret` (never shown or logged) and `applies`:
// when a change works: 'now', 'on registering', 'next call', 'on restart'.

import { Type, type Static, type TSchema } from '@sinclair/typebox';

export type Applies = 'now' | 'on registering' | 'next call' | 'on restart';

interface Words {
  readonly title: string;
  readonly description: string;
  readonly unit?: string;
  readonly applies: Applies;
  readonly secret?: boolean;
  readonly kind?: Kind;
}

/** What a text is, where its pattern alone would not make a sentence; check.ts has the sentence and what a pattern cannot see. */
export type Kind = 'id' | 'user' | 'ha1' | 'host:port' | 'host name' | 'address' | 'network' | 'line' | 'board' | 'device' | 'caller' | 'dial pattern' | 'emergency' | 'multicast group' | 'name server' | 'pins' | 'URL path' | 'sidetone' | 'hold music' | 'ring tone' | 'folder';

const text = (value: string, words: Words, pattern?: string, maxLength = 255) =>
  Type.String({ default: value, maxLength, ...(pattern === undefined ? {} : { pattern }), ...(kinds[pattern ?? ''] === undefined ? {} : { kind: kinds[pattern ?? ''] }), ...words });
const whole = (value: number, minimum: number, maximum: number, words: Words) =>
  Type.Integer({ default: value, minimum, maximum, ...words });
const real = (value: number, minimum: number, maximum: number, words: Words) =>
  Type.Number({ default: value, minimum, maximum, ...words });
const flag = (value: boolean, words: Words) => Type.Boolean({ default: value, ...words });
const choice = <const T extends readonly string[]>(value: T[number], values: T, words: Words) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], default: value, ...words });
const list = <S extends TSchema>(item: S, value: readonly Static<S>[], words: Words, maxItems = 100) =>
  Type.Array(item, { default: [...value], maxItems, ...words });
const group = <T extends Record<string, TSchema>>(title: string, properties: T) =>
  Type.Object(properties, { title, additionalProperties: false, default: {} });

/** host, host:port, v4, [v6], [v6]:port; empty allowed. */
const HOST_PORT = '^$|^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?$';
const HOST = '^$|^[0-9A-Fa-f:.]+$';
/** A host name alone; empty allowed. */
const HOST_NAME = '^$|^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$';
/** A multicast address with its port. */
const GROUP_PORT = '^((22[4-9]|23[0-9])(\\.[0-9]{1,3}){3}|\\[[Ff][Ff][0-9A-Fa-f:]+\\]):[0-9]{1,5}$';
/** A SIP user part without what would need escaping. */
const USER = '^[A-Za-z0-9_.!~*\'()&=+$,;?/-]*$';
/** algorithm:realm:hash, maybe again after a space */
const ONE_HA1 = '((MD5|md5):[^\\u0000-\\u001f\\u007f"]+:[0-9A-Fa-f]{32}|(SHA-256|SHA-512-256|sha-256|sha-512-256):[^\\u0000-\\u001f\\u007f"]+:[0-9A-Fa-f]{64})';
const HA1 = `^$|^${ONE_HA1}( ${ONE_HA1})*$`;
/** No control characters: neither line ends nor what a terminal or a SIP header would stumble over. */
const LINE = '^[^\\u0000-\\u001f\\u007f]*$';
/** auto | alsa:NAME | alsa:CAPTURE|PLAYBACK | arecord:... | echo | tone | tone:HZ | silence, also called clock | wav:IN,OUT */
const DEVICE = '^(auto|echo|silence|clock|tone(:[0-9]{2,4})?|alsa:[^\\r\\n]+|arecord:[^\\r\\n]+|wav:[^\\r\\n,]*(,[^\\r\\n,]*)?)$';

/** The path of a URL, with what may come after a question mark. */
const URL_PATH = '^/[A-Za-z0-9._~%!$&\'()*+,;=:@/?-]*$';

/** auto | off | dB */
const SIDETONE = '^(auto|off|-?[0-9]{1,2}(\\.[0-9])?)$';
const ID = '^[A-Za-z0-9_.@-]*$';
const BOARD = '^[a-z0-9-]+$';
/** The same, and something of it. */
const EXTENSION = USER.replace('*$', '+$');
const CALLER = '^[^\\s]+$';
const NETWORK = '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$';
/** v4, v4:port, v6, [v6]:port */
const NAME_SERVER = '^([0-9]+(\\.[0-9]+){3}(:[0-9]{1,5})?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|\\[[0-9A-Fa-f:.]+\\](:[0-9]{1,5})?)$';
const DIAL_PATTERN = '^[0-9*#A-DxXzZnN.\\[\\]\\-+T<>:|!]+$';
const EMERGENCY = '^[0-9]{2,8}$';
/** Parts of a board whose pins may be set; hardware/board.ts knows what each one changes. */
const PIN_NAME = '^(hook|invertedHook|rows|columns|pulse|offNormal|bell|lamp|relay|privacy)$';
const PIN = Type.Integer({ minimum: 0, maximum: 1_023 });
/** The name of a WAV file, nothing that leads out of its folder. */
const WAV = '[A-Za-z0-9_-][A-Za-z0-9._-]*\\.(wav|WAV)';
/** What Alert-Info may call a ring, and what may be rung. */
const RING_NAME = '^[a-z][a-z0-9-]{0,31}$';
const RING_TONE = `^(bell|warble|trill|chime|marimba|buzzer|${WAV})$`;
const COLLECTOR = '^([sS][iI][pP][sS]?:[^\\s<>"]+)?$';
/** An absolute path. */
const FOLDER = '^$|^/[^\\u0000-\\u001f\\u007f]*$';
const HOLD_MUSIC = `^(off|tone|${WAV})$`;
/** Digits that call somebody. */
const SPEED_DIAL = '^[0-9*#]{1,4}$';

// Of each, src/media/national-tones.txt has the tones.
const COUNTRIES = [
  'us', 'ca', 'uk', 'ie', 'de', 'at', 'ch', 'fr', 'be', 'nl', 'lu', 'it', 'es', 'pt', 'dk', 'no', 'se', 'fi', 'is',
  'ee', 'lv', 'lt', 'pl', 'cz', 'sk', 'hu', 'si', 'hr', 'bg', 'gr', 'tr', 'ru', 'il', 'za', 'ae', 'in', 'cn', 'hk',
  'mo', 'tw', 'jp', 'kr', 'sg', 'my', 'th', 'ph', 'id', 'au', 'nz', 'br', 'ar', 'cl', 'mx', 've', 'pa', 'cr',
] as const;

const kinds: Readonly<Record<string, Kind>> = {
  [ID]: 'id', [USER]: 'user', [EXTENSION]: 'user', [HA1]: 'ha1', [HOST_PORT]: 'host:port', [HOST]: 'address', [HOST_NAME]: 'host name', [NETWORK]: 'network', [LINE]: 'line', [BOARD]: 'board', [DEVICE]: 'device',
  [URL_PATH]: 'URL path', [SIDETONE]: 'sidetone', [HOLD_MUSIC]: 'hold music', [CALLER]: 'caller', [FOLDER]: 'folder', [DIAL_PATTERN]: 'dial pattern', [EMERGENCY]: 'emergency', [GROUP_PORT]: 'multicast group',
};

export const accountSchema = Type.Object({
  id: text('', { title: 'Name', description: 'Short name of this account, used in the log and on the command line; made from user and server when empty.', applies: 'on registering' }, ID, 64),
  user: text('', { title: 'User', description: 'Number or name of this phone at the server.', applies: 'on registering' }, USER, 128),
  server: text('', { title: 'Server', description: 'SIP server, optionally with :port.', applies: 'on registering' }, HOST_PORT),
  password: text('', { title: 'Password', description: 'Password of the account. Where it was given on the page or by "offhook settings", only its hash stays once the server has confirmed it.', applies: 'on registering', secret: true }, LINE),
  ha1: text('', { title: 'Password hash', description: 'What stands in for the password where that is empty: MD5:realm:hash or SHA-256:realm:hash, the hash being that of user:realm:password; several with a space between. Good for the server that has this realm alone: after a change of server give the password once more.', applies: 'on registering', secret: true }, HA1, 2_000),
  passwordKept: choice('hash', ['hash', 'clear'], { title: 'Password is kept', description: 'hash: as written above, so that nobody reads it off the memory card; as given, where there is a second server or the settings file was written by hand. clear: as given.', applies: 'on registering' }),
  authUser: text('', { title: 'Authentication user', description: 'Only where it differs from the user.', applies: 'on registering' }, LINE, 128),
  displayName: text('', { title: 'Shown name', description: 'What the other side shows.', applies: 'on registering' }, LINE, 64),
  transport: choice('auto', ['auto', 'udp', 'tcp', 'tls', 'ws', 'wss'], { title: 'Transport', description: 'How messages travel to the server. auto: as its domain says in DNS, else UDP. tls: encrypted. ws, wss: over WebSocket, plain and encrypted, for servers that phones in browsers use.', applies: 'on registering' }),
  tlsVerify: choice('on', ['on', 'wildcards', 'off'], { title: 'Check the certificate', description: 'tls, wss: whom to believe that it is the server. on: who has a certificate for its name, as set here. wildcards: *.example.org counts as well. off: anybody who answers; he can then listen to passwords and calls.', applies: 'on registering' }),
  wsPath: text('/ws', { title: 'WebSocket path', description: 'ws, wss: what to ask the web server for.', applies: 'on registering' }, URL_PATH),
  proxy: text('', { title: 'Outbound proxy', description: 'Where messages go instead of to the server, optionally with :port.', applies: 'on registering' }, HOST_PORT),
  backupServer: text('', { title: 'Second server', description: 'Another server that knows this user and password, optionally with :port.', applies: 'on registering' }, HOST_PORT),
  backupMode: choice('fallback', ['fallback', 'parallel'], { title: 'Second server is used', description: 'fallback: only while the first does not answer. parallel: registered at both, called from both.', applies: 'on registering' }),
  register: flag(true, { title: 'Register', description: 'Tell the server where this phone is, so that it can be called.', applies: 'on registering' }),
  expiresS: whole(600, 30, 86_400, { title: 'Registration time', description: 'How long a registration is asked for; refreshed well before.', unit: 's', applies: 'on registering' }),
  keepAlive: choice('auto', ['auto', 'stun'], { title: 'Keep-alive', description: 'auto: empty lines where a router is in between. stun: STUN over UDP, for servers that answer it; without an answer the phone registers again.', applies: 'on registering' }),
  optionsPingS: whole(0, 0, 3_600, { title: 'Ask the server', description: 'How often the server is asked for a sign of life between registrations; 0 never.', unit: 's', applies: 'on registering' }),
  gruu: flag(false, { title: 'GRUU', description: 'Ask the server for an address of this very phone and be called back by it (RFC 5627). Only for servers that route such addresses inside calls as well.', applies: 'on registering' }),
  imsRegister: flag(false, { title: 'IMS registration', description: 'The first REGISTER names the authentication user with an empty password, as mobile networks want it.', applies: 'on registering' }),
  identity: choice('own', ['own', 'associated'], { title: 'Calls come from', description: 'own: user and server. associated: the first address that the server gives in P-Associated-URI.', applies: 'on registering' }),
  anonymous: flag(false, { title: 'Anonymous calls', description: 'Calls do not tell who calls; the server learns it (RFC 3323, RFC 3325).', applies: 'on registering' }),
  mwi: choice('off', ['off', 'subscribe'], { title: 'Messages waiting', description: 'subscribe: ask the server to tell of voice messages. off: only what it tells by itself counts.', applies: 'on registering' }),
  autoAnswer: choice('off', ['off', 'allowed', 'all'], { title: 'Answer by itself', description: 'off: always ring. allowed: callers on the intercom allow-list are answered at once. all: every caller that comes through this server is answered at once.', applies: 'next call' }),
}, { title: 'Account', additionalProperties: false });

const intercomCallerSchema = Type.Object({
  caller: text('', { title: 'Caller', description: 'Number, user@domain, or * for everyone the server lets through.', applies: 'next call' }, CALLER, 128),
  password: text('', { title: 'Password', description: 'Lets this caller prove itself without a server: its phone answers our challenge.', applies: 'next call', secret: true }, LINE),
}, { title: 'Allowed caller', additionalProperties: false });

const extension = (title: string, description: string) => text('', { title, description, applies: 'now' }, EXTENSION, 64);
const forward = (title: string, description: string) => text('', { title, description: `${description} A number of this exchange; empty: nobody.`, applies: 'now' }, USER, 64);

const exchangeUserSchema = Type.Object({
  user: extension('Number', 'Number or name of a phone of the house.'),
  password: text('', { title: 'Password', description: 'What it registers and calls with; without one it can do neither. Make it long.', applies: 'now', secret: true }, LINE),
  displayName: text('', { title: 'Shown name', description: 'What the others show.', applies: 'now' }, LINE, 64),
  digest: choice('SHA-256 and MD5', ['SHA-256 and MD5', 'MD5'], { title: 'Proof', description: 'What its phone may prove its password by. MD5: for phones that stumble over SHA-256, such as baresip 1.0.', applies: 'now' }),
  forward: forward('Always to', 'Rings in its place.'),
  busyForward: forward('When busy to', 'Rings when it is busy.'),
  noAnswerForward: forward('When nobody answers to', 'Rings after exchange.noAnswerS, at once when it is not registered.'),
}, { title: 'User', additionalProperties: false });

const pageGroupSchema = Type.Object({
  address: text('', { title: 'Group', description: 'Multicast address and port: 239.1.1.1:5004, [ff15::1]:5004.', applies: 'now' }, GROUP_PORT, 64),
  priority: whole(5, 1, 10, { title: 'Priority', description: 'The higher one is heard when two speak at once.', applies: 'now' }),
}, { title: 'Group', additionalProperties: false });

const exchangeGroupSchema = Type.Object({
  number: extension('Number', 'Number that rings several.'),
  members: list(Type.String({ pattern: EXTENSION, maxLength: 64, kind: 'user' }), [], { title: 'Members', description: 'Users whom it rings; never the caller.', applies: 'now' }),
  ring: choice('all', ['all', 'in turn'], { title: 'How', description: 'all: at once, the first who answers has the call. in turn: one after the other, exchange.noAnswerS each.', applies: 'now' }),
}, { title: 'Group', additionalProperties: false });

const place = (device: string, what: string) => ({
  device: text(device, { title: 'Sound device', description: `${what} auto: a sound card when there is one, else a silent clock. alsa:NAME, alsa:CAPTURE|PLAYBACK, arecord:NAME, echo, tone:HZ, silence, wav:IN.wav,OUT.wav.`, applies: 'now' }, DEVICE),
  playDb: real(0, -40, 20, { title: 'Volume', description: 'Gain of what is heard.', unit: 'dB', applies: 'now' }),
  captureDb: real(0, -40, 20, { title: 'Microphone', description: 'Gain of what is sent.', unit: 'dB', applies: 'now' }),
});
const speakingPlace = (device: string, what: string, auto: string) => ({
  ...place(device, what),
  echo: choice('auto', ['auto', 'full', 'light', 'gate', 'off'], { title: 'Echo control', description: `So that the other side does not hear itself. full: canceller and post-filter, needs the package libspeexdsp1. light: the canceller alone, which adds no delay. gate: one side at a time. auto: ${auto}.`, applies: 'now' }),
  noise: choice('auto', ['auto', 'on', 'off'], { title: 'Noise suppression', description: 'Take the hum of a room off the microphone; adds 10 ms of delay. auto: at the loudspeaker.', applies: 'now' }),
  micGain: choice('auto', ['auto', 'on', 'off'], { title: 'Automatic microphone', description: 'Bring the own voice slowly near the usual level, by at most 15 dB; noise is not made louder. auto: at the loudspeaker.', applies: 'now' }),
  even: choice('auto', ['auto', 'on', 'off'], { title: 'Even callers out', description: 'Make callers who are much too quiet or too loud slowly more alike, by at most 12 dB. auto: at the loudspeaker.', applies: 'now' }),
});
export const settingsSchema = Type.Object({
  phone: group('Phone', {
    name: text('Offhook', { title: 'Name', description: 'Name of this phone.', applies: 'on restart' }, LINE, 64),
    country: choice('us', COUNTRIES, { title: 'Country', description: 'Whose tones, ringing and emergency numbers this phone has.', applies: 'next call' }),
    board: text('auto', { title: 'Board', description: 'auto, bench (handset drawn on the page), none (no handset at all), or a board file of hw/boards.', applies: 'on restart' }, BOARD, 64),
  }),
  accounts: Type.Array(accountSchema, { title: 'Accounts', default: [], maxItems: 8 }),
  sip: group('SIP', {
    host: text('', { title: 'Listen on', description: 'Address of this machine to use; empty is all of them.', applies: 'on restart' }, HOST),
    port: whole(5060, 0, 65_535, { title: 'Port', description: 'UDP and TCP port; 0 takes any free one.', applies: 'on restart' }),
    tcp: flag(true, { title: 'Accept TCP', description: 'Listen for TCP as well.', applies: 'on restart' }),
    tlsCa: text('', { title: 'TLS authorities', description: 'PEM file with certificates of authorities that may vouch for servers, besides those that Debian knows.', applies: 'on registering' }, LINE),
    tlsCert: text('', { title: 'TLS certificate', description: 'PEM file with the certificate of this phone and its chain, for servers that ask for one and for sip.tlsPort.', applies: 'on registering' }, LINE),
    tlsKey: text('', { title: 'TLS key', description: 'PEM file with the private key of that certificate; empty: it is in the same file.', applies: 'on registering' }, LINE),
    tlsPort: whole(0, 0, 65_535, { title: 'Accept TLS', description: 'Port to accept TLS on, usually 5061; 0 does not. Servers need none: they use the connection that the phone made.', applies: 'on restart' }),
    dscp: whole(26, 0, 63, { title: 'Priority of messages', description: 'DSCP mark on SIP packets, for switches and Wi-Fi: 26 is AF31, 24 CS3, 0 none.', applies: 'on restart' }),
    acceptFrom: choice('registered', ['registered', 'listed', 'anyone'], { title: 'Who may call', description: 'registered: calls through the server we are registered at, and listed addresses. listed: listed addresses only. anyone: every caller rings (never answered by itself).', applies: 'next call' }),
    allowAddresses: list(Type.String({ pattern: NETWORK, maxLength: 64, kind: 'network' }), [], { title: 'Listed addresses', description: 'Addresses or networks (192.168.1.0/24) that may call directly.', applies: 'next call' }),
    watchers: choice('nobody', ['nobody', 'callers'], { title: 'Who may watch', description: 'Whether other phones may show by a lamp that this one is ringing or busy. callers: whoever may call, but no strangers, whom acceptFrom may let ring.', applies: 'on restart' }),
    nameServers: list(Type.String({ pattern: NAME_SERVER, maxLength: 64, kind: 'name server' }), [], { title: 'Name servers', description: 'Addresses of DNS servers, optionally with :port, that are asked for SIP servers in place of those of this machine.', applies: 'on restart' }, 3),
    trace: flag(false, { title: 'Trace messages', description: 'Write every SIP message to the log at debug level, secrets blanked.', applies: 'now' }),
  }),
  sound: group('Sound', {
    handset: group('Handset', {
      ...speakingPlace('auto', 'Microphone and earpiece.', 'off, since a handset keeps ear and mouth apart; set full where a phone without handset is spoken to from afar'),
      sidetone: text('auto', { title: 'Sidetone', description: 'The own voice in the earpiece, by the mixer of the sound card where it has a path for it. auto: at -18 dB. off: the mixer is left alone. A number: at so many dB.', applies: 'now' }, SIDETONE, 8),
    }),
    speaker: group('Loudspeaker', speakingPlace('auto', 'Hands-free microphone and loudspeaker.', 'full with a sound card')),
    ringer: group('Ringer', place('auto', 'Where the ring tone is heard when there is no bell.')),
    periodMs: choice('20', ['10', '20'], { title: 'Period', description: 'How often the card is served; 10 is less delay and more work.', unit: 'ms', applies: 'on restart' }),
    periods: whole(4, 2, 16, { title: 'Periods', description: 'Periods in the card\'s buffer.', applies: 'on restart' }),
    ringTones: Type.Record(Type.String({ pattern: RING_NAME }), Type.String({ maxLength: 64, pattern: RING_TONE, kind: 'ring tone' }), { default: {}, title: 'Ring tones', description: 'What the ringer plays, by the kind of call that the server names in Alert-Info: normal, internal, external, group, dr1 to dr5, or a word of the server\'s own. bell, warble, trill, chime, marimba, buzzer, or a WAV file in the folder sounds of the state folder. normal also stands for all that are not here.', applies: 'next call' }),
    ringTone: flag(true, { title: 'Ring tone', description: 'Play a ring tone at the ringer besides the bell.', applies: 'now' }),
  }),
  media: group('Media', {
    codecs: list(Type.Unsafe<'opus' | 'G722' | 'L16' | 'PCMU' | 'PCMA'>({ type: 'string', enum: ['opus', 'G722', 'L16', 'PCMU', 'PCMA'] }), ['opus', 'G722', 'PCMA', 'PCMU'], { title: 'Codecs', description: 'In order of preference: opus and G722 carry the whole voice, PCMA and PCMU what a telephone always did. L16 is uncompressed, for a network of your own.', applies: 'next call' }, 8),
    ptimeMs: choice('20', ['10', '20', '40', '60'], { title: 'Packet time', description: 'Sound in each packet.', unit: 'ms', applies: 'next call' }),
    rtpPortMin: whole(16_384, 1_024, 65_534, { title: 'Lowest RTP port', description: 'First port used for sound.', applies: 'next call' }),
    rtpPortMax: whole(32_766, 1_025, 65_535, { title: 'Highest RTP port', description: 'Last port used for sound.', applies: 'next call' }),
    encryption: choice('offered', ['never', 'offered', 'preferred', 'always'], { title: 'Encryption', description: 'Whether the sound of calls is encrypted (SRTP). offered: where the other side wants it. preferred: this phone asks for it, and does without where the other side cannot. always: calls without it are refused, emergency calls apart. The keys travel in the messages: without the transport tls whoever reads those can listen.', applies: 'next call' }),
    stunServer: text('', { title: 'STUN server', description: 'For a phone behind a router whose server does not relay the sound: a STUN server, optionally with :port, that tells the address of a call at the router, which is then told to the other side. Not asked for servers and phones of the own network. A router that gives each destination another port is not got through. Empty: none.', applies: 'on restart' }, HOST_PORT),
    dscp: whole(46, 0, 63, { title: 'Priority of sound', description: 'DSCP mark on RTP packets: 46 is EF (expedited forwarding), 0 none.', applies: 'on restart' }),
    realTime: flag(true, { title: 'Sound first', description: 'Sound goes before every other program of this machine, where the system lets it.', applies: 'on restart' }),
    jitterMinMs: whole(0, 0, 400, { title: 'Least jitter buffer', description: 'Lateness always allowed for, even where none was seen.', unit: 'ms', applies: 'next call' }),
    jitterMaxMs: whole(300, 40, 1_000, { title: 'Greatest jitter buffer', description: 'Lateness never exceeded.', unit: 'ms', applies: 'next call' }),
    opusBitrate: whole(32_000, 6_000, 128_000, { title: 'Opus bit rate', description: 'Bits a second for Opus; a quarter more as a call begins and while packets are lost.', unit: 'bit/s', applies: 'next call' }),
    opusComplexity: whole(0, 0, 10, { title: 'Opus complexity', description: 'More is better sound and more work; 0 chooses by the board.', applies: 'next call' }),
    silenceSuppression: flag(false, { title: 'Silence suppression', description: 'Send a description of the room\'s noise in place of silence, where the other side takes it (RFC 3389; DTX with Opus). Saves half of the traffic; soft words may lose their beginning.', applies: 'next call' }),
    inbandDtmf: choice('auto', ['off', 'auto', 'on'], { title: 'Keys in the sound', description: 'Whether keys that the other side presses are listened for in the sound. auto: only where it cannot send them as events.', applies: 'next call' }),
    rtcpXr: flag(true, { title: 'Reports of quality', description: 'Ask the other side how it hears us, and tell it how we hear it, where it asks (RTCP XR, RFC 3611).', applies: 'next call' }),
    rtpTimeoutS: whole(60, 0, 3_600, { title: 'Dead call', description: 'Hang up when no sound arrives for this long; 0 never does.', unit: 's', applies: 'next call' }),
  }),
  dialing: group('Dialling', {
    plan: list(Type.String({ pattern: DIAL_PATTERN, maxLength: 128, kind: 'dial pattern' }), [], { title: 'Dial plan', description: 'Patterns, first match wins: digits, x any digit, [2-5], . any number of the last, <9:> replace at the start, ! refuse. Empty: the inter-digit time-out or # ends the number.', applies: 'now' }),
    interDigitS: real(4, 0.5, 30, { title: 'Inter-digit time', description: 'A pause this long ends the number.', unit: 's', applies: 'now' }),
    sendKey: choice('#', ['#', 'none'], { title: 'Send key', description: 'Key that ends the number at once.', applies: 'now' }),
    emergencyOfCountry: flag(true, { title: 'Emergency numbers of the country', description: 'Call them before every rule, lock, extension and pattern; src/media/national-tones.txt lists them.', applies: 'now' }),
    emergencyPriority: text('esnet.0', { title: 'Priority of emergency calls', description: 'Resource-Priority of a call to an emergency number, for servers that know it (RFC 4412); empty for none.', applies: 'next call' }, LINE, 64),
    emergency: list(Type.String({ pattern: EMERGENCY, kind: 'emergency' }), [], { title: 'Further emergency numbers', description: 'Called before every rule, lock and pattern, as those of the country.', applies: 'now' }),
    speedDial: Type.Record(Type.String({ pattern: SPEED_DIAL }), Type.String({ minLength: 1, maxLength: 255, pattern: LINE }), { default: {}, title: 'Speed dial', description: 'Digits and what they call: a number or an address such as sip:door@192.168.1.9.', applies: 'now' }),
    hotline: text('', { title: 'Hotline', description: 'Called by itself when the handset is lifted and nothing is dialled.', applies: 'now' }, LINE),
    hotlineS: real(0, 0, 30, { title: 'Hotline delay', description: 'How long to wait for a digit first.', unit: 's', applies: 'now' }),
    noDialS: whole(20, 5, 300, { title: 'Dial tone time', description: 'Dial tone that long without a digit becomes the dead line.', unit: 's', applies: 'now' }),
  }),
  calls: group('Calls', {
    answer: choice('ring', ['ring', 'auto'], { title: 'Incoming calls', description: 'ring, or for a phone without handset: answer at once who comes through the server or from a listed address.', applies: 'next call' }),
    ringS: whole(120, 5, 600, { title: 'Ringing time', description: 'An unanswered call is refused with 480 after this.', unit: 's', applies: 'next call' }),
    noAnswerS: whole(180, 5, 600, { title: 'Calling time', description: 'Give up a call of ours that nobody answers.', unit: 's', applies: 'next call' }),
    sessionTimerS: whole(1_800, 0, 86_400, { title: 'Session timer', description: 'How often a call is refreshed, so that a dead one ends (RFC 4028); below 90 counts as 90, 0 leaves it to the other side.', unit: 's', applies: 'next call' }),
    flash: choice('swap', ['swap', 'join'], { title: 'Hook flash with two calls', description: 'swap: talk to the other one. join: all three talk; the next flash ends the call made last.', applies: 'now' }),
    waiting: flag(true, { title: 'Call waiting', description: 'A second caller is heard as a tone; otherwise it is busy.', applies: 'next call' }),
    doNotDisturb: flag(false, { title: 'Do not disturb', description: 'Callers hear busy; the phone stays silent.', applies: 'now' }),
    howlerS: whole(60, 10, 600, { title: 'Howler', description: 'A handset left off for this long after a dead line howls.', unit: 's', applies: 'now' }),
    holdMusic: text('tone', { title: 'Held callers hear', description: 'off: nothing. tone: three soft notes every five seconds. Or a WAV file in the folder sounds of the state folder, as hold.wav.', applies: 'next call' }, HOLD_MUSIC, 64),
    qualityReport: text('', { title: 'Report quality to', description: 'SIP address of a collector that is told at the end of each call how it was (RFC 6035), as sip:quality@pbx.example; empty: nobody.', applies: 'next call' }, COLLECTOR),
    logSize: whole(200, 0, 5_000, { title: 'Call log', description: 'How many calls are remembered.', applies: 'now' }),
  }),
  recording: group('Recording', {
    mode: choice('off', ['off', 'on-demand', 'always'], { title: 'Record calls', description: 'off: never. on-demand: when asked for on the page, by "offhook record" or by *45 after a hook flash. always: each call from its answer on. Both sides hear a beep of half a second at the beginning and every 15 s, which cannot be switched off. In many countries all who talk must agree. Emergency calls are never recorded.', applies: 'next call' }),
    folder: text('', { title: 'Folder', description: 'Where recordings lie; empty: the folder recordings of the state folder. The service may write elsewhere only where its unit says so (ReadWritePaths).', applies: 'next call' }, FOLDER),
    maxMinutes: whole(120, 1, 360, { title: 'Longest recording', description: 'A recording ends after this, the call goes on.', unit: 'min', applies: 'next call' }),
    keepDays: whole(30, 0, 3_650, { title: 'Kept for', description: 'Older recordings are removed; 0 keeps them.', unit: 'd', applies: 'now' }),
    maxMegabytes: whole(1_000, 100, 1_000_000, { title: 'All recordings', description: 'The oldest are removed where all together are larger. A minute has 4 MB.', unit: 'MB', applies: 'now' }),
  }),
  intercom: group('Intercom', {
    enabled: flag(false, { title: 'Intercom', description: 'Let allowed callers be answered by itself, when they ask for it or the account says so.', applies: 'next call' }),
    allow: Type.Array(intercomCallerSchema, { title: 'Allowed callers', default: [], maxItems: 100 }),
    place: choice('speaker', ['speaker', 'handset'], { title: 'Answer on', description: 'Where an intercom call is heard.', applies: 'next call' }),
    maxS: whole(120, 5, 3_600, { title: 'Longest call', description: 'An intercom call is ended after this.', unit: 's', applies: 'next call' }),
    whileBusy: flag(false, { title: 'While in a call', description: 'Answer by itself even during another call; otherwise busy or call waiting.', applies: 'next call' }),
    privacy: flag(false, { title: 'Privacy', description: 'Never answer by itself; the switch on the board does the same.', applies: 'now' }),
  }),
  paging: group('Paging', {
    listen: Type.Array(pageGroupSchema, { title: 'Groups heard', default: [], maxItems: 10 }),
    urgent: whole(8, 1, 11, { title: 'Urgent from', description: 'Pages of this priority and above are heard during calls, do not disturb and privacy as well; 11: none.', applies: 'now' }),
  }),
  exchange: group('Exchange', {
    enabled: flag(false, { title: 'Exchange', description: 'Be the exchange of the house: other phones register here and call one another, without a PBX.', applies: 'on restart' }),
    host: text('', { title: 'Listen on', description: 'Address of this machine to use; empty is all of them.', applies: 'on restart' }, HOST),
    port: whole(5_070, 0, 65_535, { title: 'Port', description: 'UDP and TCP port; 0 takes any free one.', applies: 'on restart' }),
    tlsPort: whole(0, 0, 65_535, { title: 'TLS port', description: 'Port where phones may come encrypted, usually 5061; 0 takes none.', applies: 'on restart' }),
    wsPort: whole(0, 0, 65_535, { title: 'WebSocket port', description: 'Port for phones in browsers, in clear; 0 takes none.', applies: 'on restart' }),
    wssPort: whole(0, 0, 65_535, { title: 'WebSocket port with TLS', description: 'Port for phones in browsers, encrypted; 0 takes none.', applies: 'on restart' }),
    tlsCert: text('', { title: 'TLS certificate', description: 'PEM file with the certificate and its chain that phones see there; a renewed one counts at once.', applies: 'now' }, LINE),
    tlsKey: text('', { title: 'TLS key', description: 'PEM file with its private key; empty: it is in the same file.', applies: 'now' }, LINE),
    domain: text('', { title: 'Domain', description: 'Name that its numbers stand behind and passwords are for, as home.example; empty: the address of this machine.', applies: 'now' }, HOST_NAME),
    ownUser: text('', { title: 'This phone', description: 'User of the exchange that this phone itself is: it gets that account by itself. Empty: none.', applies: 'on registering' }, USER, 64),
    noAnswerS: whole(20, 3, 180, { title: 'Ringing time', description: 'A phone that rings this long without answer gives way to the next one, where there is one.', unit: 's', applies: 'now' }),
    users: Type.Array(exchangeUserSchema, { title: 'Users', default: [], maxItems: 100 }),
    groups: Type.Array(exchangeGroupSchema, { title: 'Groups', default: [], maxItems: 50 }),
  }),
  hardware: group('Hardware', {
    debounceMs: whole(20, 1, 200, { title: 'Debounce', description: 'Contacts must rest this long.', unit: 'ms', applies: 'on restart' }),
    flashMinMs: whole(80, 20, 500, { title: 'Shortest flash', description: 'A shorter press of the hook is bounce.', unit: 'ms', applies: 'on restart' }),
    flashMaxMs: whole(800, 200, 2_000, { title: 'Longest flash', description: 'A longer press of the hook hangs up.', unit: 'ms', applies: 'on restart' }),
    driver: choice('auto', ['auto', 'gpiochip', 'onoff', 'evdev'], { title: 'Driver', description: 'How pins are reached. auto: evdev where an input device is set, else gpiochip.', applies: 'on restart' }),
    inputDevice: text('', { title: 'Input device', description: 'evdev: path of the keypad, e.g. /dev/input/event0.', applies: 'on restart' }, LINE),
    pins: Type.Record(Type.String({ pattern: PIN_NAME }), Type.Union([PIN, Type.Array(PIN, { maxItems: 16 })], { kind: 'pins' }), { default: {}, title: 'Pins', description: 'Pins that differ from the board file: hook = 17, rows = [5, 6, 13, 26] ...', applies: 'on restart' }),
  }),
  web: group('Page', {
    enabled: flag(true, { title: 'Page', description: 'Serve the settings page.', applies: 'on restart' }),
    host: text('', { title: 'Listen on', description: 'Address of this machine; empty is all of them.', applies: 'on restart' }, HOST),
    port: whole(8_080, 0, 65_535, { title: 'Port', description: 'Port of the page; 0 takes any free one.', applies: 'on restart' }),
  }),
  log: group('Log', {
    format: choice('text', ['text', 'json'], { title: 'Format', description: 'Lines for people or for programs.', applies: 'on restart' }),
    level: choice('info', ['error', 'warn', 'info', 'debug'], { title: 'Level', description: 'How much is written.', applies: 'now' }),
  }),
}, { title: 'Settings', additionalProperties: false });

export type Settings = Static<typeof settingsSchema>;
export type AccountSettings = Static<typeof accountSchema>;
