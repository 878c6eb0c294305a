// How much work a board can do for the sound, told by its processor cores. Pure: /proc/cpuinfo comes as text.

/** Complexity of Opus where the setting leaves it to us. At 16 kHz 8 sounds as 10 does, for twice the work of 5. */
const COMPLEXITY = { slow: 5, fast: 8 } as const;

/** ARM's part numbers (MIDR) of cores that do one thing after the other: ARM1176, Cortex-A5 to A9, A53, A35, A55. */
const SLOW_CORES = new Set([0xb76, 0xc05, 0xc07, 0xc08, 0xc09, 0xd03, 0xd04, 0xd05]);

/**
 * Opus complexity for a machine with this /proc/cpuinfo and Node's name of its processor family: a Pi Zero 2 W and a Pi 3 (Cortex-A53) are
 * slow, a Pi 4 (A72), a Pi 5 (A76) and a PC are fast. What cannot be told is slow.
 */
export function opusComplexityFor(cpuinfo: string, arch: string): number {
  if (arch === 'x64') return COMPLEXITY.fast;
  const parts = [...cpuinfo.matchAll(/^CPU part\s*:\s*(0x[0-9a-f]{1,4})/gim)].map((match) => Number(match[1]));
  return parts.length > 0 && parts.some((part) => !SLOW_CORES.has(part)) ? COMPLEXITY.fast : COMPLEXITY.slow; // big.LITTLE: the kernel puts work that lasts on a big one
}
