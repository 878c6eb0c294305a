// TLS for SIP (RFC 3261 §26.3.1): opens and accepts, checks the server's certificate by SIP's rules (RFC 5922 §7), says in words what
// failed, keeps sessions so that opening again is cheap. Certificates and keys are read again when their files change.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { connect, createSecureContext, rootCertificates, TLSSocket, type SecureContext } from 'node:tls';

/** Paths of PEM files; '' for none. */
export interface TlsFiles {
  /** Authorities that count besides the system's. */
  readonly ca: string;
  /** What we show of ourselves: to servers that ask for it, and to who connects to us. */
  readonly cert: string;
  readonly key: string;
  /** The settings that `cert` and `key` are of; sip.tlsCert and sip.tlsKey unless told. */
  readonly settings?: { readonly cert: string; readonly key: string };
}

/** on: exact names, as RFC 5922 §7.2 wants. wildcards: *.example.org counts too. off: whoever answers is believed. */
export type Checking = 'on' | 'wildcards' | 'off';

/** Below the transport's own 5 s for a connection and the 4 s of a try to register, so that this more exact word is heard. */
const HANDSHAKE_MS = 3_500;
const SESSIONS_MOST = 16;
/** Debian's, kept up to date by it; Node's own copy where there is none. */
const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

/** An error that failureOf of the sip room takes for `code`; the message is for the owner of the phone. */
const fault = (code: 'NOT_TRUSTED' | 'ECONNREFUSED' | 'ETIMEDOUT', message: string, cause?: unknown): Error => Object.assign(new Error(message, { cause }), { code });

export interface Secured {
  readonly socket: TLSSocket;
  /** Whether the certificate is good for `name` too. */
  covers(name: string): boolean;
}

export interface Tls {
  /** TLS over a connected `raw`; resolves when the certificate has passed for `name`, rejects with a NOT_TRUSTED or a system's error. */
  open(raw: Socket, name: string, checking: Checking): Promise<Secured>;
  /** The server's side of it. */
  accept(raw: Socket): Promise<TLSSocket>;
  /** What cannot be used of the files, in words. */
  problem(): string | undefined;
}

