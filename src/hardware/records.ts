/**
 * Cuts a stream of bytes into records of `size` bytes, however they arrive. The view given to `on` is valid during the call only.
 */
export function cutRecords(size: number, on: (record: DataView) => void): (bytes: Uint8Array) => void {
  const part = new Uint8Array(size);
  let have = 0;
  return (bytes) => {
    let at = 0;
    while (at < bytes.length) {
      if (have === 0 && bytes.length - at >= size) {
        on(new DataView(bytes.buffer, bytes.byteOffset + at, size));
        at += size;
        continue;
      }
      const take = Math.min(size - have, bytes.length - at);
      part.set(bytes.subarray(at, at + take), have);
      have += take;
      at += take;
      if (have === size) {
        have = 0;
        on(new DataView(part.buffer));
      }
    }
  };
}

/** Kernel instants on our clock: no event is seen before it happens, so the least delay ever seen is the nearest to their difference. */
export function kernelTime(now: () => number): (kernelMs: number) => number {
  let offsetMs = Infinity;
  return (kernelMs) => {
    offsetMs = Math.min(offsetMs, now() - kernelMs);
    return kernelMs + offsetMs;
  };
}
