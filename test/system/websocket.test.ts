import { createServer, get, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import type { StreamSocket, Way } from '../../src/ports/net.ts';
import { systemNetwork } from '../../src/system/network.ts';
import { makeAuthority } from '../fakes/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'oh-ws-'));
const authority = makeAuthority('Test authority');
const ca = join(folder, 'ca.pem');
writeFileSync(ca, authority.cert);
const ends: (() => void)[] = [];
afterAll(() => {
  for (const end of ends) end();
  rmSync(folder, { recursive: true, force: true });
});

async function portOf(server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => open.add(socket.on('error', () => undefined)));
  ends.push(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return (server.address() as AddressInfo).port;
}

interface Far {
  readonly port: number;
  /** Frames as 'text ...' or 'binary ...', pings as 'ping'. */
  readonly got: string[];
  readonly asked: IncomingMessage[];
  readonly sockets: WebSocket[];
}

/** A WebSocket server that takes subprotocol `protocol` only. */
async function serve(options: { readonly protocol?: string | false; readonly path?: string; readonly secure?: boolean } = {}): Promise<Far> {
  const { protocol = 'sip', path = '/ws' } = options;
  const certificate = authority.issue('x', ['dns:pbx.example']);
  const web = options.secure === true ? createTlsServer(certificate) : createServer();
  const far: Far = { port: await portOf(web), got: [], asked: [], sockets: [] };
  const server = new WebSocketServer({ noServer: true, handleProtocols: () => protocol });
  web.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    far.asked.push(request);
    if (request.url !== path) return void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    server.handleUpgrade(request, socket, head, (accepted) => {
      far.sockets.push(accepted);
      accepted.on('error', () => undefined);
      accepted.on('message', (bytes: Buffer, binary) => far.got.push(`${binary ? 'binary' : 'text'} ${bytes.toString(binary ? 'hex' : 'utf8')}`));
      accepted.on('ping', () => far.got.push('ping'));
    });
  });
  return far;
}

interface Near {
  readonly socket: StreamSocket;
  readonly got: string[];
  /** How it ended: 'closed', or code and sentence. */
  readonly ended: Promise<string>;
  readonly opened: Promise<boolean>;
}

function meet(port: number, way: Way = { kind: 'ws', name: 'pbx.example' }, webSocketPath = '/ws'): Near {
  const got: string[] = [];
  let open: (yes: boolean) => void = () => undefined, end: (why: string) => void = () => undefined;
  const opened = new Promise<boolean>((resolve) => { open = resolve; }), ended = new Promise<string>((resolve) => { end = resolve; });
  const network = systemNetwork({ tls: () => ({ ca, cert: '', key: '' }), server: () => ({ checking: 'on', webSocketPath }) });
  const socket = network.connect({ host: '127.0.0.1', port }, {
    onOpen: () => open(true),
    onBytes: (bytes) => got.push(String(bytes)),
    onClose: (error) => {
      open(false);
      end(error === undefined ? 'closed' : `${String((error as NodeJS.ErrnoException).code)} ${error.message}`);
    },
  }, way);
  return { socket, got, ended, opened };
}

test('asks for subprotocol sip, path and host of the settings, and no compression (RFC 7118 §4.1)', async () => {
  const far = await serve({ path: '/sip?x=1' });
  const near = meet(far.port, undefined, '/sip?x=1');
  expect(await near.opened).toBe(true);
  expect(far.asked[0]).toMatchObject({ url: '/sip?x=1', headers: { host: `pbx.example:${far.port}`, 'sec-websocket-protocol': 'sip' } });
  expect(far.asked[0]!.headers['sec-websocket-extensions']).toBeUndefined();
  expect(near.socket.local.host).toBe('127.0.0.1');
  near.socket.close();
});

test('each message is one frame both ways, fragments are joined, what is not UTF-8 goes as binary (RFC 7118 §4.2, §5)', async () => {
  const far = await serve(), near = meet(far.port);
  await near.opened;
  near.socket.send(Buffer.from('OPTIONS é'));
  near.socket.send(Buffer.from([0xff, 0]));
  await expect.poll(() => far.got).toEqual(['text OPTIONS é', 'binary ff00']);
  far.sockets[0]!.send('SIP/2.0 200 OK');
  far.sockets[0]!.send('SIP/', { fin: false });
  far.sockets[0]!.send('2.0', { fin: true });
  far.sockets[0]!.send(Buffer.from('bin'));
  await expect.poll(() => near.got).toEqual(['SIP/2.0 200 OK', 'SIP/2.0', 'bin']);
  near.socket.close();
  await expect.poll(() => far.sockets[0]!.readyState).toBe(3);
});

