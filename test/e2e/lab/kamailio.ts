// A real Kamailio on loopback: registrar with digest, proxy, record-route. Users 201 to 219, password secret-<user>. When asked also over
// TLS, WebSocket and IPv6, back to its phones over the connections they made.

import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate } from '../../fakes/certificates.ts';
import { answersUdp, freePort, start, until, type Program } from './process.ts';

export const passwordOf = (user: string) => `secret-${user}`;

/** A port with TLS; WebSocket answers there as well. */
export interface TlsPort {
  readonly host?: '127.0.0.1' | '::1';
  readonly port: number;
  readonly certificate: Certificate;
  /** Let only those in who have a certificate of this authority (PEM). */
  readonly clientsOf?: string;
}

export interface Doors {
  readonly tls?: readonly TlsPort[];
  /** UDP and TCP on ::1 as well, on the same port. */
  readonly v6?: boolean;
}

const bracketed = (host: string) => (host.includes(':') ? `[${host}]` : host);

/** Lines of the configuration for `doors`: where to listen, and modules. */
const doorLines = (port: number, doors: Doors) => `
${doors.v6 === true ? `listen=udp:[::1]:${port}\nlisten=tcp:[::1]:${port}\nalias="[::1]:${port}"` : ''}
${(doors.tls ?? []).map((door) => `listen=tls:${bracketed(door.host ?? '127.0.0.1')}:${door.port}\nalias="${bracketed(door.host ?? '127.0.0.1')}:${door.port}"\nalias="localhost:${door.port}"`).join('\n')}
${doors.tls === undefined ? '' : 'enable_tls=yes'}
alias="localhost:${port}"
tcp_accept_no_cl=yes
tcp_connection_lifetime=600
`;
const doorModules = (doors: Doors, folder: string) => `
loadmodule "nathelper.so"
loadmodule "xhttp.so"
loadmodule "websocket.so"
${doors.tls === undefined ? '' : `loadmodule "tls.so"\nmodparam("tls", "config", "${folder}/tls.cfg")`}
modparam("nathelper|registrar", "received_avp", "$avp(received)")
`;
/** What is added for phones behind connections: their Contact is replaced by the connection they speak over. */
const doorRoutes = `
onreply_route[SAME_CONNECTION] { if ($pr != "udp") { add_contact_alias(); } }
event_route[xhttp:request] {
  set_reply_close();
  set_reply_no_connect();
  if ($hdr(Upgrade) =~ "websocket" && $hdr(Connection) =~ "Upgrade" && $rm =~ "GET" && $hu == "/ws") { if (ws_handle_handshake()) { exit; } }
  xhttp_reply("404", "Not Found", "", "");
}
`;

/** The TLS module's own file: a section a port. */
function writeTls(folder: string, doors: Doors): void {
  const section = ({ host = '127.0.0.1', port, certificate, clientsOf }: TlsPort, i: number): string => {
    for (const [name, text] of [['cert', certificate.cert], ['key', certificate.key], ['clients', clientsOf ?? '']] as const) writeFileSync(join(folder, `${name}-${i}.pem`), text);
    const checks = clientsOf === undefined ? 'verify_certificate = no\nrequire_certificate = no' : `verify_certificate = yes\nrequire_certificate = yes\nca_list = ${folder}/clients-${i}.pem`;
    return `[server:${bracketed(host)}:${port}]\nmethod = TLSv1.2+\ncertificate = ${folder}/cert-${i}.pem\nprivate_key = ${folder}/key-${i}.pem\n${checks}\n`;
  };
  const [first] = doors.tls!;
  writeFileSync(join(folder, 'tls.cfg'), [
    section(first!, 99).replace(/^\[.*\]/, '[server:default]'), '[client:default]\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\n', ...doors.tls!.map(section),
  ].join('\n'));
}

/**
 * It tells of registrations (RFC 3680) and of what was published about voice messages (RFC 3842): package kamailio-presence-modules. Its presence
 * module wants a database, which is text files in `folder`.
 */
