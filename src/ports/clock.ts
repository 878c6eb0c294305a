/** All of time that the rooms see. */
export interface Clock {
  /** Monotonic milliseconds; the zero is arbitrary. */
  now(): number;
  /** Milliseconds since 1970-01-01 UTC; may jump. */
  wall(): number;
  /** Call `due` once in `ms`, in 24 days if that is more; returns the function that takes it back (harmless when already due). */
  after(ms: number, due: () => void): () => void;
}
