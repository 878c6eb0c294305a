// A SIP message as an index over its bytes: nothing is copied, and no string is made, until somebody asks (RFC 3261 §7).
// Knows lines, names and lists; what a header means stands in headers.ts, what a UA refuses in screen.ts.
//
//   INVITE sip:a@b SIP/2.0 | Via: v ... | From : f ... |    | body
//   method^ uri    ^ lineEnd  ^  ^  ^  ^ four offsets a line   ^bodyStart ^bodyEnd

export interface Message {
  readonly kind: 'request' | 'response';
  /** The wire bytes; the message owns them, all views point into them. */
  readonly bytes: Buffer;
  /** Offsets of the start line's first byte, of its second and third word, and of its end. */
  readonly line: readonly [start: number, second: number, third: number, end: number];
  /** Method of a request, '' for a response: see methodOf. */
  readonly method: string;
  /** Status of a response, 0 for a request. */
  readonly status: number;
  /** Four byte offsets a header line: name start, name end, value start, value end. */
  readonly spans: readonly number[];
  readonly bodyStart: number;
  readonly bodyEnd: number;
}

/** Bytes that are no SIP message, and how far they could be read. */
export interface Malformed {
  readonly kind: 'malformed';
  /** What is wrong, a sentence naming the line or header. */
  readonly malformed: string;
  /** What a request of this kind is answered with. */
  readonly status: 400 | 513;
  /** The index as far as it goes, when the start line was readable. */
  readonly message: Message | undefined;
  /** False when nobody can tell where the message ends: a stream is lost then. */
  readonly framed: boolean;
}

/** Limits on what we read. A UDP datagram cannot be longer; the RFC gives none. */
export const MAX_BYTES = 65_535;
export const MAX_LINES = 256;
/** Parameters of one value, and addresses of one header, beyond which it counts as unreadable. */
export const MAX_ITEMS = 64;

/** Methods that have a name here; others are strings of their own (RFC 3261 §7.1). */
export const METHODS = [
  'INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'REGISTER', 'INFO', 'REFER', 'NOTIFY', 'SUBSCRIBE', 'UPDATE', 'PRACK', 'MESSAGE', 'PUBLISH',
] as const;

/** Compact letter and header name together: RFC 3261 §7.3.3 and §20, RFC 3515, 3891, 3892, 4028, 6665, 3841, 8224. Text: half the heap of an object. */
const COMPACT = ' vvia ffrom tto icall-id mcontact lcontent-length ccontent-type econtent-encoding ssubject ksupported rrefer-to ' +
  'breferred-by oevent uallow-events xsession-expires aaccept-contact jreject-contact drequest-disposition yidentity ';

/** Headers whose grammar is a comma-separated list (RFC 3261 §7.3.1, §25; RFC 3327, 3608, 3325, 3326, 5806, 7044). */
const LISTS =
  ' via route record-route contact allow supported require proxy-require unsupported ' +
  'accept accept-encoding accept-language content-encoding content-language in-reply-to call-info alert-info error-info ' +
  'warning reason allow-events path service-route p-asserted-identity p-preferred-identity p-associated-uri history-info diversion answer-mode ';

const CR = 13, LF = 10, SP = 32, TAB = 9, COLON = 58, COMMA = 44, QUOTE = 34, BACKSLASH = 92, LESS = 60, MORE = 62;

/**
 * The index of one message. Without `stream`, `bytes` are a datagram: the body is what Content-Length says or the rest, more is
 * ignored, less is malformed (RFC 3261 §18.3). With `stream`, Content-Length is required and bodyEnd may lie beyond `bytes`.
 */
