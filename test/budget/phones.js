// The phones that are measured, each with the states it goes through (scenario.js has what brings it there) and its limit.

export const LIMIT_KB = 1_024;
export const SLOPE_LIMIT_BYTES = 8; // none is expected; the reading is true to 2 bytes

export const phones = [
  {
    name: 'without handset', handset: false, limitKb: LIMIT_KB,
    phases: [
      'loaded', 'registered', 'at rest', 'ringing', 'one G.711 call with media', 'two calls', 'after 100 calls', 'after 1,000 calls',
      'after 1,000 malformed messages',
    ],
  },
  {
    name: 'with handset', handset: true, limitKb: LIMIT_KB,
    phases: [
      'loaded', 'registered', 'at rest', 'ringing', 'lifted, a call with media', 'hung up', 'dialled, a call of ours with media', 'two calls',
      'after 10 calls of ours',
    ],
  },
  {
    // Not of the core, but loaded with each first call: concealment, stretching, how a call sounds (dist/media-extras.cjs). Without a limit, so that it is seen.
    name: 'with what calls load beside the core', handset: false, extras: true, runs: 1,
    phases: ['loaded', 'registered', 'at rest', 'ringing', 'one G.711 call with media', 'two calls', 'after 100 calls'],
  },
];