export function createTls(files: () => TlsFiles): Tls {
  let known: { readonly stamp: string; readonly context: SecureContext; readonly cert: string; readonly shown: Shown | undefined } | undefined;
  /** With the certificate that was seen when the session began: a resumed one shows none. */
  const sessions = new Map<string, { readonly session: Buffer; readonly certificate: X509Certificate | undefined }>();

  function context(): SecureContext {
    const { ca, cert, key } = files();
    const stamp = [SYSTEM_AUTHORITIES, ca, cert, key].map(stampOf).join('\n');
    if (known?.stamp === stamp) return known.context;
    const authorities: (string | Buffer)[] = existsSync(SYSTEM_AUTHORITIES) ? [readFileSync(SYSTEM_AUTHORITIES)] : [...rootCertificates];
    if (ca !== '') authorities.push(certificatesIn('sip.tlsCa', ca));
    const shown = cert === '' ? undefined : ours();
    known = { stamp, cert, shown, context: createSecureContext({ ca: authorities, ...(shown && { cert: shown.pem, key: shown.key }), minVersion: 'TLSv1.2' }) };
    sessions.clear(); // what was trusted under other files is looked at anew
    return known.context;
  }

  /** Certificate and key that fit each other; the first fault of them is an error in words. */
  function ours(): Shown {
    const { cert: certPath, key: keyPath, settings: { cert: certSetting, key: keySetting } = SETTINGS } = files();
    const pem = certificatesIn(certSetting, certPath), certificate = new X509Certificate(pem), keyFile = keyPath === '' ? certPath : keyPath, named = `the file ${keyFile} (setting ${keyPath === '' ? certSetting : keySetting})`;
    const key = read(keyPath === '' ? certSetting : keySetting, keyFile);
    let fits: boolean;
    try {
      fits = certificate.checkPrivateKey(createPrivateKey(key));
    } catch (error) {
      const locked = /ENCRYPTED/.test(key.toString('latin1'));
      throw fault('NOT_TRUSTED', locked ? `the private key in ${named} is locked by a password; it must be there without one` : `there is no private key in ${named}; it is to be in PEM form${keyPath === '' ? `, or in the file that ${keySetting} names` : ''}`, error);
    }
    if (!fits) throw fault('NOT_TRUSTED', `the private key in ${named} does not belong to the certificate in ${certPath} (setting ${certSetting})`);
    return { pem, key, from: new Date(certificate.validFrom), to: new Date(certificate.validTo) };
  }

  /** For who connects to us: while the files are being renewed the pair that fitted last serves. */
  function servingContext(): SecureContext {
    const before = known;
    try {
      return context();
    } catch (error) {
      if (before?.cert !== files().cert || before.cert === '') throw error;
      return before.context;
    }
  }

  return {
    open: (raw, name, checking) => new Promise((resolve, reject) => {
      const secureContext = context(); // first: it may forget sessions
      const where = `${name} port ${raw.remotePort}`, id = `${checking} ${raw.remoteAddress} ${where}`, before = sessions.get(id);
      const socket = connect({
        socket: raw, secureContext, servername: isIP(name) === 0 ? name : '', rejectUnauthorized: false, // judged below, where the certificate can be named
        checkServerIdentity: () => undefined, ...(before === undefined ? {} : { session: before.session }),
      });
      let fresh: Buffer | undefined, certificate: X509Certificate | undefined, trusted = false; // from then on the stream's user listens too
      const keep = (): void => {
        if (fresh === undefined || known?.context !== secureContext) return;
        sessions.delete(id);
        if (sessions.size >= SESSIONS_MOST) sessions.delete(sessions.keys().next().value!);
        sessions.set(id, { session: fresh, certificate });
      };
      const stop = deadline(socket, where);
      const fail = (error: Error): void => {
        if (trusted) return;
        stop();
        sessions.delete(id);
        socket.destroy();
        reject(explained(error, where, files().cert !== ''));
      };
      socket.on('session', (bytes) => {
        fresh = bytes;
        if (trusted) keep();
      });
      socket.on('error', fail);
      socket.on('close', () => fail(fault('ECONNREFUSED', `${where} closed the connection in place of a TLS handshake`)));
      socket.once('secureConnect', () => {
        stop();
        const resumed = socket.isSessionReused(), late = socket.authorized ? '' : String(socket.authorizationError);
        certificate = (resumed ? before?.certificate : undefined) ?? socket.getPeerX509Certificate();
        const wrong = checking === 'off' ? undefined : certificate === undefined ? 'it shows no certificate'
          : chainWrong(certificate, resumed && new Date(certificate.validTo) < new Date() ? 'CERT_HAS_EXPIRED' : late) ?? nameWrong(certificate, name, checking);
        if (wrong !== undefined) return fail(fault('NOT_TRUSTED', `${where}: ${wrong}`));
        trusted = true;
        keep();
        resolve({ socket, covers: (other) => checking === 'off' || (certificate !== undefined && nameWrong(certificate, other, checking) === undefined) });
      });
    }),

    accept: (raw) => new Promise((resolve, reject) => {
      const socket = new TLSSocket(raw, { isServer: true, secureContext: servingContext() });
      const stop = deadline(socket, 'who connected');
      const fail = (error?: unknown): void => {
        stop();
        socket.destroy();
        reject(error instanceof Error ? error : fault('ECONNREFUSED', 'the connection was closed in place of a TLS handshake'));
      };
      socket.on('error', fail);
      socket.on('close', fail);
      socket.once('secure', () => {
        stop();
        socket.off('close', fail);
        resolve(socket);
      });
    }),

    problem() {
      const { cert, settings = SETTINGS } = files();
      if (cert === '') return `${settings.cert} names no certificate`;
      try {
        context();
        const { from, to } = known!.shown!, now = new Date(), its = `the certificate in ${cert} (setting ${settings.cert})`;
        if (to < now) return `${its} expired at ${day(to)} by the clock of this machine`;
        return from > now ? `${its} is valid only from ${day(from)} by the clock of this machine` : undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    },
  };
}

/** What we show of ourselves. */
interface Shown {
  readonly pem: Buffer;
  readonly key: Buffer;
  readonly from: Date;
  readonly to: Date;
}

const SETTINGS = { cert: 'sip.tlsCert', key: 'sip.tlsKey' };

function deadline(socket: TLSSocket, where: string): () => void {
  const timer = setTimeout(() => socket.destroy(fault('ETIMEDOUT', `${where} took the connection but did not do a TLS handshake within ${HANDSHAKE_MS / 1_000} s`)), HANDSHAKE_MS);
  return () => clearTimeout(timer);
}

function read(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw fault('NOT_TRUSTED', `the file ${path} (setting ${setting}) ${code === 'ENOENT' || code === 'ENOTDIR' ? 'is not there' : code === 'EACCES' ? 'may not be read by this program' : `cannot be read (${code})`}`, error);
  }
}

/** A PEM file that has a certificate at its beginning: createSecureContext would take any other without a word. */
function certificatesIn(setting: string, path: string): Buffer {
  const pem = read(setting, path);
  try {
    return new X509Certificate(pem) && pem;
  } catch (error) {
    throw fault('NOT_TRUSTED', `there is no certificate in the file ${path} (setting ${setting}); it is to be in PEM form`, error);
  }
}

