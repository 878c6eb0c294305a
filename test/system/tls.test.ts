import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { afterAll, describe, expect, test } from 'vitest';
import type { StreamHandler, StreamSocket } from '../../src/ports/net.ts';
import { systemNetwork } from '../../src/system/network.ts';
import { identities, type Checking } from '../../src/system/tls.ts';
import { makeAuthority, makeSelfSigned, type Certificate } from '../fakes/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'oh-tls-'));
const ends: (() => void)[] = [];
afterAll(() => {
  for (const end of ends) end();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
const file = (text: string): string => {
  const path = join(folder, `${++files}.pem`);
  writeFileSync(path, text);
  return path;
};

const authority = makeAuthority('Test authority'), stranger = makeAuthority('Another authority');
const ca = file(authority.cert);
const good = authority.issue('pbx', ['dns:pbx.example']);


async function portOf(server: Server): Promise<number> {
  server.on('error', () => undefined);
  const open = new Set<Socket>();
  server.on('connection', (socket) => open.add(socket.on('error', () => undefined)));
  ends.push(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return (server.address() as AddressInfo).port;
}

/** A server with TLS that sends back what it gets. */
const echoing = (certificate: Certificate, options: TlsOptions = {}, on: (socket: TLSSocket) => void = () => undefined): Promise<number> =>
  portOf(createServer({ ...certificate, ...options }, (socket) => {
    on(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => socket.write(bytes));
  }));

interface Settings { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly checking?: Checking }
const networkWith = ({ ca: authorities = ca, cert = '', key = '', checking = 'on' }: Settings = {}) =>
  systemNetwork({ tls: () => ({ ca: authorities, cert, key }), server: () => ({ checking, webSocketPath: '/' }) });

/** Says hello and gives what came back, or how it failed: 'NOT_TRUSTED its certificate ...'. */
function hello(network: ReturnType<typeof systemNetwork>, port: number, name = 'pbx.example', keep?: (socket: StreamSocket) => void): Promise<string> {
  return new Promise((resolve) => {
    const handler: StreamHandler = {
      onOpen: () => socket.send(Buffer.from('hello')),
      onBytes: (bytes) => {
        if (keep === undefined) socket.close();
        else keep(socket);
        resolve(String(bytes));
      },
      onClose: (error) => resolve(error === undefined ? 'closed' : `${String((error as NodeJS.ErrnoException).code)} ${error.message}`),
    };
    const socket = network.connect({ host: '127.0.0.1', port }, handler, { kind: 'tls', name });
  });
}

describe('a server is believed by its certificate (RFC 5922 §7)', () => {
  const rows: readonly [string, Certificate, RegExp, Settings?, string?][] = [
    ['its name is there, its authority is ours', good, /^hello$/],
    ['names compare without regard to case, §7.2', authority.issue('x', ['dns:PBX.Example']), /^hello$/],
    ['a sip: URI without user part counts as its domain, §7.1', authority.issue('x', ['uri:sip:pbx.example']), /^hello$/],
    ['a sip: URI of a person is no domain, §7.1', authority.issue('x', ['uri:sip:joe@pbx.example']), /^NOT_TRUSTED .*its certificate is for nobody, not for pbx\.example$/],
    ['a sips: or other URI is none, §7.1', authority.issue('x', ['uri:sips:pbx.example', 'uri:https://pbx.example']), /NOT_TRUSTED .*for nobody/],
    ['another name is refused and said', authority.issue('x', ['dns:evil.example', 'dns:www.pbx.example']), /^NOT_TRUSTED pbx\.example port \d+: its certificate is for evil\.example, www\.pbx\.example, not for pbx\.example$/],
    ['the common name counts where there is no subjectAltName, §7.1', authority.issue('pbx.example', []), /^hello$/],
    ['the common name does not count beside one, §7.1', authority.issue('pbx.example', ['dns:other.example']), /NOT_TRUSTED .*for other\.example, not/],
    ['a wildcard is no match, §7.2, and what to do is said', authority.issue('x', ['dns:*.example']), /NOT_TRUSTED .*for \*\.example, not for pbx\.example; in SIP a \* counts only where .*"wildcards"$/],
    ['a wildcard counts where the settings say so', authority.issue('x', ['dns:*.pbx.example']), /^hello$/, { checking: 'wildcards' }, 'a.pbx.example'],
    ['and then for one label only', authority.issue('x', ['dns:*.pbx.example']), /NOT_TRUSTED .*for \*\.pbx\.example, not for b\.a\.pbx\.example$/, { checking: 'wildcards' }, 'b.a.pbx.example'],
    ['an address is found among the addresses', authority.issue('x', ['ip:127.0.0.1']), /^hello$/, {}, '127.0.0.1'],
    ['and is no other address', authority.issue('x', ['ip:127.0.0.2']), /NOT_TRUSTED .*for 127\.0\.0\.2, not for 127\.0\.0\.1/, {}, '127.0.0.1'],
    ['an authority nobody knows is named', stranger.issue('x', ['dns:pbx.example']), /NOT_TRUSTED .*an authority that is not known here \(CN=Another authority\); .* sip\.tlsCa$/],
    ['one signed by itself is told apart', makeSelfSigned('pbx.example', ['dns:pbx.example']), /NOT_TRUSTED .*signed by itself alone; .* sip\.tlsCa$/],
    ['an expired one with its date and our clock', authority.issue('x', ['dns:pbx.example'], { to: new Date('2020-02-03T04:05:00Z'), from: new Date('2019-02-03T04:05:00Z') }),
      /NOT_TRUSTED .*expired at 2020-02-03 04:05; the clock of this machine says \d{4}-\d\d-\d\d \d\d:\d\d$/],
    ['one of the future, which a board without a clock sees', authority.issue('x', ['dns:pbx.example'], { from: new Date('2080-01-01T00:00:00Z'), to: new Date('2081-01-01T00:00:00Z') }),
      /NOT_TRUSTED .*valid only from 2080-01-01 00:00, but the clock of this machine says .*: a board without a battery has no time until the network gives it$/],
    ['where the settings say off, anybody', makeSelfSigned('evil', ['dns:evil.example']), /^hello$/, { checking: 'off' }],
    ['without a file of authorities ours is unknown', good, /NOT_TRUSTED .*not known here/, { ca: '' }],
    ['a file that is not there is named', good, /^NOT_TRUSTED the file \/nowhere\.pem \(setting sip\.tlsCa\) is not there$/, { ca: '/nowhere.pem' }],
    ['a file without certificate is named', good, /^NOT_TRUSTED there is no certificate in the file .*\(setting sip\.tlsCa\); it is to be in PEM form$/, { ca: file('what is this?') }],
    ['a key of another certificate is told', good, /^NOT_TRUSTED the private key in the file .* \(setting sip\.tlsKey\) does not belong to the certificate in .* \(setting sip\.tlsCert\)$/, { cert: file(good.cert), key: file(stranger.key) }],
  ];
  test.each(rows)('%s', async (_, certificate, outcome, settings = {}, name = 'pbx.example') => {
    expect(await hello(networkWith(settings), await echoing(certificate), name)).toMatch(outcome);
  });

  test('a name that hides a comma is no second name (CVE-2021-44531)', () => {
    const certificate = new X509Certificate(authority.issue('x', ['uri:sip:evil.example, DNS:pbx.example', 'dns:a.example']).cert);
    expect(identities(certificate)).toEqual(['a.example']);
  });
});

describe('the client', () => {
  test('names the server it wants (SNI, RFC 6066 §3), and no address', async () => {
    const asked: (string | false | null)[] = [];
    const port = await echoing(authority.issue('x', ['dns:pbx.example', 'ip:127.0.0.1']), {}, (socket) => asked.push((socket as TLSSocket & { servername: string | false }).servername));
    const network = networkWith();
    await hello(network, port);
    await hello(network, port, '127.0.0.1');
    expect(asked).toEqual(['pbx.example', false]);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('opens again by resuming the session (RFC 5077, RFC 8446 §2.2), and with other files looks at the certificate anew: %s', async (version) => {
    const resumed: boolean[] = [];
    const port = await echoing(good, { minVersion: version, maxVersion: version }, (socket) => resumed.push(socket.isSessionReused()));
    let authorities = ca;
    const network = systemNetwork({ tls: () => ({ ca: authorities, cert: '', key: '' }) });
    for (let i = 0; i < 3; i++) expect(await hello(network, port)).toBe('hello');
    expect(resumed).toEqual([false, true, true]);
    authorities = file(stranger.cert);
    expect(await hello(network, port)).toMatch(/not known here/);
    expect(resumed[3] ?? false, 'no resuming').toBe(false); // over TLS 1.3 the server may not come to accept it at all
  });

  test('shows its certificate to a server that asks; a renewed file is used without a restart', async () => {
    const seen: string[] = [];
    const port = await echoing(good, { requestCert: true, rejectUnauthorized: true, ca: authority.cert }, (socket) => seen.push(String(socket.getPeerX509Certificate()?.subject)));
    const mine = authority.issue('phone 1', []), cert = file(mine.cert + mine.key);
    const network = networkWith({ cert });
    expect(await hello(network, port)).toBe('hello');
    const renewed = authority.issue('phone 2', []);
    writeFileSync(cert, renewed.cert + renewed.key);
    utimesSync(cert, 1, 1);
    expect(await hello(network, port)).toBe('hello');
    expect(seen).toEqual(['CN=phone 1', 'CN=phone 2']);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('is told in words when the server refuses its certificate, or wants one (%s)', async (version) => {
    const port = await echoing(good, { requestCert: true, rejectUnauthorized: true, ca: authority.cert, minVersion: version, maxVersion: version });
    expect(await hello(networkWith(), port)).toMatch(/^(NOT_TRUSTED pbx\.example port \d+ wants a certificate of this phone \(sip\.tlsCert\)|ECONN.*)$/);
    const mine = stranger.issue('phone', []);
    expect(await hello(networkWith({ cert: file(mine.cert), key: file(mine.key) }), port)).toMatch(/^(NOT_TRUSTED pbx\.example port \d+ does not take the certificate in sip\.tlsCert|ECONN.*|closed)$/); // Node's own server may close without an alert
  });

  test('speaks nothing older than TLS 1.2 (RFC 8996)', async () => {
    const port = await echoing(good, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    expect(await hello(networkWith(), port)).toMatch(/^NOT_TRUSTED pbx\.example port \d+ speaks no TLS of version 1\.2 or newer$/);
  });

  test('says when there is no TLS at the port, or nobody', async () => {
    const plain = await portOf(createTcpServer((socket) => { socket.on('data', () => socket.end('SIP/2.0 400 Bad Request\r\n\r\n')); }));
    expect(await hello(networkWith(), plain)).toMatch(/^ECONNREFUSED pbx\.example port \d+ does not speak TLS$/);
    const curt = await portOf(createTcpServer((socket) => { socket.on('data', () => socket.end()); }));
    expect(await hello(networkWith(), curt)).toMatch(/^ECONNREFUSED pbx\.example port \d+ closed the connection in place of a TLS handshake$/);
    expect(await hello(networkWith(), 1)).toMatch(/^ECONNREFUSED/);
  });

  test('gives up a handshake that does not come', async () => {
    const mute = await portOf(createTcpServer(() => undefined));
    expect(await hello(networkWith(), mute)).toMatch(/^ETIMEDOUT pbx\.example port \d+ took the connection but did not do a TLS handshake within 3\.5 s$/);
  }, 20_000);

  test('closed before it opened tells nothing, and closes', async () => {
    let closed = 0;
    const port = await portOf(createTcpServer((socket) => { socket.on('close', () => { closed++; }).resume(); }));
    const told: string[] = [];
    const socket = networkWith().connect({ host: '127.0.0.1', port }, { onOpen: () => told.push('open'), onBytes: () => told.push('bytes'), onClose: () => told.push('close') }, { kind: 'tls', name: 'pbx.example' });
    socket.send(Buffer.from('too soon'));
    await new Promise((resolve) => { setTimeout(resolve, 50); });
    socket.close();
    await expect.poll(() => closed).toBe(1);
    expect(told).toEqual([]);
  });

  test('knows for which other names the certificate of an open connection is good (RFC 5922 §7.3)', async () => {
    const port = await echoing(authority.issue('x', ['dns:pbx.example', 'dns:sbc1.example']));
    const socket = await new Promise<StreamSocket>((resolve, reject) => {
      hello(networkWith(), port, 'pbx.example', resolve).then((said) => { if (said !== 'hello') reject(new Error(said)); }, reject);
    });
    expect(['sbc1.example', 'pbx.example', 'sbc2.example'].map((name) => socket.covers?.(name))).toEqual([true, true, false]);
    socket.close();
  });
});

test('a connection that other settings would not have opened ends when they change; one that they would stays', async () => {
  const unknown = await echoing(stranger.issue('x', ['dns:pbx.example'])), known = await echoing(good);
  let checking: Checking | undefined = 'off', settings = { ca: '', cert: '', key: '' };
  const of = (how: Checking | undefined) => (how === undefined ? undefined : { checking: how, webSocketPath: '/' });
  const network = systemNetwork({ tls: () => settings, server: (name) => of(name === 'pbx.example' ? checking : 'off') });
  const ended: string[] = [];
  const open = (port: number, name: string) => new Promise<StreamSocket>((resolve) => {
    const socket = network.connect({ host: '127.0.0.1', port }, {
      onOpen: () => resolve(socket), onBytes: () => undefined, onClose: (error) => ended.push(`${name}: ${error?.message}`),
    }, { kind: 'tls', name });
  });
  await open(unknown, 'pbx.example');
  const other = await open(known, 'far.example');
  network.settingsChanged();
  checking = undefined; // the account is gone, and says so to the server
  network.settingsChanged();
  expect(ended).toEqual([]);
  checking = 'on';
  network.settingsChanged();
  expect(ended).toEqual(['pbx.example: the settings of this connection have changed']);
  expect(await hello(network, unknown)).toMatch(/^NOT_TRUSTED/);
  settings = { ...settings, ca };
  network.settingsChanged();
  expect(ended[1]).toBe('far.example: the settings of this connection have changed');
  other.close();
  network.settingsChanged();
  expect(ended).toHaveLength(2);
});

describe('the server', () => {
  const listening = async (cert: string, key = '', settings?: { readonly cert: string; readonly key: string }) => {
    const logged: string[] = [];
    const log = { error: (_: unknown, fact: string) => logged.push(fact), warn: () => undefined, info: () => undefined, debug: (fields: object) => logged.push(JSON.stringify(fields)) };
    const got: string[] = [];
    const listener = await systemNetwork({ log, tls: () => ({ ca, cert, key, ...(settings === undefined ? {} : { settings }) }) }).listen({ host: '127.0.0.1', port: 0 }, (socket) => ({
      onOpen: () => undefined,
      onBytes: (bytes) => {
        got.push(String(bytes));
        socket.send(bytes);
      },
      onClose: () => undefined,
    }), 'tls');
    ends.push(() => listener.close());
    return { port: listener.local.port, got, logged };
  };

  test('accepts who speaks TLS, and nobody else', async () => {
    const mine = authority.issue('phone', ['dns:pbx.example']);
    const { port, got, logged } = await listening(file(mine.cert), file(mine.key));
    expect(await hello(networkWith(), port)).toBe('hello');
    const plain = connectTls({ host: '127.0.0.1', port, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0', rejectUnauthorized: false });
    await new Promise((resolve) => { plain.on('error', resolve); });
    expect(got).toEqual(['hello']);
    await expect.poll(() => logged.some((line) => line.includes('wrong'))).toBe(true);
  });

  test('has 32 handshakes under way at most, and those that do not come end', async () => {
    const mine = authority.issue('phone', ['dns:pbx.example']);
    const { port } = await listening(file(mine.cert), file(mine.key));
    let closed = 0;
    const mute: Socket[] = [];
    for (let i = 0; i < 32; i++) {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => undefined).on('close', () => { closed++; }).resume();
      mute.push(socket);
      await new Promise((resolve) => { socket.once('connect', resolve); });
    }
    expect(await hello(networkWith(), port)).toMatch(/^ECONN/);
    await expect.poll(() => closed, { timeout: 10_000 }).toBe(32);
    expect(await hello(networkWith(), port)).toBe('hello');
  }, 20_000);

  test('without a usable certificate says so and refuses, until there is one', async () => {
    const path = join(folder, 'later.pem');
    const { port, logged } = await listening(path);
    expect(logged[0]).toBe(`TLS cannot be used: the file ${path} (setting sip.tlsCert) is not there`);
    expect(await hello(networkWith(), port)).toMatch(/^ECONN/);
    const mine = authority.issue('phone', ['dns:pbx.example']);
    writeFileSync(path, mine.cert + mine.key);
    expect(await hello(networkWith(), port)).toBe('hello');
    const none = await listening('');
    expect(none.logged[0]).toBe('TLS cannot be used: sip.tlsCert names no certificate');
  });

  const mine = authority.issue('phone', ['dns:pbx.example']), other = authority.issue('other', ['dns:pbx.example']);
  const dated = (from: string, to: string): Certificate => authority.issue('x', ['dns:pbx.example'], { from: new Date(from), to: new Date(to) });
  const past = dated('2019-02-03T04:05:00Z', '2020-02-03T04:05:00Z'), future = dated('2080-01-01T00:00:00Z', '2081-01-01T00:00:00Z');
  const locked = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } }).privateKey;
  test.each([
    ['a file that is not there', '/nowhere.pem', '', 'the file /nowhere.pem (setting x.cert) is not there'],
    ['a file that is a folder', folder, '', `the file ${folder} (setting x.cert) cannot be read (EISDIR)`],
    ['a key that is not there', file(mine.cert), '/nowhere.key', 'the file /nowhere.key (setting x.key) is not there'],
    ['no key beside the certificate', file(mine.cert), '', /^there is no private key in the file .* \(setting x\.cert\); it is to be in PEM form, or in the file that x\.key names$/],
    ['a key with a password', file(mine.cert), file(locked), /^the private key in the file .* \(setting x\.key\) is locked by a password; it must be there without one$/],
    ['a key of another certificate', file(mine.cert), file(other.key), /^the private key in the file .* \(setting x\.key\) does not belong to the certificate in .* \(setting x\.cert\)$/],
    ['a key in place of the certificate', file(mine.key), '', /^there is no certificate in the file .* \(setting x\.cert\); it is to be in PEM form$/],
    ['an expired certificate', file(past.cert + past.key), '', /^the certificate in .* \(setting x\.cert\) expired at 2020-02-03 04:05 by the clock of this machine$/],
    ['one of the future', file(future.cert + future.key), '', /^the certificate in .* \(setting x\.cert\) is valid only from 2080-01-01 00:00 by the clock of this machine$/],
  ])('says which setting is wrong: %s', async (_, cert, key, why) => {
    const { logged } = await listening(cert, key, { cert: 'x.cert', key: 'x.key' });
    expect(logged).toEqual([typeof why === 'string' ? `TLS cannot be used: ${why}` : expect.stringMatching(new RegExp(`^TLS cannot be used: ${why.source.slice(1)}`))]);
  });

  test('a renewed certificate serves without a restart; while its key is not there yet the pair before does, and that is said once', async () => {
    const cert = file(mine.cert), key = file(mine.key), { port, logged } = await listening(cert, key);
    const shown = (): Promise<string> => new Promise((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()!.subject);
        socket.destroy();
      }).on('error', reject);
    });
    expect(await shown()).toBe('CN=phone');
    writeFileSync(cert, other.cert);
    utimesSync(cert, 1, 1);
    expect(await shown()).toBe('CN=phone');
    expect(await shown()).toBe('CN=phone');
    const faults = (): string[] => logged.filter((line) => line.startsWith('TLS'));
    expect(faults()).toEqual([expect.stringMatching(/^TLS cannot be used: the private key in the file .* does not belong to the certificate in/)]);
    writeFileSync(key, other.key);
    utimesSync(key, 1, 1);
    expect(await shown()).toBe('CN=other');
    expect(faults()).toHaveLength(1);
  });
});
