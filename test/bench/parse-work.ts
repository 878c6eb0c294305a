// What parse.js measures of ours: the index plus what a transaction layer touches, and messages written from their parts.

import { buildRequest, buildResponse, type RequestParts } from '../../src/sip/build.ts';
import { cseqOf, nameAddr, tagOf, topVia } from '../../src/sip/headers.ts';
import { bodyOf, find, lineText, methodOf, parseMessage, requestUri, text, type Message } from '../../src/sip/message.ts';

/** Start line, top Via and its branch, tags, Call-ID, CSeq, Contact, body: a number that depends on each. */
export function parse(bytes: Buffer): number {
  const message = parseMessage(bytes);
  if (message.kind === 'malformed') return 0;
  const via = topVia(message), cseq = cseqOf(message);
  return methodOf(message).length + requestUri(message).length + message.status + (via?.params.get('branch')?.length ?? 0) + (via?.port ?? 0) + (tagOf(message, 'from')?.length ?? 0)
    + (tagOf(message, 'to')?.length ?? 0) + (text(message, 'call-id')?.length ?? 0) + (cseq?.number ?? 0) + (nameAddr(message, 'contact')?.uri.length ?? 0) + bodyOf(message).length;
}

/** A function that writes `bytes` anew: a request from its parts, a response to the request it answers. */
export function writer(bytes: Buffer): () => number {
  const message = parseMessage(bytes) as Message;
  const headers: [string, string][] = [];
  for (let i = 0; i < message.spans.length; i += 4) {
    const name = message.bytes.toString('latin1', message.spans[i], message.spans[i + 1]);
    if (!/^(via|v|content-length|l)$/i.test(name)) headers.push([name, lineText(message, i)]);
  }
  const via = lineText(message, find(message, 'via')), body = bodyOf(message);
  if (message.kind === 'request') {
    const parts: RequestParts = { method: message.method, uri: requestUri(message), headers, body };
    return () => buildRequest(parts, via).length;
  }
  const own = headers.filter(([name]) => !/^(record-route|from|to|call-id|cseq)$/i.test(name));
  const asked = parseMessage(Buffer.from(`X sip:a SIP/2.0\r\nVia: ${via}\r\n${headers.filter((h) => !own.includes(h)).map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`)) as Message;
  const reason = message.bytes.toString('utf8', message.line[2], message.line[3]);
  return () => buildResponse(asked, message.status, { reason, headers: own, body }).length;
}

export { corpus } from './corpus.ts';
