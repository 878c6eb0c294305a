// Calls somebody, offers G.711, and hangs up after `talkMs`. Sound goes by the session to wherever your RTP comes from.
import { createUa, g711Offer, g711Session } from 'offhook/ua';

export async function call(target: string, talkMs: number): Promise<string> {
  const ua = await createUa();
  const host = await ua.agent.localHostFor(target) ?? '127.0.0.1';
  const offer = g711Offer(host, 40_000);
  const { call, answered, ended } = ua.call(target, { offer, displayName: 'Example' });
  call.subscribe((e) => { if (e.event === 'progress') process.stderr.write(`${e.status} ${e.reason}\n`); });
  try {
    const session = g711Session(offer, await answered, host, 40_000);
    await new Promise((resolve) => setTimeout(resolve, talkMs));
    call.hangUp();
    return `sent ${session?.send.name} to ${session?.remote.host}:${session?.remote.port}, ${(await ended).why}`;
  } catch (error) {
    return (error as Error).message; // 'Busy Here (486)'
  } finally {
    await ua.close();
  }
}
