// Whether an address lies in a net. Pure. In the bundle loaded where addresses are listed (scripts/later.js).

/** True when the numeric `host` lies in `net`: an address, or address/prefix length, IPv4 or IPv6. */
export function within(host: string, net: string): boolean {
  const slash = net.indexOf('/');
  const base = bitsOf(slash < 0 ? net : net.slice(0, slash));
  const address = bitsOf(host);
  if (base === undefined || address === undefined || base.length !== address.length) return false;
  const length = slash < 0 ? base.length * 16 : Number(net.slice(slash + 1));
  if (!(length <= base.length * 16)) return false;
  for (let i = 0; i * 16 < length; i++) {
    const mask = 0xffff << Math.max(0, 16 - (length - i * 16));
    if (((base[i]! ^ address[i]!) & mask & 0xffff) !== 0) return false;
  }
  return true;
}

/** 16-bit groups, two for IPv4 (also written ::ffff:192.0.2.1), eight for IPv6; undefined for anything else. */
function bitsOf(host: string): number[] | undefined {
  const v4 = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(host);
  if (v4 !== null) {
    const [a, b, c, d] = v4.slice(1).map(Number) as [number, number, number, number];
    return Math.max(a, b, c, d) > 255 ? undefined : [a << 8 | b, c << 8 | d];
  }
  const plain = host.split('%', 1)[0]!;
  const [head, tail, more] = plain.split('::');
  if (!plain.includes(':') || more !== undefined) return undefined;
  const groups = (text: string | undefined) => text === undefined || text === '' ? [] : text.split(':').map((g) => /^[0-9a-f]{1,4}$/i.test(g) ? parseInt(g, 16) : NaN);
  const left = groups(head), right = groups(tail);
  const gap = 8 - left.length - right.length;
  if (tail === undefined ? gap !== 0 : gap < 1) return undefined;
  const all = [...left, ...Array<number>(gap).fill(0), ...right];
  return all.some(Number.isNaN) ? undefined : all;
}
