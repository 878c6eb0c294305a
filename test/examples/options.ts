// Asks whether somebody is there, and what it can.
import { createUa, texts } from 'offhook/ua';

export async function options(target: string): Promise<string> {
  const ua = await createUa();
  const { status, reason, response } = await ua.request({ method: 'OPTIONS', target });
  await ua.close();
  return response === undefined ? `nobody there (${status})` : `${status} ${reason}, takes ${texts(response, 'allow').slice(0, 3).join(' ')}`;
}
