// The phone as a service of a whole Debian: installed by scripts/install, started at boot with nobody logged in, registered at a
// Kamailio at the other end of a cable, and back by itself whatever is done to it.
//
// Debian's root, its systemd, Kamailio and the cable are real; this machine's Node.js and node_modules are copied into it, so that
// nothing is fetched from a network.
//
//   root under systemd-nspawn: offhook.service  phone0 10.77.0.2 ===veth=== pbx0 10.77.0.1  exchange.service (Kamailio)
//                                                                          `- network namespace 'exchange'

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kamailioConfig } from './lab/kamailio.ts';
import { boot, makeRoot, type Machine } from './lab/nspawn.ts';
import { scratch, until } from './lab/process.ts';

const here = resolve(import.meta.dirname, '../..');
const unit = join(here, 'systemd/offhook.service');
const folder = scratch('svc');
const root = join(folder.path, 'root');
const into = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

const CABLE = `[Unit]
Description=Cable between the phone and the exchange
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'ip netns add exchange; ip link add phone0 type veth peer name pbx0 netns exchange; ip addr add 10.77.0.2/24 dev phone0; ip -n exchange addr add 10.77.0.1/24 dev pbx0; ip -n exchange link set lo up; ip -n exchange link set pbx0 up; ip link set phone0 up; ip route add default via 10.77.0.1'
[Install]
WantedBy=multi-user.target
`;
const EXCHANGE = `[Unit]
Description=Kamailio
Requires=cable.service
After=cable.service
[Service]
NetworkNamespacePath=/run/netns/exchange
RuntimeDirectory=exchange
ExecStart=/usr/sbin/kamailio -f /etc/exchange.cfg -DD -E -m 32 -M 4 -Y /run/exchange -P /run/exchange/pid -n 1
[Install]
WantedBy=multi-user.target
`;

/**
 * Blocks one thread of the phone for ever, by Node's own debugger: SIGUSR1 opens its inspector, on loopback, and only for who may
 * signal the process; so the phone needs no switch for it that a stranger could find. The media thread is reached through the main one.
 */
const BLOCK = `
const [pid, thread] = process.argv.slice(2);
process.kill(Number(pid), 'SIGUSR1');
let target;
while (target === undefined) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  target = await fetch('http://127.0.0.1:9229/json/list').then((r) => r.json()).then((all) => all[0]).catch(() => undefined);
}
const socket = new WebSocket(target.webSocketDebuggerUrl);
const say = (method, params) => socket.send(JSON.stringify({ id: 1, method, params }));
const forEver = { expression: 'for (;;);' };
socket.onopen = () => {
  if (thread === 'main') say('Runtime.evaluate', forEver);
  else say('NodeWorker.enable', { waitForDebuggerOnStart: false });
};
socket.onmessage = ({ data }) => {
  const { method, params } = JSON.parse(data);
  if (method === 'NodeWorker.attachedToWorker') say('NodeWorker.sendMessageToWorker', { sessionId: params.sessionId, message: JSON.stringify({ id: 2, method: 'Runtime.evaluate', params: forEver }) });
};
socket.onclose = () => process.exit(0); // the phone is gone
`;

let machine: Machine;
const property = async (name: string) => (await machine.must(`systemctl show --value -p ${name} offhook`)).trim();
const journal = (rest = '') => machine.must(`journalctl -u offhook --no-pager -q ${rest}`);
/** Lines in the journal so far; what came since such a mark, as people read it. (--after-cursor of systemd 252 loses a line under -u.) */
const mark = async () => (await journal('-o cat')).split('\n').length;
const since = async (lines: number) => (await journal('-o cat')).split('\n').slice(lines - 1).join('\n');
/** The CSeq by which Kamailio's binding of 211 was made; 0 when it has none. */
const boundBy = async () => {
  const ask = JSON.stringify({ jsonrpc: '2.0', method: 'ul.lookup', params: ['location', '211'], reply_name: 'reply', id: 1 });
  const { out } = await machine.run(`rm -f /tmp/reply; mkfifo /tmp/reply && echo '${ask}' > /run/exchange/rpc.fifo && timeout 2 cat /tmp/reply`);
  return Number(/"CSeq":\s*(\d+)/.exec(out)?.[1] ?? 0);
};
const bound = async () => await boundBy() > 0;
/** Whether this kernel and its keeper let anybody inside have real-time priority; a container's often do not. */
const realTimeHere = async () => (await machine.run('prlimit --rtprio=15:15 chrt -f 15 true')).code === 0;
/** Seconds until the journal has said it after the mark. */
const saidAfter = async (from: number, words: RegExp, withinMs: number) => {
  const start = Date.now();
  if (!await until(async () => words.test(await since(from)), withinMs, 100)) throw new Error(`not said within ${withinMs} ms: ${String(words)}\n${await journal('-n 40')}`);
  return (Date.now() - start) / 1_000;
};

afterAll(async () => {
  await machine?.stop();
  folder.remove();
});

