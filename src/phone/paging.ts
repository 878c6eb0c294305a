// Multicast paging: what is said to a group of phones is heard on the loudspeaker of each that listens to the group, the most important page first.
// Nothing is sent back, and no microphone opens. Loaded only where the settings name a group.
//
//   group --RTP--> stream --heard--> is it the most important, and may it sound now? --> loudspeaker
//                         --silent--> the next one, or quiet

import type { Desk } from './desk.ts';
import { groupOf } from './paging-group.ts';
import type { MediaEvent, StreamId } from '../media/door.ts';

const RETRY_MS = 10_000;

interface Group {
  readonly address: string;
  readonly priority: number;
  stream: StreamId;
  speaking: boolean;
  cancel: () => void;
}

export interface Paging {
  /** The settings may have changed. */
  sync(): void;
  /** Calls or do-not-disturb changed: what is heard may change. */
  look(): void;
  /** Whether the event was about a page. */
  onMedia(event: MediaEvent): boolean;
  /** What is heard now, '' for nothing. */
  readonly heard: string;
}

/** `inUse`: somebody talks, or the bell rings. */
export function createPaging(desk: Desk, nextStream: () => StreamId, inUse: () => boolean): Paging {
  const { clock, media } = desk.ports;
  const groups = new Map<string, Group>();
  let loud: Group | undefined;

  const open = (group: Group): void => {
    const endpoint = groupOf(group.address);
    if (endpoint === undefined) return;
    group.stream = nextStream();
    media.command({ do: 'open', stream: group.stream, host: endpoint.host, group: endpoint, cname: '' });
  };
  const close = (group: Group): void => {
    group.cancel();
    group.speaking = false;
    media.command({ do: 'close', stream: group.stream });
  };

  /** Let the most important page sound that may; a tie is the one's that sounds already. */
  const look = (): void => {
    const { paging, calls, intercom } = desk.settings();
    const hushed = calls.doNotDisturb || intercom.privacy || inUse();
    let next: Group | undefined;
    for (const group of groups.values()) {
      if (!group.speaking || (hushed && group.priority < paging.urgent)) continue;
      if (next === undefined || group.priority > next.priority || (group.priority === next.priority && group === loud)) next = group;
    }
    if (next === loud) return;
    const before = loud;
    loud = next;
    if (before !== undefined) {
      media.command({ do: 'route', stream: before.stream, route: { to: 'nothing' } });
      desk.raise({ event: 'page', group: before.address, on: false });
    }
    if (next === undefined) return;
    media.command({ do: 'route', stream: next.stream, route: { to: 'place', place: 'speaker' } });
    desk.raise({ event: 'page', group: next.address, on: true });
  };

  return {
    look,
    sync() {
      const { listen } = desk.settings().paging;
      const wanted = new Map(listen.map(({ address, priority }) => [address, priority]));
      for (const [address, group] of groups) {
        if (wanted.get(address) === group.priority) continue;
        close(group);
        groups.delete(address);
      }
      look();
      for (const [address, priority] of wanted) {
        if (groups.has(address)) continue;
        const group: Group = { address, priority, stream: -1, speaking: false, cancel: () => undefined };
        groups.set(address, group);
        open(group);
      }
    },
    onMedia(event) {
      if (!('stream' in event)) return false;
      const group = [...groups.values()].find((each) => each.stream === event.stream);
      if (group === undefined) return false;
      if (event.event === 'failed') { // no network yet, or none that leads there
        desk.failed(`Pages to ${group.address} cannot be heard: ${event.message}`);
        group.cancel = clock.after(RETRY_MS, () => open(group));
      } else if (event.event === 'heard' || event.event === 'silent') {
        group.speaking = event.event === 'heard';
        look();
      }
      return true;
    },
    get heard() { return loud?.address ?? ''; },
  };
}
