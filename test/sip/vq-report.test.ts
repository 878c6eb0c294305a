import { expect, test } from 'vitest';
import { vqSessionReport, type VqMetrics, type VqReport } from '../../src/sip/vq-report.ts';

const metrics: VqMetrics = {
  startMs: Date.UTC(2026, 9, 10, 18, 23, 43, 250), stopMs: Date.UTC(2026, 9, 10, 18, 26, 2),
  session: { payloadType: 8, codec: 'PCMA', sampleHz: 8_000, packetMs: 20, silenceSuppression: false }, concealment: 2,
  jitterBuffer: { adaptive: 3, rate: 2, nominalMs: 40.4, maximumMs: 80, absoluteMs: 300 }, lossPercent: 5.04, discardPercent: 2, burst: { lossPercent: 50, ms: 60, gapLossPercent: 0.24, gapMs: 5_000.6, gmin: 16 },
  delay: { roundTripMs: 200, endSystemMs: 140, oneWayMs: 240, jitterMs: 2.4 }, signal: { levelDb: -21, noiseDb: -50, echoDb: 55 },
  estimate: { rLq: 90, rCq: 85.4, mosLq: 4.24, mosCq: 4.16, algorithm: 'G.107' },
};
const report: VqReport = {
  callId: '6dg37f1890463@192.0.2.1', localId: '"Alice" <sip:alice@example.org>', remoteId: '<sip:bill@example.net>', origId: '"Alice" <sip:alice@example.org>',
  local: { host: '192.0.2.1', port: 5_000, ssrc: 0x1a3b_5c7d }, remote: { host: '192.0.2.9', port: 5_002, ssrc: 0x68ab }, localMetrics: metrics,
};

test('a session report has the lines of RFC 6035 §4.6, in their order', () => {
  expect(vqSessionReport({ ...report, tags: { local: '9123dh311', remote: '8472761' } }).split('\r\n')).toEqual([
    'VQSessionReport: CallTerm',
    'CallID: 6dg37f1890463@192.0.2.1',
    'LocalID: "Alice" <sip:alice@example.org>',
    'RemoteID: <sip:bill@example.net>',
    'OrigID: "Alice" <sip:alice@example.org>',
    'LocalAddr: IP=192.0.2.1 PORT=5000 SSRC=0x1a3b5c7d',
    'RemoteAddr: IP=192.0.2.9 PORT=5002 SSRC=0x000068ab',
    'LocalMetrics:',
    'Timestamps: START=2026-10-10T18:23:43Z STOP=2026-10-10T18:26:02Z',
    'SessionDesc: PT=8 PD=PCMA SR=8000 FD=20 FPP=1 PPS=50 PLC=2 SSUP=off',
    'JitterBuffer: JBA=3 JBR=2 JBN=40 JBM=80 JBX=300',
    'PacketLoss: NLR=5.0 JDR=2.0',
    'BurstGapLoss: BLD=50.0 BD=60 GLD=0.2 GD=5001 GMIN=16',
    'Delay: RTD=200 ESD=140 SOWD=240 IAJ=2',
    'Signal: SL=-21 NL=-50 RERL=55',
    'QualityEst: RLQ=90 RCQ=85 MOSLQ=4.2 MOSCQ=4.2 QoEEstAlg=G.107',
    'DialogID: 6dg37f1890463@192.0.2.1;to-tag=8472761;from-tag=9123dh311',
    '',
  ]);
});

test('the other side\'s figures follow under RemoteMetrics, where there are some (RFC 6035 §4.6.1)', () => {
  const { session: _, ...there } = metrics;
  const lines = vqSessionReport({ ...report, remoteMetrics: there }).split('\r\n'), at = lines.indexOf('RemoteMetrics:');
  expect(at).toBeGreaterThan(lines.indexOf('LocalMetrics:'));
  expect(lines.slice(at + 1, at + 4)).toEqual(['Timestamps: START=2026-10-10T18:23:43Z STOP=2026-10-10T18:26:02Z', 'JitterBuffer: JBA=3 JBR=2 JBN=40 JBM=80 JBX=300', 'PacketLoss: NLR=5.0 JDR=2.0']);
  expect(vqSessionReport(report)).not.toContain('RemoteMetrics');
});

test('what is not known is left out, a line of which nothing is known as well', () => {
  const text = vqSessionReport({ ...report, localMetrics: { ...metrics, signal: { levelDb: undefined }, delay: { endSystemMs: 60, roundTripMs: undefined }, estimate: { mosLq: 4.4 } } });
  expect(text).not.toMatch(/Signal|undefined|NaN|RTD|RLQ|DialogID/);
  expect(text).toContain('\r\nDelay: ESD=60\r\n');
  expect(text).toContain('\r\nQualityEst: MOSLQ=4.4\r\n');
});

test('IPv6 goes without brackets, and no line can be broken from outside', () => {
  const text = vqSessionReport({ ...report, local: { ...report.local, host: '[2001:db8::1]' }, remoteId: '<sip:x@y>\r\nLocalMetrics: MOSLQ=5' });
  expect(text).toContain('LocalAddr: IP=2001:db8::1 PORT=');
  expect(text.split('\r\n').filter((line) => line.startsWith('LocalMetrics'))).toEqual(['LocalMetrics:']);
});
