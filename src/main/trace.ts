/** A SIP message as text for the log, with what proves an identity or opens a call's sound blanked. */
export function blanked(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
    .replace(/^((?:proxy-)?authorization[ \t]*:\s*\S+).*$(?:\r?\n[ \t].*$)*/gim, '$1 (blanked)')
    .replace(/^(a=crypto:\S+\s+\S+).*$/gim, '$1 (blanked)')
    .replace(/(;?password=)[^;>\s]*/gi, '$1(blanked)');
}
