import { expect, test } from 'vitest';
import { opusComplexityFor } from '../../src/main/board-class.ts';

const cores = (...parts: string[]) => parts.map((part, i) => `processor\t: ${i}\nBogoMIPS\t: 38.40\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: ${part}\nCPU revision\t: 4\n`).join('\n');

test.each([
  ['Pi Zero W', 'arm', cores('0xb76'), 5], ['Pi 2', 'arm', cores('0xc07', '0xc07', '0xc07', '0xc07'), 5], ['Pi Zero 2 W and Pi 3', 'arm64', cores('0xd03', '0xd03', '0xd03', '0xd03'), 5],
  ['Pi 3 with a 32-bit system', 'arm', cores('0xd03', '0xd03'), 5], ['Pi 4', 'arm64', cores('0xd08', '0xd08'), 8], ['Pi 5', 'arm64', cores('0xd0b', '0xd0b'), 8],
  ['a board of four small cores and two big ones', 'arm64', cores('0xd03', '0xd03', '0xd03', '0xd03', '0xd09', '0xd09'), 8],
  ['a PC', 'x64', 'processor\t: 0\nvendor_id\t: GenuineIntel\n', 8], ['nobody knows what', 'riscv64', 'processor\t: 0\nisa\t: rv64imafdc\n', 5], ['no cpuinfo at all', 'arm64', '', 5],
])('%s (%s)', (_, arch, cpuinfo, complexity) => {
  expect(opusComplexityFor(cpuinfo, arch)).toBe(complexity);
});
