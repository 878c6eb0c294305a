// Lets the phone ring for `ringMs`, then answers with G.711; refuses what has none.
import { createUa, g711Answer, type Ua } from 'offhook/ua';

export async function answer(ringMs: number): Promise<{ ua: Ua; callers: string[] }> {
  const callers: string[] = [];
  const ua = await createUa({
    listen: { host: '127.0.0.1', port: 0 },
    onCall(call) {
      callers.push(call.remote.display || call.remote.uri);
      call.subscribe((event) => {
        if (event.event !== 'offer') return;
        const made = g711Answer(event.body, call.localHost, 40_002);
        if (made === undefined) return call.state === 'ringing' ? call.reject(488) : call.refuseOffer(488);
        if (call.state !== 'ringing') return call.answerOffer(made.answer); // held, or a new address
        call.progress(180);
        setTimeout(() => call.accept(made.answer), ringMs);
      });
    },
  });
  return { ua, callers };
}
