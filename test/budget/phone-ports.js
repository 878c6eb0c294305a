// A phone on the measured core, with the handset it is given or without.

// The rows of one country, as national.ts gives them.
const ROWS = {
  ring: '2000 4000', dial: '350+440@-13', stutter: `${'350+440@-13:100 :100 '.repeat(10)}350+440@-13`, recall: `${'350+440@-13:100 :100 '.repeat(3)}350+440@-13`,
  ringback: '440+480@-19:2000 :4000', busy: '480+620@-24:500 :500', congestion: '480+620@-24:250 :250', sit: `${'985.2@-24:380 1370.6@-24:274 1776.7@-24:380 :1000 '.repeat(2).trim()}!`,
  callWaiting: '440@-13:300 :9700', confirm: '350+440@-13:100 :100 350+440@-13:100 :100 350+440@-13:300!', howler: '1400+2060+2450+2600@-9.5:100 :100', emergency: '911',
};

/** Hook, keys, bell and lamp, worked by the scenario. */
export function createHandset() {
  let onHook, onKey;
  const handset = {
    hook: { offHook: false, subscribe(on) { onHook = on; }, close() {} },
    keypad: { subscribe(on) { onKey = on; }, close() {} },
    bell: { ring() {}, stop() {}, close() {} },
    lamp: { show() {}, close() {} },
  };
  return {
    handset,
    hook(event) {
      if (event !== 'flash') handset.hook.offHook = event === 'lifted';
      onHook(event, performance.now());
    },
    press(keys) {
      for (const key of keys) for (const down of [true, false]) onKey(key, down, performance.now());
    },
  };
}

export function phonePorts(core, { clock, media, settings, ports, handset = {}, dialled }) {
  const store = { read: async () => undefined, write: async () => undefined, append: async () => undefined };
  const { nationalOf, ringTone, intercomBeep, holdTone, statusTones, dtmfProgram } = core;
  const national = nationalOf(ROWS);
  return [{
    clock, media, store, random: ports.random, log: ports.log, opus: false, texts: core.texts, settings: () => settings, change() {}, dialled,
    hardware: { board: 'none', ...handset, close() {} },
    sounds: { national: () => national, ringTone, intercomBeep, holdTone, statusTones, dtmfProgram, file: (name) => name },
    agent: (handlers) => core.createAgent({ clock, random: ports.random, log: ports.log, network: ports.network, resolver: ports.resolver }, { listen: { host: '127.0.0.1', port: 0 }, tcp: false, userAgent: 'Offhook', sessionS: () => 1_800 }, handlers),
  }];
}

/** Everything above used once, so that it is not charged to the phone. */
export async function warmPhonePorts(ports) {
  const [given] = phonePorts({ nationalOf: () => ({}) }, { clock: ports.clock(), ports, settings: {}, handset: createHandset().handset });
  const { bell, lamp } = given.hardware;
  bell.ring([]), bell.stop(), lamp.show(true), given.settings(), given.sounds.national(), given.sounds.file('');
  await Promise.all([given.store.read(), given.store.write(), given.store.append()]);
}
