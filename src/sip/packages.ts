// What the bodies of event packages say: waiting messages (RFC 3842), calls (RFC 4235), registrations (RFC 3680). Pure, text in and out;
// what a peer wrote wrong is undefined. No XML parser: the two documents are read by their tags, which is all that travels in them.

/** RFC 3842 §5.2; counts are 0 where the server gives none. */
export interface MessageSummary {
  readonly waiting: boolean;
  /** Voice messages not heard yet, and heard; urgent ones are among them. */
  readonly fresh: number;
  readonly old: number;
  /** Address that is called to hear them, '' when not said. */
  readonly account: string;
}

/** application/simple-message-summary. */
export function readMessageSummary(body: string): MessageSummary | undefined {
  const waiting = /^[ \t]*Messages-Waiting[ \t]*:[ \t]*(yes|no)\b/im.exec(body)?.[1]?.toLowerCase();
  if (waiting === undefined) return undefined;
  const counts = /^Voice-Message[ \t]*:[ \t]*(\d{1,5})[ \t]*\/[ \t]*(\d{1,5})/im.exec(body);
  return { waiting: waiting === 'yes', fresh: Number(counts?.[1] ?? 0), old: Number(counts?.[2] ?? 0), account: /^Message-Account[ \t]*:[ \t]*(\S+)/im.exec(body)?.[1] ?? '' };
}

/** One dialog of RFC 4235 §4.1. */
export interface DialogInfo {
  readonly id: string;
  readonly direction: 'initiator' | 'recipient';
  readonly state: 'trying' | 'proceeding' | 'early' | 'confirmed' | 'terminated';
  /** With these a watcher may take the call over (RFC 3891); tags as the watched side has them. */
  readonly callId?: string | undefined;
  readonly localTag?: string | undefined;
  readonly remoteTag?: string | undefined;
  readonly remote?: string | undefined;
  readonly remoteName?: string | undefined;
  /** Of a terminated one: cancelled, rejected, replaced, local-bye, remote-bye, error, timeout. */
  readonly how?: string | undefined;
}

/** application/dialog-info+xml with all dialogs of `entity` (RFC 4235 §4). */
export function writeDialogInfo(entity: string, version: number, dialogs: readonly DialogInfo[]): string {
  let out = `<?xml version="1.0"?>\r\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${version}" state="full" entity="${escape(entity)}">\r\n`;
  for (const { id, direction, state, callId, localTag, remoteTag, remote, remoteName, how } of dialogs) {
    const of = (name: string, value: string | undefined): string => value === undefined || value === '' ? '' : ` ${name}="${escape(value)}"`;
    out += `<dialog id="${escape(id)}"${of('call-id', callId)}${of('local-tag', localTag)}${of('remote-tag', remoteTag)} direction="${direction}">\r\n`;
    out += `<state${of('event', how)}>${state}</state>\r\n`;
    if (remote !== undefined) out += `<remote><identity${of('display', remoteName)}>${escape(remote)}</identity><target uri="${escape(remote)}"/></remote>\r\n`;
    out += '</dialog>\r\n';
  }
  return `${out}</dialog-info>\r\n`;
}

export interface DialogInfoDocument {
  readonly entity: string;
  readonly version: number;
  /** false: only those that changed are listed. */
  readonly full: boolean;
  readonly dialogs: readonly DialogInfo[];
}

export function readDialogInfo(xml: string): DialogInfoDocument | undefined {
  const root = elements(xml, 'dialog-info')[0], version = root && wholeOf(root, 'version');
  if (root === undefined || version === undefined) return undefined;
  const dialogs: DialogInfo[] = [];
  for (const dialog of elements(root.inner, 'dialog')) {
    const state = elements(dialog.inner, 'state')[0], remote = elements(dialog.inner, 'remote')[0], identity = remote && elements(remote.inner, 'identity')[0];
    const word = STATES.find((s) => s === state?.inner.trim());
    if (word === undefined) continue;
    dialogs.push({
      id: dialog.get('id') ?? '', direction: dialog.get('direction') === 'initiator' ? 'initiator' : 'recipient', state: word, callId: dialog.get('call-id'), localTag: dialog.get('local-tag'),
      remoteTag: dialog.get('remote-tag'), remote: identity && plain(identity.inner.trim()), remoteName: identity?.get('display'), how: state?.get('event'),
    });
  }
  return { entity: root.get('entity') ?? '', version, full: root.get('state') !== 'partial', dialogs };
}

const STATES = ['trying', 'proceeding', 'early', 'confirmed', 'terminated'] as const;

/** One address of record of RFC 3680 §5. */
export interface RegisteredAddress {
  readonly address: string;
  readonly state: 'init' | 'active' | 'terminated';
  readonly contacts: readonly { readonly uri: string; readonly state: 'active' | 'terminated'; readonly event: string; readonly expiresS: number | undefined }[];
}

/** application/reginfo+xml; `full` false lists only what changed. */
export function readRegInfo(xml: string): { readonly version: number; readonly full: boolean; readonly registrations: readonly RegisteredAddress[] } | undefined {
  const root = elements(xml, 'reginfo')[0], version = root && wholeOf(root, 'version');
  if (root === undefined || version === undefined) return undefined;
  const registrations = elements(root.inner, 'registration').map((registration): RegisteredAddress => ({
    address: registration.get('aor') ?? '',
    state: registration.get('state') === 'active' ? 'active' : registration.get('state') === 'terminated' ? 'terminated' : 'init',
    contacts: elements(registration.inner, 'contact').map((contact) => ({
      uri: plain(elements(contact.inner, 'uri')[0]?.inner.trim() ?? ''), state: contact.get('state') === 'active' ? 'active' : 'terminated', event: contact.get('event') ?? '', expiresS: wholeOf(contact, 'expires'),
    })),
  }));
  return { version, full: root.get('state') !== 'partial', registrations };
}

interface Element { readonly inner: string; get(attribute: string): string | undefined }

/** The elements `name`, with any prefix, that stand in `xml`; none of these documents nests an element in one of its own name. */
function elements(xml: string, name: string): Element[] {
  const found: Element[] = [];
  const open = new RegExp(`<(?:[\\w-]+:)?${name}((?:\\s+[\\w:.-]+\\s*=\\s*(?:"[^"]*"|'[^']*'))*)\\s*(/?)>`, 'g');
  const close = new RegExp(`</(?:[\\w-]+:)?${name}\\s*>`, 'g');
  for (let match = open.exec(xml); match !== null; match = open.exec(xml)) {
    const attributes = match[1]!;
    let inner = '';
    if (match[2] === '') {
      close.lastIndex = open.lastIndex;
      const end = close.exec(xml);
      if (end === null) break; // cut short
      inner = xml.slice(open.lastIndex, end.index);
      open.lastIndex = close.lastIndex;
    }
    found.push({ inner, get: (attribute) => {
      const value = new RegExp(`\\s${attribute}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(attributes);
      return value === null ? undefined : plain(value[1] ?? value[2] ?? '');
    } });
  }
  return found;
}

const wholeOf = (element: Element, attribute: string): number | undefined => /^\d{1,10}$/.test(element.get(attribute) ?? '') ? Number(element.get(attribute)) : undefined;

const escape = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`).replace(/[\0-\x1f]/g, ' ');

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Text with its entities and numbers resolved. */
function plain(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (all, decimal: string | undefined, hex: string | undefined, name: string | undefined) => {
    if (name !== undefined) return NAMED[name] ?? all;
    const code = decimal === undefined ? parseInt(hex!, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}
