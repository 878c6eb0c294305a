import type { TextStore } from '../../src/phone/call-log.ts';

/** A store in memory; `fail` makes every write fail. */
export function fakeStore(): TextStore & { readonly texts: Map<string, string>; fail: boolean } {
  const texts = new Map<string, string>();
  const write = (name: string, text: string): Promise<void> => {
    if (store.fail) return Promise.reject(new Error('disk full'));
    texts.set(name, text);
    return Promise.resolve();
  };
  const store = { texts, fail: false, read: (name: string) => Promise.resolve(texts.get(name)), write, append: (name: string, text: string) => write(name, (texts.get(name) ?? '') + text) };
  return store;
}
