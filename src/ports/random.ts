/** All of chance that the rooms see. */
export interface Random {
  /** `count` unpredictable bytes, owned by the caller. */
  bytes(count: number): Uint8Array;
  /** A number in [0, 1). */
  fraction(): number;
}
