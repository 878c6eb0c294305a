// The curly cord of the drawn telephone: a helix seen from the side, wound along a hanging curve. Pure.

type Point = readonly [x: number, y: number];

/** SVG path of a cord from `from` to `to`, hanging through the two control points, with `turns` coils. */
export function cord(from: Point, by: Point, past: Point, to: Point, turns: number, radius: number): string {
  const bezier = (t: number, i: 0 | 1) => (1 - t) ** 3 * from[i] + 3 * (1 - t) ** 2 * t * by[i] + 3 * (1 - t) * t ** 2 * past[i] + t ** 3 * to[i];
  const steps = turns * 12;
  let path = '';
  for (let step = 0; step <= steps; step++) {
    const t = step / steps;
    const x = bezier(t, 0), y = bezier(t, 1);
    const dx = bezier(Math.min(1, t + 0.01), 0) - bezier(Math.max(0, t - 0.01), 0), dy = bezier(Math.min(1, t + 0.01), 1) - bezier(Math.max(0, t - 0.01), 1);
    const length = Math.hypot(dx, dy) || 1;
    const wide = radius * Math.min(1, t / 0.1, (1 - t) / 0.1); // straight at both ends
    const angle = 2 * Math.PI * turns * t;
    const across = wide * Math.sin(angle), along = wide * 1.15 * Math.cos(angle);
    path += `${step === 0 ? 'M' : 'L'}${(x + (across * -dy + along * dx) / length).toFixed(1)} ${(y + (across * dx + along * dy) / length).toFixed(1)}`;
  }
  return path;
}
