// What others were measured at with PESQ on traces of the same kind (G.711 narrow band, Opus 24 kbit/s wide band): score @ median/p95 added
// delay, once, on another day. pjsua and baresip looped the sound back over RTP; NetEQ is WebRTC's. 'sketch' is a prototype of 150 lines with an
// ideal clock. baresip's own column of a real run is to be compared with 'baresip 1.0' first: it says how far the two scales are apart.

export const quoted: Readonly<Record<'PCMU' | 'opus', Readonly<Record<string, Readonly<Record<string, string>>>>>> = {
  PCMU: {
    NetEQ: { clean: '3.88 @30/31', rand3: '3.43 @15/23', rand10: '2.80 @16/26', burst3: '3.00 @20/24', jitter: '3.83 @62/64', wifigood: '3.81 @34/50', wifibusy: '3.30 @84/106', wifibad: '2.59 @149/196', spikes: '3.69 @158/170', reorder: '3.88 @80/80', step: '3.82 @40/162', mean: '3.46 @63' },
    pjsua: { clean: '3.88 @24/25', rand3: '3.51 @13/14', rand10: '2.89 @14/17', burst3: '2.97 @14/18', jitter: '3.72 @50/60', wifigood: '3.66 @24/54', wifibusy: '3.04 @64/94', wifibad: '2.38 @114/154', spikes: '2.56 @136/174', reorder: '2.98 @12/52', step: '3.84 @24/94', fast2k: '3.77 @36/44', slow2k: '3.78 @24/33', mean: '3.22 @44' },
    'baresip 1.0': { clean: '3.89 @129/129', rand3: '3.05 @150/150', rand10: '2.28 @168/188', burst3: '2.71 @129/149', jitter: '3.87 @149/150', wifigood: '3.74 @130/150', wifibusy: '3.11 @154/190', wifibad: '2.01 @208/248', spikes: '3.74 @250/250', reorder: '2.60 @244/244', step: '3.87 @188/188', fast2k: '3.87 @209/253', slow2k: '3.77 @119/127', mean: '3.17 @173' },
    sketch: { clean: '3.89 @14/14', rand3: '3.50 @14/15', rand10: '2.85 @14/16', burst3: '2.98 @14/14', jitter: '3.88 @52/54', wifigood: '3.78 @28/30', wifibusy: '3.26 @76/86', wifibad: '2.46 @130/146', spikes: '3.80 @155/156', reorder: '3.89 @74/74', step: '3.86 @104/177', fast2k: '3.83 @30/36', slow2k: '3.83 @23/29', mean: '3.47 @61' },
  },
  opus: {
    NetEQ: { clean: '4.37 @37/38', rand3: '3.43 @37/51', rand10: '2.77 @41/47', burst3: '3.11 @34/43', wifigood: '4.07 @43/65', wifibusy: '3.23 @90/114', wifibad: '2.32 @140/191', spikes: '4.01 @161/179', step: '4.14 @38/175' },
    pjsua: { clean: '3.32 @58/60', rand3: '3.26 @42/48', rand10: '3.25 @56/56', burst3: '2.77 @39/60', wifigood: '3.52 @62/82', wifibusy: '2.73 @80/140', wifibad: '1.96 @136/240', spikes: '2.66 @174/200', step: '3.49 @50/130' },
    'baresip 1.0': { clean: '3.33 @140/141', rand3: '2.94 @172/173', rand10: '2.13 @174/195', burst3: '2.40 @151/171', wifigood: '3.41 @168/175', wifibusy: '2.74 @172/203', wifibad: '1.75 @215/256', spikes: '3.28 @257/258', step: '3.49 @214/214' },
  },
};
