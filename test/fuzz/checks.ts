// What must hold for any input: nothing throws, nothing takes long, what was built is read again, and chunks do not matter.

import assert from 'node:assert/strict';
import { answerOffer, applyAnswer } from '../../src/sdp/offer.ts';
import { formatSdp, isAddress, parseSdp } from '../../src/sdp/sdp.ts';
import type { LocalMedia } from '../../src/sdp/types.ts';
import { buildAck, buildCancel, buildResponse } from '../../src/sip/build.ts';
import { parseReplaces } from '../../src/sip/call-requests.ts';
import { dialogOfRequest, dialogOfResponse, pathOf } from '../../src/sip/dialog.ts';
import { DigestClient, DigestServer } from '../../src/sip/digest.ts';
import { framer } from '../../src/sip/framing.ts';
import {
  challenges, contentType, countOf, cseqOf, formatNameAddr, parseCredentials, parseNameAddr, parseVia, reasons, retryAfterOf, tagOf, tokens, topVia, unquote,
} from '../../src/sip/headers.ts';
import { originOf, serverId } from '../../src/sip/matching.ts';
import { bodyOf, find, methodOf, parseMessage, reasonOf, requestUri, splitList, text, texts, versionOf, type Message } from '../../src/sip/message.ts';
import { answerable, screen } from '../../src/sip/screen.ts';
import { buildBinding, isStun, mappedIn } from '../../src/sip/stun.ts';
import { equalUris, formatUri, parseUri } from '../../src/sip/uri.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeRandom } from '../fakes/random.ts';

const PEER = { host: '192.0.2.77', port: 5062 };
const ABILITIES = { methods: ['INVITE', 'BYE', 'OPTIONS', 'REGISTER', 'CANCEL', 'UPDATE'], extensions: ['replaces'], types: ['application/sdp'], typed: ['INVITE'] };
const NAMES = ['via', 'from', 'to', 'contact', 'cseq', 'call-id', 'route', 'record-route', 'refer-to', 'replaces', 'reason', 'diversion', 'content-type', 'accept', 'subject', 'event', 'session-expires', 'authorization'];
const LOCAL: LocalMedia = { host: '192.0.2.9', port: 40_000, rtcpPort: 40_001, codecs: ['opus', 'PCMA', 'PCMU'], ptimeMs: 20, direction: 'sendrecv', sessionId: 1, version: 1, rtcpMux: true, rtcpXr: true };
const server = new DigestServer(new FakeClock(), new FakeRandom(1), 'offhook');

/** Runs every reader over `bytes`; throws what should not have been thrown. */
export function check(bytes: Buffer): void {
  for (const stream of [false, true]) {
    const read = parseMessage(bytes, stream);
    const message = read.kind === 'malformed' ? read.message : read;
    if (read.kind === 'malformed') {
      assert.notEqual(read.malformed, '');
      const request = answerable(read);
      if (request !== undefined) checkResponse(request, read.status, true);
    }
    if (message === undefined) continue;
    checkMessage(message, read.kind !== 'malformed');
    if (stream) break;
  }
  checkStream(bytes);
  checkStun(bytes);
}

