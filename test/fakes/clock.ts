import type { Clock } from '../../src/ports/clock.ts';

interface Alarm { readonly atMs: number; readonly order: number; readonly due: () => void }

/** Time that moves only when a test says so; alarms at the same instant go off in the order they were set. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #alarms: Alarm[] = [];
  readonly #wallAtZeroMs: number;

  constructor(wallAtZeroMs = 1_700_000_000_000) {
    this.#wallAtZeroMs = wallAtZeroMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return this.#wallAtZeroMs + this.#nowMs;
  }

  after(ms: number, due: () => void): () => void {
    const alarm = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, due };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((a) => a !== alarm);
    };
  }

  /** Alarms still set; a test that ends with some has left something running. */
  get pending(): number {
    return this.#alarms.length;
  }

  /** Go forward, setting off each alarm at its instant. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      let next: Alarm | undefined;
      for (const alarm of this.#alarms) {
        if (alarm.atMs <= end && (next === undefined || alarm.atMs < next.atMs || (alarm.atMs === next.atMs && alarm.order < next.order))) next = alarm;
      }
      if (next === undefined) break;
      this.#alarms = this.#alarms.filter((a) => a !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.due();
    }
    this.#nowMs = end;
  }

  /** advance() in steps, letting promises settle between them. */
  async run(ms: number, stepMs = 10): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await settle();
      this.advance(Math.min(stepMs, left));
    }
    await settle();
  }
}

/** Let every promise that can settle do so, without any real time passing. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