export function parseMessage(bytes: Buffer, stream = false): Message | Malformed {
  const length = bytes.length;
  if (length > MAX_BYTES) return fault('the message is too long', undefined, false, 513);
  // The string is for its quick indexOf, and for what is asked of this message next
  const chars = bytes.toString('latin1');
  lastRead = Buffer.byteLength(chars) === length ? bytes : undefined; // ASCII throughout, as nearly always
  lastChars = chars;
  lastFolded = false;
  let at = 0;
  while (at < length && (bytes[at] === CR || bytes[at] === LF)) at++; // RFC 3261 §7.5

  // Start line
  const start = at;
  let feed = chars.indexOf('\n', at);
  if (feed < 0) return fault('the start line does not end');
  const lineEnd = bytes[feed - 1] === CR ? feed - 1 : feed;
  const second = chars.indexOf(' ', at) + 1;
  if (second <= 0 || second >= lineEnd) return fault('the start line is one word');
  let wrong = '';
  let method = '';
  let status = 0;
  let third = 0;
  if (isVersion(bytes, start, second - 1)) {
    third = chars.indexOf(' ', second) + 1;
    if (third <= 0 || third > lineEnd) third = lineEnd; // no reason phrase and its space forgotten: harmless
    const tight = third === lineEnd && bytes[lineEnd - 1] !== SP ? lineEnd : third - 1;
    if (tight - second === 3) status = digits(bytes, second, tight);
    if (status < 100 || status > 699) return fault('the status line has no status between 100 and 699');
  } else {
    let last = lineEnd;
    while (isSpace(bytes[last - 1]!)) last--;
    third = last; // a stray space is a fault that can be answered, RFC 4475 §3.1.2.8 to §3.1.2.10
    while (third > second && bytes[third - 1] !== SP) third--;
    if (third <= second + 1 || !isVersion(bytes, third, last)) return fault('the start line is neither a request nor a response');
    if (!isToken(bytes, start, second - 1)) return fault('the method is no token');
    method = methodAt(bytes, start, second - 1);
    if (last < lineEnd) wrong = 'the start line ends in white space';
    for (let i = second; i < third - 1; i++) if (bytes[i]! <= SP || bytes[i] === LESS) wrong = 'the Request-URI contains a space or "<"';
  }

  // Header lines; a line that begins with white space goes on the one before (§7.3.1)
  const offsets = scratch;
  let size = 0;
  let body = -1;
  let count = 0;
  let lengthAt = -1; // where Content-Length may first stand
  let strayCr = lineEnd;
  let astray = false; // the line before is no header: what is folded onto it belongs to nothing
  let c = 0;
  for (at = feed + 1; at < length; at = feed + 1) {
    feed = chars.indexOf('\n', at);
    if (feed < 0) break;
    const end = bytes[feed - 1] === CR ? feed - 1 : feed;
    if (end <= at || count === MAX_LINES) {
      body = end <= at ? feed + 1 : at;
      break;
    }
    count++;
    let stop = end;
    while (stop > at && ((c = bytes[stop - 1]!) === SP || c === TAB)) stop--;
    if ((c = bytes[at]!) === SP || c === TAB) {
      if (size === 0) wrong ||= 'the first header line begins with white space';
      else if (!astray && stop > at) {
        lastFolded = true;
        if (offsets[size - 2]! >= offsets[size - 1]!) { // an empty line so far: the value begins here
          while (isSpace(bytes[at]!)) at++;
          offsets[size - 2] = at;
        }
        offsets[size - 1] = stop;
      }
    } else {
      let from = at;
      while (TOKEN[bytes[from]!] === 1) from++;
      const nameEnd = from;
      while ((c = bytes[from]!) === SP || c === TAB) from++;
      astray = c !== COLON || nameEnd === at;
      if (astray) wrong ||= `header line ${count} is not "name: value"`;
      else {
        for (from++; from < stop && ((c = bytes[from]!) === SP || c === TAB);) from++;
        if (lengthAt < 0 && (nameEnd === at + 14 || nameEnd === at + 1)) lengthAt = size;
        offsets[size] = at;
        offsets[size + 1] = nameEnd;
        offsets[size + 2] = from;
        offsets[size + 3] = stop > from ? stop : from;
        size += 4;
      }
    }
    if (strayCr < at && strayCr >= 0) strayCr = chars.indexOf('\r', at);
    if (strayCr < end && strayCr >= at && !astray && size > 0) wrong ||= `header line ${size / 4} contains a bare carriage return`;
  }
  const spans = size > 256 ? offsets.splice(0) : offsets.slice(0, size); // many lines are rare, their room is not kept
  let lost = '';
  let answer: 400 | 513 = 400;
  if (body === at) {
    lost = 'there are too many header lines';
    answer = 513;
  } else if (body < 0) {
    wrong ||= 'the header does not end with an empty line';
    body = length;
  }

  // Where the body ends
  let declared = -1;
  for (let i = lengthAt; i >= 0 && i < size && lost === ''; i += 4) {
    const name = spans[i]!, n = spans[i + 1]! - name;
    if ((n !== 14 && n !== 1) || !spells(bytes, name, name + n, n === 1 ? 'l' : 'content-length')) continue;
    const said = digits(bytes, spans[i + 2]!, spans[i + 3]!);
    if (said < 0 || (declared >= 0 && said !== declared)) lost = 'Content-Length is not one number';
    declared = said;
  }
  let bodyEnd = body;
  if (lost === '' && stream && declared < 0) lost = wrong || 'Content-Length is missing on a stream';
  else if (lost === '' && declared > MAX_BYTES - body) {
    lost = 'the body is too long';
    answer = 513;
  } else if (lost === '') {
    bodyEnd = declared < 0 ? length : body + declared;
    if (!stream && bodyEnd > length) {
      wrong ||= `Content-Length says ${declared} bytes, ${length - body} came`;
      bodyEnd = length;
    }
  }
  const message: Message = { kind: status === 0 ? 'request' : 'response', bytes, line: [start, second, third, lineEnd], method, status, spans, bodyStart: body, bodyEnd };
  return lost !== '' ? fault(lost, message, false, answer) : wrong === '' ? message : fault(wrong, message, true);
}