const presenceModules = (address: string, port: number, folder: string) => `
loadmodule "db_text.so"
loadmodule "presence.so"
loadmodule "presence_mwi.so"
loadmodule "presence_reginfo.so"
loadmodule "pua.so"
loadmodule "pua_reginfo.so"
modparam("presence|pua", "db_url", "text://${folder}/db")
modparam("presence", "server_address", "sip:${address}:${port}")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 2)
modparam("presence_mwi", "default_expires", 3600)
modparam("pua", "db_mode", 0)
modparam("pua_reginfo", "default_domain", "${address}")
modparam("pua_reginfo", "server_address", "sip:reginfo@${address}:${port}")
modparam("pua_reginfo", "outbound_proxy", "sip:${address}:${port}")
`;
/** PUBLISH needs no password: it is for tests, and Kamailio's own. */
const presenceRoutes = `
  if (is_method("PUBLISH")) { handle_publish(); exit; }
  if (is_method("SUBSCRIBE") && has_totag() && uri == myself) { handle_subscribe(); exit; }
`;

/** Its configuration; `folder` is where it keeps its socket for questions. `serviceRoute` gives one (RFC 3608) and refuses calls that do not use it. */
export const kamailioConfig = (address: string, port: number, algorithm: 'MD5' | 'SHA-256', folder: string, serviceRoute = false, doors?: Doors, realm = 'offhook.test', presence = false) => `
#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
tcp_children=1
socket_workers=1
disable_tcp=no
auto_aliases=no
alias="${address}:${port}"
listen=udp:${address}:${port}
listen=tcp:${address}:${port}
${doors === undefined ? '' : doorLines(port, doors)}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "xlog.so"
loadmodule "kex.so"
loadmodule "jsonrpcs.so"
${doors === undefined ? '' : doorModules(doors, folder)}
${presence ? presenceModules(address, port, folder) : ''}
modparam("jsonrpcs", "transport", 2)
modparam("jsonrpcs", "fifo_name", "${folder}/rpc.fifo")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 3600)
modparam("registrar", "min_expires", 10)
modparam("auth", "nonce_expire", 300)
modparam("auth", "qop", "auth")
modparam("auth", "algorithm", "${algorithm}")
modparam("tm", "fr_timer", 10000)
modparam("tm", "fr_inv_timer", 60000)
modparam("rr", "enable_full_lr", 1)

request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (!sanity_check("1511", "7")) { exit; }
  ${doors === undefined ? '' : 'force_rport(); if ($pr != "udp") { if (is_method("REGISTER")) { fix_nated_register(); } else { add_contact_alias(); } } if (is_method("INVITE")) { t_on_reply("SAME_CONNECTION"); }'}
  if (is_method("OPTIONS") && uri==myself && $rU==$null) { sl_send_reply("200", "Keepalive"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  ${presence ? presenceRoutes : ''}
  if (has_totag()) {
    if (loose_route()) {
      if (is_gruu()) { lookup("location"); }
      ${doors === undefined ? '' : 'if ($du == $null) { handle_ruri_alias(); }'}
      t_relay(); exit;
    }
    if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
    sl_send_reply("404", "Not here"); exit;
  }
  t_check_trans();
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("${realm}", "secret-$fU", "0")) { www_challenge("${realm}", "1"); exit; }
    ${serviceRoute ? `append_to_reply("Service-Route: <sip:${address}:${port};lr;served=yes>\r\n");` : ''}
    if (!save("location")) { sl_reply_error(); }
    exit;
  }
  if (is_method("INVITE|MESSAGE|SUBSCRIBE|OPTIONS")) {
    ${serviceRoute ? 'if (!($hdr(Route) =~ "served=yes")) { sl_send_reply("403", "Not by the Service-Route"); exit; }' : ''}
    if (is_present_hf("Route")) { loose_route(); }
    if (!pv_proxy_authenticate("${realm}", "secret-$fU", "0")) { proxy_challenge("${realm}", "1"); exit; }
    consume_credentials();
  }
  ${presence ? 'if (is_method("SUBSCRIBE") && $hdr(Event) =~ "^(message-summary|reg)") { handle_subscribe(); exit; }' : ''}
  record_route();
  if ($rU == $null) { sl_send_reply("484", "Address Incomplete"); exit; }
  if (!lookup("location")) {
    if ($rc == -2) { sl_send_reply("405", "Method Not Allowed"); } else { sl_send_reply("404", "Not Found"); }
    exit;
  }
  if (!t_relay()) { sl_reply_error(); }
  exit;
}
${doors === undefined ? '' : doorRoutes}
`;