test('CRLFCRLF goes as a ping, its pong comes back as CRLF (RFC 7118 §6)', async () => {
  const far = await serve(), near = meet(far.port);
  await near.opened;
  near.socket.send(Buffer.from('\r\n\r\n'));
  await expect.poll(() => near.got).toEqual(['\r\n']);
  expect(far.got).toEqual(['ping']);
  near.socket.close();
});

test('over TLS the certificate is checked before anything is said (RFC 7118 §9)', async () => {
  const far = await serve({ secure: true });
  const near = meet(far.port, { kind: 'wss', name: 'pbx.example' });
  expect(await near.opened).toBe(true);
  near.socket.send(Buffer.from('hello'));
  await expect.poll(() => far.got).toEqual(['text hello']);
  expect([near.socket.covers?.('pbx.example'), near.socket.covers?.('other.example')]).toEqual([true, false]);
  near.socket.close();
  expect(await meet(far.port, { kind: 'wss', name: 'other.example' }).ended).toMatch(/^NOT_TRUSTED .*for pbx\.example, not for other\.example$/);
  expect(far.asked).toHaveLength(1);
});

test('a server that wants a certificate of ours says so (RFC 5246 §7.4.6)', async () => {
  const port = await portOf(createTlsServer({ ...authority.issue('x', ['dns:pbx.example']), requestCert: true, rejectUnauthorized: true, ca: authority.cert, maxVersion: 'TLSv1.2' }));
  expect(await meet(port, { kind: 'wss', name: 'pbx.example' }).ended).toMatch(/^(NOT_TRUSTED pbx\.example port \d+ wants a certificate of this phone|ECONN)/);
});

test('each way to fail has its sentence', async () => {
  const where = String.raw`pbx\.example port \d+`;
  expect(await meet((await serve({ path: '/elsewhere' })).port).ended).toMatch(new RegExp(`^ECONNREFUSED the web server at ${where} answers 404 to /ws$`));
  expect(await meet((await serve({ protocol: false })).port).ended).toMatch(new RegExp(`^ECONNREFUSED ${where} speaks WebSocket, but not SIP over it$`));
  expect(await meet((await serve({ protocol: 'chat' })).port).ended).toMatch(new RegExp(`^ECONNREFUSED ${where} speaks WebSocket, but not SIP over it$`));
  const sip = await portOf(createTcpServer((socket) => { socket.on('data', () => socket.end('SIP/2.0 400 Bad Request\r\n\r\n')); }));
  expect(await meet(sip).ended).toMatch(new RegExp(`^ECONNREFUSED ${where} does not speak WebSocket$`));
  const curt = await portOf(createTcpServer((socket) => { socket.on('data', () => socket.destroy()); }));
  expect(await meet(curt).ended).toMatch(new RegExp(`^ECONNREFUSED ${where} does not speak WebSocket$`));
  expect(await meet(1).ended).toMatch(/^ECONNREFUSED connect/);
});

test('a server that never answers the upgrade is given up', async () => {
  const mute = await portOf(createTcpServer(() => undefined));
  expect(await meet(mute).ended).toMatch(/^ETIMEDOUT .* took the connection but did not open a WebSocket within 3\.5 s$/);
}, 20_000);

test('the end is told: by the other side, by a code, by a message too great, by a broken connection', async () => {
  const endOf = async (act: (socket: WebSocket) => void): Promise<string> => {
    const far = await serve(), near = meet(far.port);
    await near.opened;
    act(far.sockets[0]!);
    return near.ended;
  };
  expect(await endOf((socket) => socket.close(1000))).toBe('closed');
  expect(await endOf((socket) => socket.close(1013))).toBe('undefined the WebSocket ended with code 1013');
  expect(await endOf((socket) => socket.send(Buffer.alloc(65_536)))).toMatch(/Max payload size exceeded/);
  expect(await endOf((socket) => socket.terminate())).toMatch(/1006/);
});

test('who never reads is cut off before what waits for it fills the memory', async () => {
  const far = await serve(), near = meet(far.port);
  await near.opened;
  far.sockets[0]!.pause();
  for (let i = 0; i < 1_000; i++) near.socket.send(Buffer.alloc(64 << 10, 65));
  expect(await near.ended).toMatch(/the other side does not read$/);
});

