// The GPIO character device's structures, version 2 (Linux >= 5.10, include/uapi/linux/gpio.h), as bytes in the machine's order.
//
//   line request, 592 bytes: offsets u32[64] · consumer char[32] · config {flags u64 · attribute count u32 · pad · attributes[10]
//   {id u32, pad u32, value u64, mask u64}} · line count u32 · event buffer u32 · pad · fd s32

export const ioctls = {
  chipInfo: 0x8044_b401,
  lineInfo: 0xc100_b405,
  getLine: 0xc250_b407,
  getValues: 0xc010_b40e,
  setValues: 0xc010_b40f,
} as const;

export const flags = {
  activeLow: 1 << 1, input: 1 << 2, output: 1 << 3, risingEdge: 1 << 4, fallingEdge: 1 << 5, openDrain: 1 << 6, pullUp: 1 << 8,
} as const;

const attributes = { outputValues: 2, debounce: 3 } as const;

const REQUEST = { bytes: 592, offsets: 0, consumer: 256, flags: 288, attributeCount: 296, attributes: 320, attributeBytes: 24, value: 8, mask: 16, lineCount: 560, fd: 588 } as const;
const MAX = { lines: 32, name: 31, attributes: 10 } as const;
/** ioctl structures have the byte order of the machine; every board we know is little-endian, as koffi's own are. */
const LITTLE = true;

export interface LineRequest {
  readonly offsets: readonly number[];
  readonly consumer: string;
  readonly flags: number;
  /** Of input lines: filter in the kernel, per line; 0 for none. */
  readonly debounceMs?: readonly number[];
}

/** struct gpio_v2_line_request. Outputs start clear. */
export function lineRequest(request: LineRequest): Uint8Array {
  const { offsets, debounceMs = [] } = request;
  if (offsets.length === 0 || offsets.length > MAX.lines) throw new RangeError(`1 to ${MAX.lines} lines in a request`);
  const bytes = new Uint8Array(REQUEST.bytes);
  const view = new DataView(bytes.buffer);
  offsets.forEach((offset, i) => view.setUint32(REQUEST.offsets + 4 * i, offset, LITTLE));
  bytes.set(Buffer.from(request.consumer, 'latin1').subarray(0, MAX.name), REQUEST.consumer);
  view.setBigUint64(REQUEST.flags, BigInt(request.flags), LITTLE);
  view.setUint32(REQUEST.lineCount, offsets.length, LITTLE);
  const all = (1n << BigInt(offsets.length)) - 1n;
  let count = 0;
  const attribute = (id: number, value: number, mask: bigint) => {
    const at = REQUEST.attributes + REQUEST.attributeBytes * count++;
    view.setUint32(at, id, LITTLE);
    view.setBigUint64(at + REQUEST.value, BigInt(value), LITTLE);
    view.setBigUint64(at + REQUEST.mask, mask, LITTLE);
  };
  if (request.flags & flags.output) attribute(attributes.outputValues, 0, all);
  for (const ms of new Set(debounceMs)) {
    if (ms > 0 && count < MAX.attributes) attribute(attributes.debounce, Math.round(ms * 1_000), debounceMs.reduce((mask, m, i) => m === ms ? mask | 1n << BigInt(i) : mask, 0n));
  }
  view.setUint32(REQUEST.attributeCount, count, LITTLE);
  return bytes;
}

/** The descriptor of the lines, after the request was granted. */
export const requestedFd = (request: Uint8Array): number => view(request).getInt32(REQUEST.fd, LITTLE);

/** struct gpio_v2_line_values. */
export function lineValues(bits: number, mask: number): Uint8Array {
  const bytes = new Uint8Array(16);
  view(bytes).setBigUint64(0, BigInt(bits >>> 0), LITTLE);
  view(bytes).setBigUint64(8, BigInt(mask >>> 0), LITTLE);
  return bytes;
}

export const valuesBits = (values: Uint8Array): number => Number(view(values).getBigUint64(0, LITTLE) & 0xffff_ffffn) | 0;

export const chipInfoBytes = 68;
export const chipLabel = (info: Uint8Array): string => name(info, 32);
export const chipLines = (info: Uint8Array): number => view(info).getUint32(64, LITTLE);

/** struct gpio_v2_line_info, to be filled for the line `offset`. */
export function lineInfo(offset: number): Uint8Array {
  const bytes = new Uint8Array(256);
  view(bytes).setUint32(64, offset, LITTLE);
  return bytes;
}

/** Who holds the line: '' when it is free. */
export const lineConsumer = (info: Uint8Array): string =>
  view(info).getBigUint64(72, LITTLE) & 1n ? name(info, 32) || 'the kernel' : '';

export const edgeBytes = 48;

/** struct gpio_v2_line_event. */
export const readEdge = (record: DataView): { kernelMs: number; rising: boolean; offset: number } =>
  ({ kernelMs: Number(record.getBigUint64(0, LITTLE)) / 1e6, rising: record.getUint32(8, LITTLE) === 1, offset: record.getUint32(12, LITTLE) });

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

function name(bytes: Uint8Array, at: number): string {
  const text = Buffer.from(bytes.subarray(at, at + 32)).toString('latin1');
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
