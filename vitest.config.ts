import { defineConfig } from 'vitest/config';

// unit: seconds, no network beyond loopback, nothing installed. e2e: real peers, see scripts/test.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'], pool: 'threads' } },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000, pool: 'forks', fileParallelism: false } },
    ],
  },
});
