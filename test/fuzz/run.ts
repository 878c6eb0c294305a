// scripts/fuzz: so many mutants through every parser. Prints the rate; stops at the first that does not hold, and leaves it as a file.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verdict } from './checks.ts';
import { Mutator, seeds } from './mutate.ts';

/** Returns the exit code. */
export function run(count: number, seed: number, tests: URL): number {
  const mutator = new Mutator(seeds(tests), seed);
  const begunMs = performance.now();
  let size = 0, saidMs = begunMs;
  for (let i = 1; i <= count; i++) {
    const bytes = mutator.next();
    size += bytes.length;
    const wrong = verdict(bytes);
    if (wrong !== undefined) {
      const file = join(mkdtempSync(join(tmpdir(), 'offhook-fuzz-')), `seed-${seed}-input-${i}.dat`);
      writeFileSync(file, bytes);
      console.error(`input ${i} of seed ${seed} (${bytes.length} bytes, kept as ${file}):\n${wrong}`);
      return 1;
    }
    const nowMs = performance.now();
    if (i === count || nowMs - saidMs > 10_000) {
      saidMs = nowMs;
      console.log(`${i} inputs, ${(size / 1e6).toFixed(0)} MB, seed ${seed}: ${(i / (nowMs - begunMs) * 1_000).toFixed(0)}/s, ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB resident`);
    }
  }
  console.log(`${count} inputs: nothing threw, nothing was slow, what we built was read again, chunks made no difference`);
  return 0;
}
