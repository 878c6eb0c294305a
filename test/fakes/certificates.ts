// Certificates for tests, of any dates and names, made here: X.509 (RFC 5280) with P-256 keys, and an authority to sign them.

import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts), { length } = body;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const text = (tag: number, words: string): Buffer => der(tag, Buffer.from(words, 'latin1'));

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const commonName = (name: string): Buffer => sequence(der(0x31, sequence(oid('550403'), text(0x0c, name))));
/** GeneralizedTime, which every year has. */
const time = (at: Date): Buffer => text(0x18, `${at.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`);
const extension = (id: string, critical: boolean, value: Uint8Array): Buffer => sequence(oid(id), ...(critical ? [der(0x01, Buffer.from([255]))] : []), der(0x04, value));
const pem = (kind: string, bytes: Buffer): string => `-----BEGIN ${kind}-----\n${bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${kind}-----\n`;

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  /** 'dns:a.example', 'uri:sip:a.example', 'ip:127.0.0.1', 'ip:::1'; no names: no subjectAltName. */
  issue(commonName: string, names: readonly string[], dates?: { readonly from?: Date; readonly to?: Date }): Certificate;
}

const DAY_MS = 86_400_000;
let serial = 1;

function certificate(subject: string, issuer: string, names: readonly string[], publicKey: KeyObject, signer: KeyObject, from: Date, to: Date, authority: boolean): string {
  const general = (name: string): Buffer => {
    const [kind, value] = [name.slice(0, name.indexOf(':')), name.slice(name.indexOf(':') + 1)];
    return kind === 'dns' ? text(0x82, value) : kind === 'uri' ? text(0x86, value) : der(0x87, value === '::1' ? Buffer.from([...Buffer.alloc(15), 1]) : Buffer.from(value.split('.').map(Number)));
  };
  const extensions = [
    extension('551d13', true, sequence(...(authority ? [der(0x01, Buffer.from([255]))] : []))),
    ...(names.length === 0 ? [] : [extension('551d11', false, sequence(...names.map(general)))]),
  ];
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), der(0x02, Buffer.from([1, serial >> 8, serial++ & 255])), ECDSA_SHA256, commonName(issuer), sequence(time(from), time(to)), commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }), der(0xa3, sequence(...extensions)),
  );
  return pem('CERTIFICATE', sequence(signed, ECDSA_SHA256, der(0x03, Buffer.from([0]), sign('sha256', signed, signer))));
}

export function makeAuthority(name: string): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' }), now = Date.now();
  const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    cert: certificate(name, name, [], publicKey, privateKey, new Date(now - 3_650 * DAY_MS), new Date(now + 3_650 * DAY_MS), true),
    key: keyPem(privateKey),
    issue(subject, names, { from = new Date(now - DAY_MS), to = new Date(now + DAY_MS) } = {}) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return { cert: certificate(subject, name, names, pair.publicKey, privateKey, from, to, false), key: keyPem(pair.privateKey) };
    },
  };
}

/** One that nobody signed but itself. */
export function makeSelfSigned(subject: string, names: readonly string[]): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' }), now = Date.now();
  return {
    cert: certificate(subject, subject, names, publicKey, privateKey, new Date(now - DAY_MS), new Date(now + DAY_MS), false),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
