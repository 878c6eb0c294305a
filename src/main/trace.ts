/** What may have to be blanked; most messages have none of it. */
const SECRET = /^(?:proxy-)?auth(?:orization|entication-info)|^a=(?:crypto|ice-pwd)|^k=|password=|inline:|^MESSAGE |^(?:content-type|c)[ \t]*:\s*application\/dtmf/im;
const OPENS = /^(?:proxy-)?authorization[ \t]*:/i, CONFIRMS = /^(?:proxy-)?authentication-info[ \t]*:/i, GOES_ON = /^[ \t]/;
const WORDS = /^MESSAGE |^(?:content-type|c)[ \t]*:\s*application\/dtmf/im;

/**
 * A SIP message as text for log and trace, without what proves an identity, opens a call's sound, or is nobody's business: the words of a text, the
 * digits of an INFO (they may be a PIN).
 */
export function blanked(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  if (!SECRET.test(text)) return text;
  const end = text.indexOf('\r\n\r\n') + 4;
  const hides = end > 3 && end < text.length && WORDS.test(text.slice(0, end));
  const lines = (hides ? text.slice(0, end) : text).split('\n'), out: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    let line = lines[i]!;
    const opens = OPENS.test(line);
    if (opens || CONFIRMS.test(line)) {
      while (GOES_ON.test(lines[i + 1] ?? '')) line += `\n${lines[++i]!}`;
      const scheme = (opens ? /^[^:]*:\s*\S+/ : /^[^:]*:/).exec(line)?.[0];
      if (scheme !== undefined) line = `${scheme} (blanked)${line.endsWith('\r') ? '\r' : ''}`;
    } else if (line.startsWith('a=')) line = line.replace(/^(a=crypto:\s*\S+\s+\S+|a=ice-pwd:)[^\r]*/i, (_, kept: string) => `${kept}${kept.endsWith(':') ? '' : ' '}(blanked)`);
    else if (line.startsWith('k=')) line = line.replace(/^k=[^\r]*/, 'k=(blanked)');
    out.push(line.replace(/(password=|inline:)[^;>\s]*/gi, '$1(blanked)'));
  }
  return `${out.join('\n')}${hides ? `(${Buffer.byteLength(text.slice(end))} bytes blanked)` : ''}`;
}