/** Where the offsets of a message's lines are gathered. */
const scratch: number[] = [];

/** The message read last as characters: what is asked of it next costs no way into the buffer. */
let lastRead: Buffer | undefined, lastChars = '', lastFolded = false;

const charsOf = (bytes: Buffer, from: number, to: number): string => (bytes === lastRead ? lastChars.slice(from, to) : bytes.toString('utf8', from, to));

function fault(malformed: string, message?: Message, framed = false, status: 400 | 513 = 400): Malformed {
  return { kind: 'malformed', malformed, status, message, framed };
}

/** The method of a request; of a response, the method in its CSeq (RFC 3261 §8.1.1.5), '' when unreadable. */
export function methodOf(message: Message): string {
  if (message.kind === 'request') return message.method;
  const i = find(message, 'cseq');
  if (i < 0) return '';
  return methodAt(message.bytes, lastWord(message, i), message.spans[i + 3]!);
}

/** Where the last word of the line at index `i` of spans begins. */
export function lastWord(message: Message, i: number): number {
  const { bytes, spans } = message;
  let start = spans[i + 3]!;
  while (start > spans[i + 2]! && bytes[start - 1]! > SP) start--;
  return start;
}

/** The Request-URI as written; '' for a response. */
export function requestUri(message: Message): string {
  return message.kind === 'request' ? charsOf(message.bytes, message.line[1], message.line[2] - 1) : '';
}

/** The status of a response; 0 for a request. */
export const statusOf = (message: Message): number => message.status;

/** The reason phrase of a response, '' for a request. */
export function reasonOf(message: Message): string {
  const [, , third, end] = message.line;
  return message.kind === 'response' ? charsOf(message.bytes, third, end).trim() : '';
}

/** Major and minor of the SIP version as written, '2.0'. */
export function versionOf(message: Message): string {
  const [start, second, third, end] = message.line;
  return message.kind === 'request' ? message.bytes.toString('latin1', third + 4, end) : message.bytes.toString('latin1', start + 4, second - 1);
}

/** Index into spans of the next line of header `name` (lower case) at or after `from`; -1 when there is none. */
export function find(message: Message, name: string, from = 0): number {
  const { bytes, spans } = message;
  const length = name.length, first = name.charCodeAt(0) | 0x20, end = spans.length;
  let letter = -1;
  for (let i = from; i < end; i += 4) {
    const start = spans[i]!, size = spans[i + 1]! - start;
    if (size === length) {
      if ((bytes[start]! | 0x20) === first && spells(bytes, start, start + size, name)) return i;
    } else if (size === 1) {
      if (letter < 0) letter = letterOf(name);
      if ((bytes[start]! | 0x20) === letter) return i;
    }
  }
  return -1;
}

/** The compact form of header `name`, 0 when it has none. */
function letterOf(name: string): number {
  let i = COMPACT.indexOf(`${name} `);
  while (i >= 0 && COMPACT.charCodeAt(i - 2) !== SP) i = COMPACT.indexOf(`${name} `, i + 1);
  return i < 0 ? 0 : COMPACT.charCodeAt(i - 1);
}

/** A view of the first value of header `name` (lower case, compact form found too), folds and all. */
export function value(message: Message, name: string): Buffer | undefined {
  const i = find(message, name);
  return i < 0 ? undefined : message.bytes.subarray(message.spans[i + 2]!, message.spans[i + 3]!);
}

/** Views of every line of header `name`, in wire order. */
export function values(message: Message, name: string): Buffer[] {
  const all: Buffer[] = [];
  for (let i = find(message, name); i >= 0; i = find(message, name, i + 4)) all.push(message.bytes.subarray(message.spans[i + 2]!, message.spans[i + 3]!));
  return all;
}

/** The first line of header `name` as a string, unfolded and trimmed; a list stays together, see texts. */
export function text(message: Message, name: string): string | undefined {
  const i = find(message, name);
  return i < 0 ? undefined : lineText(message, i);
}

/** Every value of header `name`: lines in wire order, lists split at their commas where the header's grammar is a list. */
export function texts(message: Message, name: string): string[] {
  const all: string[] = [];
  for (let i = find(message, name); i >= 0; i = find(message, name, i + 4)) {
    if (LISTS.includes(` ${name} `)) all.push(...splitList(lineText(message, i)));
    else all.push(lineText(message, i));
  }
  return all;
}