function checkMessage(message: Message, whole: boolean): void {
  const { spans, bytes, line, bodyStart } = message;
  // The index lies in the bytes, in order, and names no byte twice
  assert.ok(line[0] <= line[1] && line[1] <= line[2] && line[2] <= line[3] && line[3] <= bodyStart && bodyStart <= bytes.length);
  for (let i = 0, last = line[3]; i < spans.length; i += 4) {
    assert.ok(last < spans[i]! && spans[i]! < spans[i + 1]! && spans[i + 1]! < spans[i + 2]! && spans[i + 2]! <= spans[i + 3]! && spans[i + 3]! <= bodyStart, `span ${i / 4}`);
    last = spans[i + 3]!;
  }
  for (const name of NAMES) {
    const list = texts(message, name);
    assert.equal(list[0] === undefined && find(message, name) < 0, find(message, name) < 0);
    for (const one of list.slice(0, 40)) checkValue(one);
    if (find(message, name) >= 0) splitList(text(message, name)!);
  }
  methodOf(message);
  reasonOf(message);
  versionOf(message);
  checkUri(requestUri(message));
  const via = topVia(message);
  if (via !== undefined && message.kind === 'request') serverId(message, via);
  originOf(message);
  contentType(message);
  for (const name of ['expires', 'max-forwards', 'rseq', 'min-expires']) {
    const count = countOf(message, name);
    assert.ok(count === undefined || (Number.isInteger(count) && count >= 0 && count < 2 ** 32));
  }
  const cseq = cseqOf(message);
  assert.ok(cseq === undefined || (cseq.number >= 0 && cseq.number < 2 ** 31 && cseq.method !== ''));
  retryAfterOf(message);
  reasons(message);
  tokens(message, 'require');
  for (const name of ['from', 'to'] as const) assert.notEqual(tagOf(message, name), '');
  const found = challenges(message);
  if (found.length > 0) {
    const client = new DigestClient(new FakeRandom(1), 'u', 'p');
    client.learn(message);
    for (const [, value] of client.headers('REGISTER', 'sip:a')) assert.ok(!/[\r\n]/.test(value), 'a line break in credentials');
  }
  server.verify(message, () => 'secret');
  const refusal = screen(message, ABILITIES);
  if (message.kind === 'request' && whole) {
    checkResponse(message, refusal?.status ?? 200, false);
    const dialog = refusal === undefined ? dialogOfRequest(message, 'ours') : undefined;
    if (dialog !== undefined) pathOf(dialog);
    if (refusal === undefined && message.method === 'INVITE') {
      for (const made of [buildCancel(message), buildAck(message, message)]) assert.equal(parseMessage(made).kind, 'request');
    }
  } else if (refusal === undefined && message.kind === 'response') {
    const dialog = dialogOfResponse({ callId: 'x', from: '<sip:a@b>;tag=1', localTag: '1', seq: 1, uri: 'sip:c@d' }, message);
    if (dialog !== undefined) pathOf(dialog);
  }
  const type = contentType(message);
  if (type === 'application/sdp' || bodyOf(message).subarray(0, 2).toString() === 'v=') checkSdp(bodyOf(message));
}

/** The response we build to anything is read again and carries what RFC 3261 §8.2.6.2 says. */
function checkResponse(request: Message, status: number, broken: boolean): void {
  const response = parseMessage(buildResponse(request, status, { toTag: 'ours', peer: PEER }));
  // Every Via goes back (RFC 3261 §8.2.6.2): the answer to too many lines may have too many itself
  if (response.kind === 'malformed' && broken && status === 513 && response.malformed === 'there are too many header lines') return;
  if (response.kind === 'malformed') assert.fail(`our response: ${response.malformed}`);
  assert.deepEqual([response.kind, response.status], ['response', status]);
  if (broken) return;
  for (const name of ['from', 'call-id', 'cseq']) assert.equal(text(response, name), text(request, name));
  assert.equal(texts(response, 'via').length, texts(request, 'via').length);
}

/** One value of some header, read as all that it might be. */
export function checkValue(value: string): void {
  const address = parseNameAddr(value);
  if (address !== undefined && address.uri !== '*') {
    checkUri(address.uri);
    const again = parseNameAddr(formatNameAddr(address.display, address.uri, address.params));
    // Line breaks cannot stand in a value of one line; our writer makes them spaces
    if (!/[\r\n]/.test(value)) assert.deepEqual(again, address, 'name-addr');
  }
  const via = parseVia(value);
  if (via !== undefined) assert.ok(via.host !== '' && (via.port === undefined || (via.port > 0 && via.port < 65_536)));
  parseCredentials(value);
  parseReplaces(value);
  unquote(value);
  checkUri(value);
}

export function checkUri(source: string): void {
  const uri = parseUri(source);
  if (uri === undefined) return;
  const again = parseUri(formatUri(uri));
  assert.ok(again !== undefined && equalUris(uri, again) && equalUris(again, uri), `URI ${source} -> ${formatUri(uri)}`);
  assert.ok(!/[\r\n<> ]/.test(formatUri(uri)), 'a URI that breaks out');
  assert.ok(uri.scheme === 'tel' || uri.host !== '');
}

