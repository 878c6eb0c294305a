// Builds the exchange out of its rooms, beside a phone or alone. Loaded only where it is switched on: the sip room comes along a second
// time then, which costs the phones without an exchange nothing.

import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { defaultOf, nodeAt } from '../config/layers.ts';
import type { Store } from '../config/store.ts';
import type { AccountSettings, Settings } from '../config/types.ts';
import { createExchange } from '../exchange/exchange.ts';
import { faultsOf } from '../exchange/plan.ts';
import type { Clock } from '../ports/clock.ts';
import type { Files } from '../ports/files.ts';
import type { Log } from '../ports/log.ts';
import type { Random } from '../ports/random.ts';
import { systemNetwork } from '../system/network.ts';
import type { ExchangeDoor } from '../web/types.ts';
import { networkOptions } from './reach.ts';
import { blanked } from './trace.ts';

declare const OFFHOOK_VERSION: string;

export interface ExchangeMaking {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly store: Store;
  readonly log: Log;
  readonly state: string;
}

export interface House extends ExchangeDoor {
  /** The settings with the account of exchange.ownUser, this phone's own. */
  withOwnAccount(settings: Settings): Settings;
  networkChanged(): void;
  /** Resolves when what is known is on the disk. */
  close(): Promise<void>;
}

const KEY_BYTES = 32;

/** Starts it. Rejects with PhoneError PORT_IN_USE, PORT_FORBIDDEN or ADDRESS_NOT_LOCAL. */
export async function openExchange({ clock, random, files, store, log, state }: ExchangeMaking): Promise<House> {
  const settings = () => store.settings.exchange;
  const listeners = new Set<() => void>();
  const { host, port, tlsPort, wsPort, wssPort } = settings();
  const memory = join(state, 'exchange-phones.json');
  let written = Promise.resolve();
  const network = systemNetwork({
    ...networkOptions(() => store.settings, clock, log),
    tls: () => ({ ca: store.settings.sip.tlsCa, cert: settings().tlsCert, key: settings().tlsKey, settings: { cert: 'exchange.tlsCert', key: 'exchange.tlsKey' } }),
  });
  const exchange = createExchange({ clock, random, log, network }, {
    host, port, tlsPort, wsPort, wssPort, userAgent: `Offhook/${OFFHOOK_VERSION}`, settings, names: ownNames, key: await keyIn(files, join(state, 'exchange-key'), random),
    trace: (direction, bytes, peer, transport) => {
      if (store.settings.sip.trace) log.debug({ direction, peer: `${peer.host}:${peer.port}`, transport, message: blanked(bytes) }, 'exchange message');
    },
    memory: {
      read: async () => (await files.read(memory))?.toString('utf8'),
      write: (text) => { written = files.writeAtomic(memory, text).catch((error: unknown) => log.warn({ why: String(error) }, 'exchange memory not written')); },
    },
    onChange: () => { for (const on of listeners) on(); },
  });
  await exchange.start();
  const tellFaults = () => { for (const fault of faultsOf(settings())) log.warn({ fault }, 'exchange setting leads nowhere'); };
  tellFaults();
  const unsubscribe = store.subscribe((changed) => {
    if (!changed.some((key) => key.startsWith('exchange.'))) return;
    exchange.settingsChanged();
    tellFaults();
  });
  const listening = Number(/\d+$/.exec(exchange.status().listening)?.[0]);
  /** Where the others find us; not loopback, for what this phone says of its own address must be true for them too. */
  const address = (): string => {
    const ours = host || store.settings.sip.host || outwardAddress();
    return `${ours.includes(':') ? `[${ours}]` : ours}:${listening}`;
  };
  log.info({ sip: address(), ...Object.fromEntries(exchange.status().doors.map(({ transport, port: at }) => [transport, at])), users: settings().users.length }, 'exchange started');

  const ordinary = defaultOf(nodeAt('accounts')!.items!) as AccountSettings;
  let kept: readonly [from: Settings, server: string, with_: Settings] | undefined;
  return {
    status: () => ({ ...exchange.status(), listening: address() }),
    subscribe(on) {
      listeners.add(on);
      return () => { listeners.delete(on); };
    },
    withOwnAccount(now) {
      const own = now.exchange.users.find((u) => u.user === now.exchange.ownUser);
      if (own === undefined) return now;
      const server = address();
      if (kept?.[0] === now && kept[1] === server) return kept[2];
      const account: AccountSettings = { ...ordinary, id: 'exchange', user: own.user, server, password: own.password, displayName: own.displayName };
      kept = [now, server, { ...now, accounts: [...now.accounts, account] }];
      return kept[2];
    },
    networkChanged: () => exchange.networkChanged(),
    async close() {
      unsubscribe();
      exchange.close();
      await written;
    },
  };
}

/** The same key after a restart: dialogs that went through us before still do. A folder that cannot be written makes a key for this run. */
async function keyIn(files: Files, path: string, random: Random): Promise<Uint8Array> {
  const kept = await files.read(path);
  if (kept?.length === KEY_BYTES) return kept;
  const key = random.bytes(KEY_BYTES);
  await files.writeAtomic(path, key).catch(() => undefined);
  return key;
}

const interfaces = () => Object.values(networkInterfaces()).flat().filter((i) => i !== undefined);

/** What people and phones may call this machine. */
function ownNames(): string[] {
  const name = hostname().toLowerCase();
  return [name, `${name}.local`, 'localhost', ...interfaces().map((i) => i.address)];
}

/** The address that others reach; loopback when there is no other. */
function outwardAddress(): string {
  const all = interfaces().filter((i) => !i.internal);
  return (all.find((i) => i.family === 'IPv4') ?? all[0])?.address ?? '127.0.0.1';
}
