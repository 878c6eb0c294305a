// Twenty ordinary messages of a phone's day, as they stand on the wire.

import { readFileSync } from 'node:fs';

/** Name and bytes; in the file lines end in \n and `Content-Length: *` waits for the body's length. */
export function corpus(file: string | URL = new URL('corpus.txt', import.meta.url)): (readonly [name: string, bytes: Buffer])[] {
  return readFileSync(file, 'utf8').split(/^=== /m).slice(1).map((part) => {
    const [name = '', ...lines] = part.split('\n');
    const empty = lines.indexOf('');
    const body = lines.slice(empty + 1).join('\r\n');
    return [name, Buffer.from(`${lines.slice(0, empty).join('\r\n').replace(': *', `: ${Buffer.byteLength(body)}`)}\r\n\r\n${body}`)] as const;
  });
}
