// The address of a multicast group as people write it.

import type { Endpoint } from '../ports/net.ts';

/** '239.1.1.1:5004' or '[ff15::1]:5004' as an endpoint; undefined when it is no multicast address with a port. */
export function groupOf(text: string): Endpoint | undefined {
  const [, six, four, port = ''] = /^(?:\[([0-9a-f:]+)\]|([\d.]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = six ?? four ?? '';
  return /^(22[4-9]|23\d)\.\d+\.\d+\.\d+$|^ff/i.test(host) && Number(port) > 0 && Number(port) < 65_536 ? { host, port: Number(port) } : undefined;
}
