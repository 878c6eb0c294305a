import type { Files } from '../../src/ports/files.ts';

/** A disk in memory. `refuse` makes every write fail from then on. */
export class FakeFiles implements Files {
  readonly contents = new Map<string, Buffer>();
  readonly modes = new Map<string, number>();
  refuse: Error | undefined;

  async read(path: string): Promise<Buffer | undefined> {
    return this.contents.get(path);
  }

  async writeAtomic(path: string, contents: string | Uint8Array, mode = 0o600): Promise<void> {
    if (this.refuse !== undefined) throw this.refuse;
    this.contents.set(path, Buffer.from(contents as Uint8Array));
    this.modes.set(path, mode);
  }

  async append(path: string, contents: string | Uint8Array): Promise<void> {
    if (this.refuse !== undefined) throw this.refuse;
    this.contents.set(path, Buffer.concat([this.contents.get(path) ?? Buffer.alloc(0), Buffer.from(contents as Uint8Array)]));
  }

  async exists(path: string): Promise<boolean> {
    return this.contents.has(path);
  }

  async list(folder: string): Promise<readonly string[]> {
    return [...this.contents.keys()].filter((p) => p.startsWith(`${folder}/`)).map((p) => p.slice(folder.length + 1)).filter((p) => !p.includes('/')).sort();
  }

  async makeFolder(): Promise<void> {}

  async remove(path: string): Promise<void> {
    this.contents.delete(path);
  }

  /** The file as text; undefined when missing. */
  text(path: string): string | undefined {
    return this.contents.get(path)?.toString();
  }
}
