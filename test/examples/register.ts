// Registers at a server, stays for a moment, and leaves.
import { createUa } from 'offhook/ua';

export async function register(server: string, user: string, password: string): Promise<string> {
  const ua = await createUa();
  try {
    const account = await ua.register({ server, user, password });
    const now = account.registration;
    return now.state === 'registered' ? `registered at ${now.server}` : now.state;
  } catch (error) {
    return (error as Error).message; // '201 is not registered at 127.0.0.1:5060: wrong password (...)'
  } finally {
    await ua.close(); // un-registers
  }
}
