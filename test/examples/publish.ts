// Publishes presence at a server (RFC 3903), changes it, and takes it back.
import { createUa } from 'offhook/ua';

const presence = (entity: string, basic: 'open' | 'closed'): string =>
  `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${entity}"><tuple id="t"><status><basic>${basic}</basic></status></tuple></presence>`;

export async function publish(target: string): Promise<string[]> {
  const ua = await createUa(), told: string[] = [];
  await new Promise<void>((done) => {
    const publication = ua.publish({ target, event: 'presence', type: 'application/pidf+xml' }, presence(target, 'open'), (event) => {
      told.push(event.event === 'published' ? `published for ${event.expiresS} s` : `${event.event}: ${event.status} ${event.why}`);
      if (event.event === 'ended') return done();
      if (told.length === 1) publication.update(presence(target, 'closed'));
      else void publication.end();
    });
  });
  await ua.close();
  return told;
}
