// The page's server: fastify with its plugins, and the guards that stand before every route. What the routes do is in routes.ts.
//
//   request -> is the Host ours -> cookie, session -> is it open -> rate -> is it our page, csrf (changes) -> route

import cookie from '@fastify/cookie';
import csrf from '@fastify/csrf-protection';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import session from '@fastify/session';
import { createHash } from 'node:crypto';
import fastify, { type FastifyInstance } from 'fastify';
import { PhoneError } from '../ports/errors.ts';
import { liveEvents } from './events.ts';
import { asHostName, isOurHost, isOurPage } from './guard.ts';
import { pagePassword } from './password.ts';
import { routes } from './routes.ts';
import { csrfUser, IDLE_MS, isOpen, sessions } from './sessions.ts';
import type { Page, PageDoors, PageOptions, PagePorts, StateView } from './types.ts';

const MAX_BODY_BYTES = 256 * 1_024;
const MAX_CONNECTIONS = 128;
const REQUESTS_A_MINUTE = 1_200;

/** Serve the page. Rejects with PhoneError PORT_IN_USE or ADDRESS_NOT_LOCAL. */
export async function createPage(ports: PagePorts, options: PageOptions, doors: PageDoors): Promise<Page> {
  const { app, close } = await buildPage(ports, options, doors);
  try {
    await listen(app, options.host, options.port);
  } catch (cause) {
    await close();
    const code = (cause as NodeJS.ErrnoException).code;
    const where = options.host === '' ? '' : ` of ${options.host}`;
    if (code === 'EADDRINUSE') throw new PhoneError('PORT_IN_USE', `The page cannot use TCP port ${options.port}${where}: another program does. Change web.port.`, cause);
    if (code === 'EACCES') throw new PhoneError('PORT_IN_USE', `The page may not use TCP port ${options.port}${where}. Change web.port to one above 1023.`, cause);
    if (code === 'EADDRNOTAVAIL') throw new PhoneError('ADDRESS_NOT_LOCAL', `The page cannot listen on ${options.host}: no address of this machine. Change web.host.`, cause);
    throw cause;
  }
  const bound = app.server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : options.port;
  const shown = options.host === '' ? 'localhost' : options.host.includes(':') ? `[${options.host}]` : options.host;
  return { address: `http://${shown}:${port}`, port, close };
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host: host === '' ? '::' : host, port }); // both families where there are both
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (host !== '' || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) throw error;
    await app.listen({ host: '0.0.0.0', port });
  }
}

/** The server without a socket: for listening, or for requests handed over by a test. */
export async function buildPage(ports: PagePorts, options: PageOptions, doors: PageDoors): Promise<{ readonly app: FastifyInstance; close(): Promise<void> }> {
  const { clock, random, log } = ports;
  const { phone, store, bench, exchange } = doors;
  const password = pagePassword(ports, options.stateDir);
  const open = sessions(clock);
  const state = (): StateView => ({ phone: phone.status(), bench: bench?.state ?? null, exchange: exchange?.status() ?? null, recording: store.settings.recording.mode, problems: store.problems, revision: store.revision });
  const events = liveEvents(clock, state);
  open.onEnd((id) => events.endSession(id));

  const app = fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true, requestTimeout: 30_000, return503OnClosing: false });
  app.server.maxConnections = MAX_CONNECTIONS;

  app.setErrorHandler((error: { readonly statusCode?: number; readonly code?: string; readonly message: string }, request, reply) => {
    if (error instanceof PhoneError) return reply.code(error.code === 'PAGE_BUSY' ? 503 : 500).send({ error: error.message, code: error.code });
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.code(status).send({ error: error.message });
    log.error({ path: request.routeOptions.url, why: error.message }, 'page request failed');
    return reply.code(500).send({ error: 'Something went wrong inside the phone; its log says more.' });
  });
  app.setNotFoundHandler((_, reply) => reply.code(404).send({ error: 'There is nothing here.' }));

  app.addHook('onRequest', async (request, reply) => {
    const name = store.settings.phone.name.toLowerCase();
    const names = [name, asHostName(name), ...(options.names ?? []).map((n) => n.toLowerCase())];
    if (!isOurHost(request.headers.host, names)) {
      return reply.code(421).send({ error: `This phone is not called ${String(request.headers.host).slice(0, 80)}. Use its address, ${asHostName(name) || 'its name'} or a name ending in .local.` });
    }
  });
  // Relaxed where HTTP inside a house needs it: no HSTS and no upgrade to https, which the phone does not speak.
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'", 'data:'], mediaSrc: ["'self'"], connectSrc: ["'self'"],
        formAction: ["'self'"], frameAncestors: ["'none'"], baseUri: ["'none'"],
      },
    },
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
  });
  // Browsers do not tell ports apart in cookies: phones on one machine need names of their own.
  const mine = createHash('sha256').update(options.stateDir).digest('hex').slice(0, 8);
  const secret = Buffer.from(random.bytes(48)).toString('base64');
  await app.register(cookie, { secret });
  await app.register(session, {
    secret, store: open, cookieName: `offhook-${mine}`, saveUninitialized: false, rolling: true,
    cookie: { path: '/', httpOnly: true, sameSite: 'strict', secure: false, maxAge: IDLE_MS },
  });
  await app.register(csrf, {
    cookieKey: `offhook-csrf-${mine}`,
    cookieOpts: { path: '/', httpOnly: true, sameSite: 'strict', signed: true },
    csrfOpts: { hmacKey: secret },
    getToken: (request) => String(request.headers['x-csrf-token'] ?? ''),
    getUserInfo: csrfUser,
  });
  await app.register(rateLimit, {
    max: REQUESTS_A_MINUTE, timeWindow: 60_000, cache: 1_000,
    errorResponseBuilder: (_, { ttl }) => Object.assign(new Error(`Too many tries. Wait ${Math.max(1, Math.ceil(ttl / 1_000))} seconds.`), { statusCode: 429 }),
  });

  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    if (request.routeOptions.config.anyone === true || request.is404 || isOpen(request)) return;
    if (await password.isSet()) return reply.code(401).send({ error: 'Log in first.' });
    return reply.code(403).send({ error: 'Set the password of this page first.' });
  });
  app.addHook('preHandler', (request, reply, done) => {
    if (request.method === 'GET' || request.method === 'HEAD' || request.is404) return done();
    if (!isOurPage(request.headers)) return void reply.code(403).send({ error: 'This change came from another site.' });
    app.csrfProtection(request, reply, done);
  });

  routes(app, { log, doors, options, password, open, events, state });
  const unsubscribe = [
    phone.subscribe((event) => {
      events.life(event);
      events.changed();
    }),
    store.subscribe(() => events.changed()),
    ...(exchange === undefined ? [] : [exchange.subscribe(() => events.changed())]),
  ];
  bench?.subscribe((now) => events.bench(now));

  await app.ready();
  return {
    app,
    async close() {
      for (const end of unsubscribe) end();
      events.close();
      await app.close();
    },
  };
}
