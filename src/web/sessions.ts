// Who is logged in, in memory: a few browsers, the one longest unused goes first.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../ports/clock.ts';

declare module 'fastify' {
  interface Session { open?: boolean }
  /** `anyone`: served without a login. */
  interface FastifyContextConfig { anyone?: boolean }
}

const MAX_SESSIONS = 32;
/** A browser that stays away this long has to log in again. */
export const IDLE_MS = 7 * 24 * 3_600_000;

interface Entry { readonly session: unknown; usedAt: number }

/** The store that @fastify/session asks for, and the end of sessions. */
export interface Sessions {
  set(id: string, session: unknown, done: (error?: unknown) => void): void;
  get(id: string, done: (error: unknown, session?: never) => void): void;
  destroy(id: string, done: (error?: unknown) => void): void;
  has(id: string): boolean;
  endAll(): void;
  /** Called with the id of each session that ends. */
  onEnd(on: (id: string) => void): void;
}

export function sessions(clock: Clock): Sessions {
  const entries = new Map<string, Entry>(); // in order of last use
  let ended: (id: string) => void = () => {};
  const end = (id: string) => { if (entries.delete(id)) ended(id); };
  const fresh = (id: string): Entry | undefined => {
    const entry = entries.get(id);
    if (entry === undefined || clock.now() - entry.usedAt < IDLE_MS) return entry;
    end(id);
    return undefined;
  };
  return {
    set(id, session, done) {
      entries.delete(id);
      entries.set(id, { session, usedAt: clock.now() });
      for (const oldest of entries.keys()) {
        if (entries.size <= MAX_SESSIONS) break;
        end(oldest);
      }
      done();
    },
    get: (id, done) => done(null, (fresh(id)?.session ?? null) as never),
    destroy(id, done) {
      end(id);
      done();
    },
    has: (id) => fresh(id) !== undefined,
    endAll: () => { for (const id of [...entries.keys()]) end(id); },
    onEnd: (on) => { ended = on; },
  };
}

export const isOpen = (request: FastifyRequest): boolean => request.session.get('open') === true;

/** A token is good for one session only, and one from before the login not after it. */
export const csrfUser = (request: FastifyRequest): string => (isOpen(request) ? request.session.sessionId : 'nobody');

export const csrfToken = (request: FastifyRequest, reply: FastifyReply): string => reply.generateCsrf({ userInfo: csrfUser(request) } as never);
