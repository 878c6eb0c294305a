import { defineConfig } from 'vitest/config';

// unit: seconds, no network beyond loopback, nothing installed. e2e: real peers in real time, see scripts/test; a test that failed is tried
// once more, for another program that takes the processor for a moment tears sound that is then measured. The report counts such tries.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'], pool: 'threads' } },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 120_000, retry: 1, hookTimeout: 120_000, pool: 'forks', fileParallelism: false } },
    ],
  },
});