/** The line at index `i` of spans, as found by find(), unfolded. */
export function lineText(message: Message, i: number): string {
  const { bytes, spans } = message, from = spans[i + 2]!, to = spans[i + 3]!;
  return bytes === lastRead && !lastFolded ? lastChars.slice(from, to) : unfold(charsOf(bytes, from, to));
}

/** Folds become one space (RFC 3261 §7.3.1). */
export function unfold(value: string): string {
  if (!value.includes('\n')) return value;
  const line = value.replace(/\r?\n[ \t]+/g, ' ');
  let start = 0, end = line.length; // trim() would take bytes of UTF-8 for spaces
  while (start < end && line.charCodeAt(start) <= SP) start++;
  while (end > start && line.charCodeAt(end - 1) <= SP) end--;
  return line.slice(start, end);
}

/** A view of the body. */
export function bodyOf(message: Message): Buffer {
  return message.bodyStart === message.bodyEnd ? NOTHING : message.bytes.subarray(message.bodyStart, message.bodyEnd);
}

const NOTHING = Buffer.alloc(0);

/** The elements of a comma-separated list, trimmed, empty ones left out; commas in quotes and in <> do not count. */
export function splitList(list: string): string[] {
  const all: string[] = [];
  for (let at = 0; at <= list.length;) {
    const end = elementEnd(list, at);
    const element = list.slice(at, end).trim();
    if (element !== '') all.push(element);
    at = end + 1;
  }
  return all;
}

/** Where the list element that begins at `from` ends: at its comma or at the end of the list. */
export function elementEnd(list: string, from = 0): number {
  if (!list.includes(',', from)) return list.length;
  let quoted = false, inside = false;
  for (let i = from; i < list.length; i++) {
    const c = list.charCodeAt(i);
    if (quoted) {
      if (c === BACKSLASH) i++;
      else if (c === QUOTE) quoted = false;
    } else if (c === QUOTE) quoted = true;
    else if (c === LESS) inside = true;
    else if (c === MORE) inside = false;
    else if (c === COMMA && !inside) return i;
  }
  return list.length;
}

/** True when bytes[start..end) spell `lower`, a lower-case token, whatever their case (RFC 3261 §7.3.1). */
function spells(bytes: Buffer, start: number, end: number, lower: string): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) {
    const c = bytes[start + i]!, wanted = lower.charCodeAt(i);
    if (c !== wanted && (c | 0x20) !== wanted) return false; // of a token's bytes only a capital is another's lower case
  }
  return true;
}

/** bytes[start..end) as a method's name. */
export function methodAt(bytes: Buffer, start: number, end: number): string {
  const size = end - start, first = bytes[start], third = bytes[start + 2];
  next: for (let m = 0; m < METHODS.length; m++) {
    const method = METHODS[m]!;
    if (size !== method.length || first !== method.charCodeAt(0) || third !== method.charCodeAt(2)) continue;
    for (let i = 1; i < size; i++) if (bytes[start + i] !== method.charCodeAt(i)) continue next; // methods mind their case
    return method;
  }
  return bytes.toString('latin1', start, end);
}

/** 'SIP/' digits '.' digits; whether it is 2.0 is decided by screen.ts. */
function isVersion(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < 7 || bytes[start + 3] !== 47 || !spells(bytes, start, start + 3, 'sip')) return false;
  let dots = 0;
  for (let i = start + 4; i < end; i++) {
    if (bytes[i] === 46) dots++;
    else if (bytes[i]! < 48 || bytes[i]! > 57) return false;
  }
  return dots === 1 && bytes[start + 4] !== 46 && bytes[end - 1] !== 46;
}

const isSpace = (c: number): boolean => c === SP || c === TAB;

/** 1 at the bytes of a token of RFC 3261 §25.1: letters, digits and - . ! % * _ + ` ' ~ */
const TOKEN = new Uint8Array(256);
for (const c of Buffer.from("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.!%*_+`'~")) TOKEN[c] = 1;

function isToken(bytes: Buffer, start: number, end: number): boolean {
  let i = start;
  while (i < end && TOKEN[bytes[i]!] === 1) i++;
  return i === end && end > start;
}

/** The number that bytes[start..end) spell; -1 when it is none or has more than `most` digits. */
export function digits(bytes: Buffer, start: number, end: number, most = 9): number {
  if (end <= start || end - start > most) return -1;
  let n = 0;
  for (let i = start; i < end; i++) {
    const c = bytes[i]!;
    if (c < 48 || c > 57) return -1;
    n = n * 10 + c - 48;
  }
  return n;
}
