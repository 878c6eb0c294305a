// The line breaks that keep a way open: RFC 5626 §3.5.1.

export const CRLF = Buffer.from('\r\n'), PING = Buffer.from('\r\n\r\n');

/** Keep-alives are CRLFs, also the zero bytes of some makers. */
export function isBlank(bytes: Buffer): boolean {
  let at = 0;
  while (at < bytes.length && (bytes[at] === 13 || bytes[at] === 10 || bytes[at] === 0)) at++;
  return at === bytes.length;
}
