// Where a call was before it was forwarded, for phones and voice mail that read History-Info (RFC 7044). Pure: lines in, lines out. Only
// forwards from number to number are told of, not which of its phones a number rang.

import { parseNameAddr } from '../sip/headers.ts';
import { equalUris, parseUri } from '../sip/uri.ts';

/** Values of History-Info in their order, and the index of the last, which is where the call is now. */
export interface History {
  readonly entries: readonly string[];
  readonly index: string;
}

/** RFC 4458 §2: why the call is where it is, as a parameter of that address; and what the number before answered, where it was asked. */
const CAUSES = {
  unconditional: [302, 0], 'user-busy': [486, 486], 'no-answer': [408, 408], unavailable: [404, 480], deflection: [480, 302],
} as const;

/** So many entries are kept of a call that others forwarded; more is a call that goes round in circles. */
const MOST = 30;

/** The history of a call to `address` that came with the entries `past` (§9.1, §10.3 step 1): what is unreadable counts for nothing. */
export function historyOf(past: readonly string[], address: string): History {
  const last = past.at(-1), read = last === undefined ? undefined : parseNameAddr(last), index = read?.params.get('index') ?? '';
  if (last === undefined || past.length > MOST || !/^\d+(\.\d+)*$/.test(index)) return { entries: [`<${address}>;index=1`], index: '1' };
  const [here, there] = [parseUri(address), parseUri(read!.uri)];
  if (here !== undefined && there !== undefined && equalUris(here, { ...there, headers: here.headers })) return { entries: past, index };
  return { entries: [...past, `<${address}>;index=${index}.1`], index: `${index}.1` };
}

/** The call goes on from where it is to `address` (§10.3 step 2, §10.2 for the Reason, §10.4 for mp). */
export function forwardedTo({ entries, index }: History, address: string, why: keyof typeof CAUSES): History {
  const [cause, status] = CAUSES[why], last = entries.at(-1)!, next = `${index}.1`;
  const told = status === 0 || /[?&]Reason=/i.test(last) ? last : last.replace(/(\?[^>]*)?>/, (_, headers: string | undefined) => `${headers === undefined ? '?' : `${headers}&`}Reason=SIP%3Bcause%3D${status}>`);
  return { entries: [...entries.slice(0, -1), told, `<${address};cause=${cause}>;index=${next};mp=${index}`], index: next };
}
