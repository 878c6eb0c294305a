// What gets a call's sound through a NAT, in a file of its own beside the core: the media room's asking, the SIP room's STUN messages, the names of DNS.

import { throughNat, type MappingPorts } from '../media/mapping.ts';
import type { Media } from '../media/door.ts';
import type { Network } from '../ports/net.ts';
import { buildBinding, isStun, mappedIn } from '../sip/stun.ts';
import { systemResolver } from '../system/dns.ts';

export function mappedEngine(ports: Omit<MappingPorts, 'stun' | 'resolve'>, server: string, nameServers: readonly string[], make: (udp: Network) => Media): Media {
  const resolver = systemResolver(ports.clock, { nameServers });
  return throughNat({
    ...ports, stun: { binding: buildBinding, isStun, mappedIn }, resolve: async (name) => (await resolver.addresses(name, 4))[0],
  }, server, make);
}