describe('the unit', () => {
  test('systemd-analyze has nothing against it', () => {
    const copy = join(folder.path, 'offhook.service');
    writeFileSync(copy, readFileSync(unit, 'utf8').replace('/opt/offhook/bin/node', process.execPath));
    expect(execFileSync('systemd-analyze', ['verify', copy], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })).toBe('');
  });

  test('its exposure is at most 2.5 of 10', () => {
    const said = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit], { encoding: 'utf8' });
    const exposure = Number(/Overall exposure level for offhook.service: ([\d.]+)/.exec(said)?.[1]);
    console.log(`exposure ${exposure}`);
    expect(exposure).toBeLessThanOrEqual(2.5);
  });
});

describe('under a real systemd', () => {
  beforeAll(async () => {
    await makeRoot(root);
    for (const path of execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: here, encoding: 'utf8' }).split('\0').filter((p) => p !== '' && existsSync(join(here, p)))) {
      cpSync(join(here, path), join(root, 'srv/offhook', path), { preserveTimestamps: true });
    }
    cpSync(join(here, 'node_modules'), join(root, 'srv/offhook/node_modules'), { recursive: true, verbatimSymlinks: true });
    cpSync(process.execPath, join(root, 'usr/local/bin/node'));
    chmodSync(join(root, 'usr/local/bin/node'), 0o755);
    into('etc/systemd/system/cable.service', CABLE);
    into('etc/systemd/system/exchange.service', EXCHANGE);
    into('etc/exchange.cfg', kamailioConfig('10.77.0.1', 5060, 'MD5', '/run/exchange'));
    into('srv/block.mjs', BLOCK);
    rmSync(join(root, 'etc/systemd/system/multi-user.target.wants/kamailio.service'), { force: true });
    symlinkSync('/dev/null', join(root, 'etc/systemd/system/kamailio.service'));
    for (const name of ['cable', 'exchange']) symlinkSync(`/etc/systemd/system/${name}.service`, join(root, `etc/systemd/system/multi-user.target.wants/${name}.service`));
    machine = await boot(root);
  }, 180_000);

  test('installed, and after a reboot registered with nobody logged in', async () => {
    await machine.must('/srv/offhook/scripts/install --set accounts.0.user=211 --set accounts.0.server=10.77.0.1 --set accounts.0.password=secret-211 --set accounts.0.expiresS=30');
    expect(await until(bound, 10_000)).toBe(true);
    await machine.stop();
    machine = await boot(root);
    expect(await until(bound, 20_000)).toBe(true);

    expect((await machine.must('loginctl list-sessions --no-legend')).trim()).toBe('');
    expect([await property('ActiveState'), await property('Type'), await property('User')]).toEqual(['active', 'notify', 'offhook']);
    const pid = await property('MainPID');
    expect((await machine.must(`ps -o user= -p ${pid}`)).trim()).toBe('offhook');
    expect((await machine.must('stat -c "%a %U" /var/lib/offhook /var/lib/offhook/settings.toml')).trim().split('\n')).toEqual(['700 offhook', '600 offhook']);
  }, 120_000);

  test('the journal has lines for people, each with its level and without secrets', async () => {
    const lines = (await journal('-b -o cat _COMM=node')).trim().split('\n');
    console.log(lines.join('\n'));
    for (const words of [/^phone started .*sip=/, /^registered account=211@10\.77\.0\.1/]) expect(lines.filter((line) => words.test(line))).toHaveLength(1);
    expect(lines.filter((line) => /^<\d>|\u001b|secret-211/.test(line))).toEqual([]);
    expect((await journal('-b -o cat -p err')).trim()).toBe('');
  });

  test('the media thread, and it alone, has real-time priority, within the limits of the kernel', async () => {
    const pid = await property('MainPID');
    await saidAfter(1, /^sound (has|runs without) real-time priority/m, 10_000);
    if (!await realTimeHere()) return expect(await since(1)).toMatch(/^sound runs without real-time priority why="this user may not: LimitRTPRIO/m);
    // class, real-time priority, thread: ps(1)
    const threads = (await machine.must(`ps -L -o cls=,rtprio=,lwp= -p ${pid}`)).trim().split('\n').map((line) => line.trim().split(/\s+/));
    expect(threads.filter(([kind]) => kind === 'FF').map(([, priority]) => priority)).toEqual(['15']);
    expect(threads.find(([, , thread]) => thread === pid)?.[0]).toBe('TS');
    expect(await machine.must(`cat /proc/${pid}/limits`)).toMatch(/Max realtime timeout +500000 +2000000/);
  });

  test('only the state folder is written to', async () => {
    expect((await machine.must('find / -xdev -user offhook -not -path "/var/lib/offhook*"')).trim()).toBe('');
  });

  test('the command talks to it, for root and for nobody else', async () => {
    expect(JSON.parse(await machine.must('offhook status'))).toMatchObject({ registrations: [{ state: 'registered' }] });
    expect((await machine.run('setpriv --reuid=65534 --clear-groups offhook status')).code).not.toBe(0);
  });

  describe('comes back by itself', () => {
    beforeAll(async () => {
      into('etc/systemd/system/offhook.service.d/short.conf', '[Service]\nWatchdogSec=4\n');
      const from = await mark();
      await machine.must('systemctl daemon-reload && systemctl restart offhook');
      await saidAfter(from, /^registered/m, 10_000);
      await saidAfter(from, /^phone started/m, 10_000);
    });

    const block = (pid: string, thread: string) => `timeout 30 node --experimental-websocket --no-warnings /srv/block.mjs ${pid} ${thread} >/dev/null 2>&1 & sleep 0.8`;
    test.each([
      ['a blocked main thread', (pid: string) => block(pid, 'main'), 'deaf', /Watchdog timeout/],
      ['a blocked media thread', (pid: string) => block(pid, 'media'), 'not deaf', /Watchdog timeout/],
      ['a stopped process', (pid: string) => `kill -STOP ${pid}`, 'deaf', /Watchdog timeout/],
      ['a killed process', (pid: string) => `kill -KILL ${pid}`, 'gone', /code=killed, status=9/],
    ])('after %s', async (what, harm, state, why) => {
      const [pid, restarts] = [await property('MainPID'), Number(await property('NRestarts'))];
      const from = await mark();
      const start = Date.now();
      await machine.must(harm(pid));
      if (state !== 'gone') expect((await machine.run('timeout 1 offhook status >/dev/null')).code === 0 ? 'not deaf' : 'deaf').toBe(state);
      await saidAfter(from, /^registered/m, 25_000);
      console.log(`${what}: registered again after ${((Date.now() - start) / 1_000).toFixed(1)} s`);
      await saidAfter(from, /^phone started/m, 10_000); // from then on systemd watches it
      expect(await since(from)).toMatch(why);
      if (/media/.test(what) && await realTimeHere()) expect(await since(from)).toMatch(/^sound ran for half a second without a pause/m);
      expect(await property('MainPID')).not.toBe(pid);
      expect(Number(await property('NRestarts'))).toBe(restarts + 1);
    }, 60_000);
  });

  test.each([
    ['the cable out and in', 'ip -n exchange link set pbx0 down', 'ip -n exchange link set pbx0 up'],
    ['the interface down and up', 'ip link set phone0 down', 'ip link set phone0 up; ip route add default via 10.77.0.1'],
    ['another address', 'ip addr add 10.77.0.3/24 dev phone0', 'ip addr del 10.77.0.3/24 dev phone0'],
  ])('the network changes: %s, and it registers at once', async (_, before, after) => {
    for (const line of [before, after]) {
      const [from, last] = [await mark(), await boundBy()];
      const start = Date.now();
      await machine.must(line);
      await saidAfter(from, /^network changed/m, 3_000);
      if (/down$/.test(line)) continue;
      expect(await until(async () => await boundBy() > last, 3_000)).toBe(true);
      console.log(`${line}: registered after ${((Date.now() - start) / 1_000).toFixed(1)} s`);
    }
  });

  test('the exchange is away for a while, and it registers by itself', async () => {
    const from = await mark();
    await machine.must('systemctl stop exchange');
    await saidAfter(from, /^registration failed/m, 70_000);
    await machine.must('systemctl start exchange');
    expect(await until(bound, 15_000)).toBe(true);
  }, 100_000);

  test('stopping takes less than 8 s and un-registers', async () => {
    const start = Date.now();
    await machine.must('systemctl stop offhook');
    console.log(`stopped in ${Date.now() - start} ms`);
    expect(Date.now() - start).toBeLessThan(8_000);
    expect(await property('Result')).toBe('success');
    expect(await boundBy()).toBe(0);
  });

  test('installed again it keeps its settings, and runs', async () => {
    const settings = await machine.must('cat /var/lib/offhook/settings.toml');
    await machine.must('/srv/offhook/scripts/install');
    expect(await machine.must('cat /var/lib/offhook/settings.toml')).toBe(settings);
    expect(await until(bound, 10_000)).toBe(true);
  });

  test('settings that are refused are told, and nothing is started with them', async () => {
    const settings = await machine.must('cat /var/lib/offhook/settings.toml');
    const { code, out } = await machine.run('/srv/offhook/scripts/install --set sip.port=99999');
    expect(code).not.toBe(0);
    expect(out).toMatch(/sip\.port/);
    expect(await machine.must('cat /var/lib/offhook/settings.toml')).toBe(settings);
  });

  test('uninstalled it is gone but for its settings; purged they are gone too', async () => {
    await machine.must('/srv/offhook/scripts/uninstall');
    expect(await machine.must('find /opt/offhook /usr/local/bin/offhook /etc/systemd/system -name "*offhook*" 2>/dev/null; pgrep -u offhook; true')).toBe('');
    expect([await property('LoadState'), await property('ActiveState')]).toEqual(['not-found', 'inactive']);
    expect((await machine.must('stat -c %a /var/lib/offhook/settings.toml')).trim()).toBe('600');
    await machine.must('/srv/offhook/scripts/uninstall --purge');
    expect((await machine.run('ls -d /var/lib/offhook; getent passwd offhook; getent group offhook gpio; ls /etc/udev/rules.d')).out).not.toMatch(/^(offhook|gpio|60)|^\/var/m);
  });
});
