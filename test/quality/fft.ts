// A Fourier transform for measuring: in place, radix 2, with its sines kept.

const sines = new Map<number, Float64Array>();

/** cos and -sin of the first half of the circle, by turns. */
function circle(n: number): Float64Array {
  let table = sines.get(n);
  if (table === undefined) {
    table = new Float64Array(n);
    for (let k = 0; k < n / 2; k++) {
      table[2 * k] = Math.cos(2 * Math.PI * k / n);
      table[2 * k + 1] = -Math.sin(2 * Math.PI * k / n);
    }
    sines.set(n, table);
  }
  return table;
}

/** `re` and `im` are as long as each other, a power of two. The inverse, times the length, is fft(im, re). */
export function fft(re: Float64Array, im: Float64Array): void {
  const n = re.length, table = circle(n);
  for (let i = 0, j = 0; i < n; i++) {
    if (i < j) {
      const r = re[i]!, m = im[i]!;
      re[i] = re[j]!;
      im[i] = im[j]!;
      re[j] = r;
      im[j] = m;
    }
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
  }
  for (let half = 1; half < n; half <<= 1) {
    const step = n / half; // of the table, two numbers an angle
    for (let i = 0; i < n; i += 2 * half) {
      for (let k = 0, t = 0; k < half; k++, t += step) {
        const c = table[t]!, s = table[t + 1]!, a = i + k, b = a + half;
        const xr = re[b]! * c - im[b]! * s, xi = re[b]! * s + im[b]! * c;
        re[b] = re[a]! - xr;
        im[b] = im[a]! - xi;
        re[a]! += xr;
        im[a]! += xi;
      }
    }
  }
}

/** The power of two that holds `length`. */
export const powerOfTwo = (length: number): number => 2 ** Math.ceil(Math.log2(length));