function stampOf(path: string): string {
  const stat = path === '' ? undefined : statSync(path, { throwIfNoEntry: false });
  return `${path} ${stat?.mtimeMs} ${stat?.size} ${stat?.ino}`;
}

const day = (time: string | Date): string => new Date(time).toISOString().slice(0, 16).replace('T', ' ');

/** What OpenSSL found wrong with the chain, as a sentence. */
function chainWrong(certificate: X509Certificate, code: string): string | undefined {
  const now = new Date(), clock = `the clock of this machine says ${day(now)}`;
  switch (code.replace(/^Error: /, '')) {
    case '':
      return undefined;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return 'its certificate is signed by itself alone; to trust it, name it in sip.tlsCa';
    case 'SELF_SIGNED_CERT_IN_CHAIN': case 'UNABLE_TO_GET_ISSUER_CERT': case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY': case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `its certificate comes from an authority that is not known here (${certificate.issuer.replace(/\s*\n/g, ', ')}); to trust it, name that authority's certificate in sip.tlsCa`;
    case 'CERT_HAS_EXPIRED':
      return new Date(certificate.validTo) < now ? `its certificate expired at ${day(certificate.validTo)}; ${clock}` : `a certificate of its authority has expired; ${clock}`;
    case 'CERT_NOT_YET_VALID':
      return `${new Date(certificate.validFrom) > now ? `its certificate is valid only from ${day(certificate.validFrom)}` : 'a certificate of its authority is not valid yet'}, but ${clock}: a board without a battery has no time until the network gives it`;
    default:
      return `its certificate did not pass: ${code}`;
  }
}

/** RFC 5922 §7.1: the domains a certificate speaks for; the common name only counts where there is no subjectAltName. */
export function identities(certificate: Pick<X509Certificate, 'subject' | 'subjectAltName'>): string[] {
  const { subject, subjectAltName } = certificate;
  if (subjectAltName === undefined) return [...subject.matchAll(/^CN=(.*)$/gm)].slice(-1).map((match) => match[1]!.toLowerCase());
  const all: string[] = [];
  // Node writes entries as 'DNS:a, URI:sip:b', with quotes where a name could be taken for another entry
  for (const [, kind, text = ''] of subjectAltName.matchAll(/(?:^|, )(DNS|URI|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g)) {
    if (text.startsWith('"')) continue; // no name of a host needs that
    if (kind === 'URI') {
      const host = /^sip:([^@;?:]+|\[[^\]]*\])$/i.exec(text)?.[1]; // no user part, §7.1
      if (host !== undefined) all.push(host.toLowerCase());
    } else all.push(text.toLowerCase());
  }
  return all;
}

/** RFC 5922 §7.2: the whole name, whatever its case, no wildcards. */
function nameWrong(certificate: X509Certificate, name: string, checking: Checking): string | undefined {
  const names = identities(certificate), wanted = name.toLowerCase();
  if (isIP(name) !== 0 ? certificate.checkIP(name) !== undefined : names.includes(wanted)) return undefined;
  if (checking === 'wildcards' && certificate.checkHost(wanted, { multiLabelWildcards: false, partialWildcards: false }) !== undefined) return undefined;
  const star = checking === 'on' && names.some((one) => one.startsWith('*.')) ? '; in SIP a * counts only where accounts.tlsVerify says "wildcards"' : '';
  return `its certificate is for ${names.join(', ') || 'nobody'}, not for ${name}${star}`;
}

/** What OpenSSL says of a handshake, or later by an alert, as a sentence. */
export function explained(error: Error & { readonly code?: unknown }, where: string, hasOurs: boolean): Error {
  const said = `${String(error.code ?? '')} ${error.message}`;
  if (error.code === 'NOT_TRUSTED' || error.code === 'ETIMEDOUT' || error.code === 'ECONNREFUSED') return error;
  if (/alert.*version|UNSUPPORTED_PROTOCOL/i.test(said)) return fault('NOT_TRUSTED', `${where} speaks no TLS of version 1.2 or newer`, error);
  if (/alert/i.test(said)) {
    return fault('NOT_TRUSTED', hasOurs ? `${where} does not take the certificate in sip.tlsCert` : `${where} wants a certificate of this phone (sip.tlsCert)`, error);
  }
  if (/SSL|EPROTO/.test(said)) return fault('ECONNREFUSED', `${where} does not speak TLS`, error);
  if (/before secure TLS connection/.test(said)) return fault('ECONNREFUSED', `${where} closed the connection in place of a TLS handshake`, error);
  return error;
}

