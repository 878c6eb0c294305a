// SIPp's own built-in scenario against the phone.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPhone, type Phone } from './lab/phone.ts';
import { scratch } from './lab/process.ts';
import { runSipp } from './lab/sipp.ts';

const folder = scratch('sipp');
let phone: Phone;
beforeAll(async () => {
  phone = await startPhone(folder.path, { name: 'callee', set: { 'sip.allowAddresses': '127.0.0.1', 'calls.answer': 'auto', 'sound.handset.device': 'echo' } });
});
afterAll(async () => {
  await phone?.stop();
  folder.remove();
});

test('200 calls of the built-in uac, one after another, none failed', async () => {
  const result = await runSipp(folder.path, `127.0.0.1:${phone.port}`, 'uac', ['-m', '200', '-l', '1', '-r', '200', '-d', '0'], 60);
  console.log(`SIPp uac: ${result.successful} calls in ${result.seconds.toFixed(1)} s, ${result.failed} failed`);
  expect(result).toMatchObject({ code: 0, successful: 200, failed: 0 });
});
