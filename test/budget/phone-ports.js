// A phone without handset on the measured core.

export function phonePorts(core, { clock, media, settings, ports }) {
  const store = { read: async () => undefined, write: async () => undefined, append: async () => undefined };
  const { tones, ringCadence, ringTone, intercomBeep, statusTones, dtmfProgram } = core;
  return [{
    clock, media, store, random: ports.random, log: ports.log, opus: false, texts: core.texts, settings: () => settings, change() {},
    hardware: { board: 'none', close() {} },
    sounds: { tones, ringCadence, ringTone, intercomBeep, statusTones, dtmfProgram },
    agent: (handlers) => core.createAgent({ clock, random: ports.random, log: ports.log, network: ports.network, resolver: ports.resolver }, { listen: { host: '127.0.0.1', port: 0 }, tcp: false, userAgent: 'Offhook', sessionS: () => 1_800 }, handlers),
  }];
}