export function checkSdp(body: Buffer): void {
  const sdp = parseSdp(body);
  if ('malformed' in sdp) assert.notEqual(sdp.malformed, '');
  else {
    if (sdp.media.every(({ host }) => host === undefined || isAddress(host)) && (sdp.host === undefined || isAddress(sdp.host))) {
      const again = parseSdp(formatSdp(sdp));
      assert.ok(!('malformed' in again) && again.media.length === sdp.media.length, 'a description we wrote');
    }
  }
  const answer = answerOffer(body, LOCAL);
  if ('answer' in answer) {
    const back = parseSdp(answer.answer);
    assert.ok(!('malformed' in back) && !/[^\r]\n|\r[^\n]/.test(answer.answer.toString('latin1')), 'our answer');
  }
  applyAnswer(body, body, LOCAL);
}

/** The bytes as they came, and as the attributes of a response to us, whole or behind a true address (RFC 8489 §5, §14). */
function checkStun(bytes: Buffer): void {
  assert.equal(mappedIn(bytes, STUN_ID), undefined);
  for (const before of [Buffer.alloc(0), STUN_ADDRESS]) {
    const attributes = Buffer.concat([before, bytes.subarray(0, 1_000)]), response = Buffer.concat([buildBinding(STUN_ID), attributes]);
    response.writeUInt16BE(0x0101, 0);
    response.writeUInt16BE(attributes.length, 2);
    assert.ok(isStun(response));
    const mapped = mappedIn(response, STUN_ID);
    if (before.length > 0) assert.equal(mapped, '192.0.2.1 32853', 'the first address counts, whatever follows');
    else assert.ok(mapped === undefined || /^(\d+\.\d+\.\d+\.\d+|[\da-f]{32}) \d+$/.test(mapped), mapped);
  }
}
const STUN_ID = Buffer.from('b7e7a701bc34d686fa87dfae', 'hex'), STUN_ADDRESS = Buffer.from('002000080001a147e112a643', 'hex');

/** The same bytes in one piece and in many give the same messages, pings and faults. */
function checkStream(bytes: Buffer): void {
  if (bytes.length > 20_000) return;
  const told = (pieces: readonly Buffer[]): string[] => {
    const all: string[] = [];
    const take = framer({
      onMessage: (m) => all.push(`message ${m.bytes.length} ${m.bodyStart} ${m.bodyEnd} ${m.spans.length}`),
      onMalformed: (m) => all.push(`malformed ${m.framed} ${m.status} ${m.malformed}`),
      onPing: () => all.push('ping'),
      onPong: () => undefined, // half a ping looks the same
    });
    for (const piece of pieces) take(piece);
    return all;
  };
  const twice = Buffer.concat([bytes, Buffer.from('\r\n\r\nOPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n')]);
  const whole = told([twice]);
  const size = 1 + (bytes.length * 7) % 97, pieces: Buffer[] = [];
  for (let at = 0; at < twice.length; at += size) pieces.push(Buffer.from(twice.subarray(at, at + size)));
  assert.deepEqual(told(pieces), whole, `in pieces of ${size}`);
}

/** What an input may take: the fastest of three tries, so that a busy machine is not blamed on the parser. Milliseconds. */
const allowedMs = (bytes: Buffer): number => 100 + bytes.length / 100;

/** Runs `of` on `bytes`; what was wrong, undefined when nothing. */
export function verdict(bytes: Buffer, of: (bytes: Buffer) => void = check): string | undefined {
  let ms = Infinity;
  for (let tries = 0; tries < 3; tries++) {
    const start = process.hrtime.bigint();
    try {
      of(bytes);
    } catch (error) {
      return error instanceof Error ? error.stack ?? error.message : String(error);
    }
    ms = Math.min(ms, Number(process.hrtime.bigint() - start) / 1e6);
    if (ms < allowedMs(bytes)) return undefined;
  }
  return `took ${ms.toFixed(0)} ms for ${bytes.length} bytes`;
}
