// Watches the calls of another (RFC 4235), as the lamp of a busy-lamp key does.
import { createUa, readDialogInfo } from 'offhook/ua';

export async function subscribe(target: string, onLamp: (lit: string) => void): Promise<() => Promise<void>> {
  const ua = await createUa();
  const subscription = ua.subscribe({ target, event: 'dialog', accept: 'application/dialog-info+xml', expiresS: 600 }, (event) => {
    switch (event.event) {
      case 'notified': {
        const calls = readDialogInfo(event.body.toString())?.dialogs ?? [];
        return onLamp(calls.some((c) => c.state === 'confirmed') ? 'busy' : calls.some((c) => c.state === 'early') ? 'ringing' : 'free');
      }
      case 'waiting': return onLamp(`unknown, asked again in ${event.retryMs} ms`);
      case 'ended': return onLamp(`off: ${event.status} ${event.why}`);
    }
  });
  return async () => {
    await subscription.end();
    await ua.close();
  };
}
