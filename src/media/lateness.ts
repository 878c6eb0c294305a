// How late packets come, and how much delay that is worth. Every packet's lateness against the fastest one of the last seconds goes into a
// histogram that forgets, and of all delays the cheapest is wanted: one ms costs one, a packet that would come too late costs DEAR. So
// a link that stalls again and again gets the delay that rides its stalls out, one that did so once soon gets none, and what comes
// out of order weighs as much as what comes late. Instants are of the playing clock; sound and packets are not known here.

const BUCKET_MS = 5;
const BUCKETS = 200;
/** Weight of a packet: all packets of the last 20 s count for about as much as those before. */
const FORGET = 0.001;
/** What a late packet costs in ms of delay: one in a hundred is worth 75 ms, so that stalls of 150 ms are ridden out when they come every 5 s. */
const DEAR = 7500;
/** The fastest packet is sought over this long, twice. */
const WINDOW_MS = 2000;

export class Lateness {
  /** The delay wanted, beyond the fastest packet. */
  wantedMs = 0;
  readonly #shares = new Float32Array(BUCKETS);
  #counted = 0;
  /** The least transit time of this window and of the one before. */
  #least = Infinity;
  #leastBefore = Infinity;
  #windowEnds = 0;

  /** Transit time of the fastest packet. */
  get leastMs(): number {
    return Math.min(this.#least, this.#leastBefore);
  }

  /** Start over with the first packet. */
  begin(transitMs: number, nowMs: number): void {
    this.#shares.fill(0);
    this.#counted = this.wantedMs = 0;
    this.#least = transitMs;
    this.#leastBefore = Infinity;
    this.#windowEnds = nowMs + WINDOW_MS;
  }

  /** Transit times are counted from elsewhere: all are so much longer. */
  move(ms: number): void {
    this.#least += ms;
    this.#leastBefore += ms;
  }

  /** A packet came; true when a window of time ended with it. */
  learn(transitMs: number, nowMs: number): boolean {
    const shares = this.#shares, ended = nowMs >= this.#windowEnds;
    if (ended) {
      const before = this.leastMs;
      this.#leastBefore = this.#least;
      this.#least = transitMs;
      this.#windowEnds = nowMs + WINDOW_MS;
      const risen = Math.round((this.leastMs - before) / BUCKET_MS);
      if (risen > 0) this.#lower(Math.min(risen, BUCKETS - 1));
    }
    if (transitMs < this.#least) this.#least = transitMs;
    const bucket = Math.min(BUCKETS - 1, Math.ceil((transitMs - this.leastMs) / BUCKET_MS - 0.01));
    const share = Math.max(FORGET, 1 / ++this.#counted);
    let later = 1, least = Infinity;
    for (let i = 0; i < BUCKETS; i++) {
      shares[i]! *= 1 - share;
      if (i === bucket) shares[i]! += share;
      later -= shares[i]!;
      const cost = i * BUCKET_MS + DEAR * later;
      if (cost >= least) continue;
      least = cost;
      this.wantedMs = i * BUCKET_MS;
    }
    return ended;
  }

  /** The fastest packets take longer now: all those before were that much less late. */
  #lower(buckets: number): void {
    const shares = this.#shares;
    for (let i = 1; i <= buckets; i++) shares[0]! += shares[i]!;
    shares.copyWithin(1, buckets + 1);
    shares.fill(0, BUCKETS - buckets);
  }
}
