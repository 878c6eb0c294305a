// Who may ask at all: pure questions about addresses and names.

import { addressBits } from '../config/check.ts';

/** True for loopback, link-local and private addresses: RFC 1122, 1918, 3927, 4193, 4291; also written as IPv4 in IPv6. */
export function isNear(address: string): boolean {
  const plain = address.toLowerCase().replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/, '');
  if (addressBits(plain) === 32) {
    const [a = 0, b = 0] = plain.split('.').map(Number);
    return a === 127 || a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254);
  }
  return plain === '::1' || (addressBits(plain) === 128 && /^(f[cd][0-9a-f]{2}|fe[89ab][0-9a-f]):/.test(plain));
}

/** The host of a Host header, without port, brackets and last dot; undefined when it is none. */
export function hostOf(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?$/i.exec(header ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}

/**
 * False for a name that is not ours: a page of a stranger whose name was turned to our address (DNS rebinding) still sends that name.
 * An address cannot be turned.
 */
export function isOurHost(header: string | undefined, names: readonly string[]): boolean {
  const host = hostOf(header);
  return host !== undefined && (addressBits(host) > 0 || host === 'localhost' || host.endsWith('.localhost') || host.endsWith('.local') || names.includes(host));
}

/** 'Front Door' -> 'front-door': the name of the phone as a host name. */
export const asHostName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

/** Whether a change comes from a page of ours: browsers say so in Origin, and where they can in Sec-Fetch-Site. */
export function isOurPage(headers: { readonly host?: string | undefined; readonly origin?: string | undefined; readonly 'sec-fetch-site'?: string | string[] | undefined }): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  return headers.origin === undefined || headers.origin === `http://${headers.host}` || headers.origin === `https://${headers.host}`;
}
