// Two user agents: one takes texts but not rude ones, the other sends two.
import { createUa } from 'offhook/ua';

export async function message(): Promise<string[]> {
  const heard: string[] = [];
  const bob = await createUa({
    listen: { host: '127.0.0.1', port: 0 },
    onMessage({ text, from }) {
      if (text.includes('!')) return 403;
      heard.push(`${from.user}: ${text}`);
      return undefined; // 200
    },
  });
  const alice = await createUa();
  for (const words of ['How are you?', 'Answer me!']) {
    const { status, reason } = await alice.message(bob.address, words);
    heard.push(`${status} ${reason}`);
  }
  await Promise.all([alice.close(), bob.close()]);
  return heard;
}