export interface Kamailio {
  readonly port: number;
  readonly server: string;
  /** Bindings that it holds for a user now. */
  bindings(user: string): Promise<number>;
  /** All that it knows of them, as its JSON. */
  contacts(user: string): Promise<string>;
  stop(): Promise<void>;
  /** Start again on the same port, its memory gone. */
  restart(): Promise<void>;
  /** Its processes stand still, ports open: silence. */
  freeze(): void;
  thaw(): void;
}

export async function startKamailio(folder: string, options: { readonly algorithm?: 'MD5' | 'SHA-256'; readonly port?: number; readonly serviceRoute?: boolean; readonly doors?: Doors; readonly realm?: string; readonly presence?: boolean } = {}): Promise<Kamailio> {
  const port = options.port ?? await freePort();
  const home = join(folder, `kamailio-${port}`);
  mkdirSync(home, { recursive: true });
  const file = join(home, 'kamailio.cfg');
  writeFileSync(file, kamailioConfig('127.0.0.1', port, options.algorithm ?? 'MD5', home, options.serviceRoute, options.doors, options.realm, options.presence));
  if (options.presence === true) cpSync('/usr/share/kamailio/dbtext/kamailio', join(home, 'db'), { recursive: true });
  if (options.doors?.tls !== undefined) writeTls(home, options.doors);
  let program: Program | undefined;
  const launch = async () => {
    const next = start('kamailio', ['-f', file, '-DD', '-E', '-m', '64', '-M', '8', '-Y', home, '-P', join(home, 'pid'), '-n', '1'], { detached: true });
    program = next;
    const up = await until(() => answersUdp(port, optionsTo(port)), 15_000);
    if (!up) throw new Error(`kamailio does not answer on ${port}:\n${next.output().slice(-3_000)}`);
  };
  await launch();
  const signal = (name: NodeJS.Signals) => { if (program?.child.pid !== undefined) process.kill(-program.child.pid, name); };
  let frozen = false;
  return {
    port,
    server: `127.0.0.1:${port}`,
    bindings: async (user) => ((await lookUp(home, user)).match(/"Address"/g) ?? []).length,
    contacts: (user) => lookUp(home, user),
    async stop() {
      if (frozen) signal('SIGCONT'); // else it would not hear that it shall end
      await program?.stop();
    },
    freeze() {
      frozen = true;
      signal('SIGSTOP');
    },
    thaw() {
      frozen = false;
      signal('SIGCONT');
    },
    async restart() {
      await program?.stop();
      await launch();
    },
  };
}

/** An OPTIONS to the server itself. */
const optionsTo = (port: number) => (own: number): string => [
  `OPTIONS sip:127.0.0.1:${port} SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bK${own}.${Date.now()};rport`, 'Max-Forwards: 5',
  `From: <sip:probe@127.0.0.1>;tag=${own}`, `To: <sip:127.0.0.1:${port}>`, `Call-ID: ${own}.${Date.now()}@127.0.0.1`, 'CSeq: 1 OPTIONS', 'Content-Length: 0', '', '',
].join('\r\n');

async function lookUp(home: string, user: string): Promise<string> {
  const { execFile } = await import('node:child_process');
  const { writeFile, readFile, rm } = await import('node:fs/promises');
  const reply = join('/tmp', `oh-rpc-${process.pid}-${Date.now()}`);
  await new Promise<void>((resolve, reject) => execFile('mkfifo', [reply], (error) => (error === null ? resolve() : reject(error))));
  const answer = readFile(reply, 'utf8');
  await writeFile(join(home, 'rpc.fifo'), JSON.stringify({ jsonrpc: '2.0', method: 'ul.lookup', params: ['location', user], reply_name: reply.replace('/tmp/', ''), id: 1 }) + '\n');
  const text = await answer;
  await rm(reply, { force: true });
  return text;
}
