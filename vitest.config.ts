import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// unit: seconds, no network beyond loopback, nothing installed. e2e: real peers in real time, see scripts/test; a test that failed is tried
// once more, for another program that takes the processor for a moment tears sound that is then measured. The report counts such tries.
const resolve = { alias: { 'offhook/ua': fileURLToPath(new URL('src/main/ua.ts', import.meta.url)) } }; // as its users import it

export default defineConfig({
  test: {
    projects: [
      { resolve, test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'], testTimeout: 20_000, pool: 'threads' } },
      { resolve, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 120_000, retry: 1, hookTimeout: 120_000, pool: 'forks', fileParallelism: false } },
    ],
  },
});
