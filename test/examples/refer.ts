// A user agent that calls whom it is asked to call (RFC 3515), and another that asks it: click to dial.
import { createUa, g711Offer } from 'offhook/ua';

export async function refer(target: string): Promise<string[]> {
  const told: string[] = [];
  const phone = await createUa({
    listen: { host: '127.0.0.1', port: 0 },
    async onRefer(referral) {
      const tell = await referral.accept();
      const { call, answered } = phone.call(referral.target, { offer: g711Offer('127.0.0.1', 40_004) });
      call.subscribe((e) => { if (e.event === 'progress') tell(e.status, e.reason); });
      answered.then(() => tell(200, 'OK'), (error: unknown) => tell(503, String(error)));
    },
  });
  const desk = await createUa();
  const { status, reason } = await desk.refer(phone.address, target, { onProgress: (progress, words) => told.push(`${progress} ${words}`) });
  told.push(`${status} ${reason}`);
  await Promise.all([desk.close(), phone.close()]);
  return told;
}