test('closed by us tells nothing any more', async () => {
  const far = await serve(), near = meet(far.port);
  await near.opened;
  near.socket.close();
  near.socket.send(Buffer.from('late'));
  await expect.poll(() => far.sockets[0]!.readyState).toBe(3);
  expect(await Promise.race([near.ended, new Promise((resolve) => { setTimeout(() => resolve('nothing'), 50); })])).toBe('nothing');
  expect(far.got).toEqual([]);
});

describe('the server', () => {
  const mine = authority.issue('x', ['dns:pbx.example']), cert = join(folder, 'mine.pem');
  writeFileSync(cert, mine.cert + mine.key);

  /** Listens for `kind` and sends back what comes. */
  const listening = async (kind: 'ws' | 'wss') => {
    const got: string[] = [], closed: (string | undefined)[] = [];
    const listener = await systemNetwork({ tls: () => ({ ca, cert, key: '' }) }).listen({ host: '127.0.0.1', port: 0 }, (socket) => ({
      onOpen: () => got.push(`open ${socket.local.host}:${socket.local.port === listener.local.port} ${socket.remote.host}`),
      onBytes: (bytes) => {
        got.push(String(bytes));
        socket.send(bytes);
      },
      onClose: (error) => closed.push(error?.message),
    }), kind);
    ends.push(() => listener.close());
    return { port: listener.local.port, got, closed };
  };
  const client = (port: number, kind: 'ws' | 'wss') => new Promise<{ readonly heard: string[]; readonly socket: StreamSocket }>((resolve, reject) => {
    const heard: string[] = [];
    const socket = systemNetwork({ tls: () => ({ ca, cert: '', key: '' }) }).connect({ host: '127.0.0.1', port }, { onOpen: () => resolve({ heard, socket }), onBytes: (bytes) => heard.push(String(bytes)), onClose: (error) => reject(error) }, { kind, name: 'pbx.example' });
  });

  test.each(['ws', 'wss'] as const)('takes our own client over %s, answers its pings, hears of its end (RFC 7118 §4.1, §6)', async (kind) => {
    const { port, got, closed } = await listening(kind), { heard, socket } = await client(port, kind);
    socket.send(Buffer.from('hello'));
    socket.send(Buffer.from('\r\n\r\n'));
    await expect.poll(() => heard).toEqual(['hello', '\r\n']);
    expect(got).toEqual(['open 127.0.0.1:true 127.0.0.1', 'hello']);
    socket.close();
    await expect.poll(() => closed).toEqual([undefined]);
  });

  test.each([
    ['no Upgrade', {}, 426], ['another subprotocol', { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol': 'mqtt, sipx' }, 400],
    ['no subprotocol', { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }, 400],
    ['no key', { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Protocol': 'sip' }, 400],
  ])('refuses who asks with %s', async (_, headers, status) => {
    const { port, got } = await listening('ws');
    const said = await new Promise<number | undefined>((resolve, reject) => { get({ host: '127.0.0.1', port, headers }, (response) => resolve(response.statusCode)).on('error', reject); });
    expect(said).toBe(status);
    expect(got).toEqual([]);
  });

  test('has 32 upgrades under way at most, and those that do not come end', async () => {
    const { port } = await listening('ws');
    let closed = 0;
    for (let i = 0; i < 32; i++) {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => undefined).on('close', () => { closed++; }).resume();
      await new Promise((resolve) => { socket.once('connect', resolve); });
    }
    await expect(client(port, 'ws')).rejects.toThrow();
    await expect.poll(() => closed, { timeout: 10_000 }).toBe(32);
    (await client(port, 'ws')).socket.close();
  }, 20_000);

  test.each(['ws', 'wss'] as const)('over %s an address that keeps all of them busy keeps nobody else out', async (kind) => {
    const { port, got } = await listening(kind), idle: Socket[] = [];
    let closed = 0;
    for (let i = 0; i < 32; i++) {
      const socket = connectTcp({ port, host: '127.0.0.1', localAddress: '127.0.0.66' });
      idle.push(socket.on('error', () => undefined).on('close', () => { closed++; }).resume());
      await new Promise((resolve) => { socket.once('connect', resolve); });
    }
    (await client(port, kind)).socket.close();
    await expect.poll(() => closed).toBe(1);
    expect(got).toHaveLength(1);
    for (const socket of idle) socket.destroy();
  });

  test('a message greater than 64 kB ends the connection (RFC 6455 §7.4.1)', async () => {
    const { port, got, closed } = await listening('ws'), { socket } = await client(port, 'ws');
    socket.send(Buffer.alloc(70_000, 'x'));
    await expect.poll(() => closed.length).toBe(1);
    expect(got).toHaveLength(1);
  });
});
