import type { MakeSoundFile } from '../../src/ports/recordings.ts';

/** A disk for recorded calls, in memory. */
export class FakeDisk {
  readonly files = new Map<string, Buffer>();
  readonly closed: string[] = [];
  syncs = 0;
  freeBytes = 1e12;
  /** Every write fails from then on. */
  refuse: Error | undefined;
  /** What writes wait for. */
  wait: Promise<void> | undefined;
  /** After each write. */
  onWrite: (path: string) => void = () => undefined;

  readonly make: MakeSoundFile = async (path) => {
    if (this.refuse !== undefined) throw this.refuse;
    this.files.set(path, Buffer.alloc(0));
    return {
      write: async (bytes, at) => {
        await this.wait;
        if (this.refuse !== undefined) throw this.refuse;
        const before = this.files.get(path)!, whole = Buffer.alloc(Math.max(before.length, at + bytes.length));
        before.copy(whole);
        whole.set(bytes, at);
        this.files.set(path, whole);
        this.onWrite(path);
      },
      sync: async () => { this.syncs++; },
      free: async () => this.freeBytes,
      close: async () => { this.closed.push(path); },
    };
  };

  /** What the header of a file says is in it: left and right; throws where it says more than there is. */
  sound(path = [...this.files.keys()].at(-1)!): { readonly rateHz: number; readonly left: number[]; readonly right: number[] } {
    const file = this.files.get(path)!, bytes = file.readUInt32LE(40);
    if (file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 16) !== 'WAVEfmt ' || file.readUInt16LE(22) !== 2 || file.readUInt16LE(34) !== 16) throw new Error('no WAV file of 16 bits in stereo');
    if (file.readUInt32LE(4) !== bytes + 36 || bytes > file.length - 44) throw new Error(`the header says ${bytes} of ${file.length - 44}`);
    const left: number[] = [], right: number[] = [];
    for (let at = 44; at < 44 + bytes; at += 4) {
      left.push(file.readInt16LE(at));
      right.push(file.readInt16LE(at + 2));
    }
    return { rateHz: file.readUInt32LE(24), left, right };
  }
}
