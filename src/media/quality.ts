// How a call sounds, as numbers: bursts and gaps of loss (RFC 3611 §4.7.2), the E-model's rating and the opinion it stands for (ITU-T G.107).
// Counts and sums only; who asks, and what becomes of the answer, is not known here.

/** Received packets in a row that end a burst (RFC 3611 §4.7.2, recommended). */
export const GMIN = 16;
/** A lost packet may still come: losses are counted so many sequence numbers later. */
const PATIENCE = 64;
/** What a codec is to the E-model. */
export interface Grade {
  /** The rating with nothing wrong: 93.2 for the telephone's band (G.107 §7.7), 129 for the whole voice (G.107.1 §7). */
  readonly most: number;
  /** Equipment impairment factor: what the coding itself takes. */
  readonly ie: number;
  /** How well random loss is borne. */
  readonly bpl: number;
  /** Ratings of the whole voice by this, so that all are of 0 to 100 (G.107.1 annex A). */
  readonly per: number;
}

/** G.113 appendix I: G.711 whose losses are concealed. Nobody has published a figure for our concealment of the others; they get the same. */
const BPL_CONCEALED = 25.1;
const NARROW: Grade = { most: 93.2, ie: 0, bpl: BPL_CONCEALED, per: 1 };
/**
 * G.722 at 64 kbit/s has 13 (G.113 appendix IV), L16 codes nothing. For Opus there is no figure of the ITU's: 5 is ours, between those of AMR-WB at its
 * upper rates. Opinions of the whole voice are of a scale of their own (P.800.1): 4.3 of G.722 is no worse than 4.4 of G.711.
 */
const GRADES: Readonly<Record<string, Grade>> = {
  G722: { most: 129, ie: 13, bpl: BPL_CONCEALED, per: 1.29 }, opus: { most: 129, ie: 5, bpl: BPL_CONCEALED, per: 1.29 }, L16: { most: 129, ie: 0, bpl: BPL_CONCEALED, per: 1.29 },
};
export const gradeOf = (codec: string): Grade => GRADES[codec] ?? NARROW;

/** What the other side's sound went through: shares of packets in 0..1, lengths in ms. */
export interface LossShape {
  readonly lost: number;
  readonly discarded: number;
  readonly burstDensity: number;
  readonly gapDensity: number;
  readonly burstMs: number;
  readonly gapMs: number;
}

/** Bursts and gaps, counted as the packets come. */
export class LossCounter {
  #first = -1;
  /** The sequence number counted next, with its wraps, and the newest seen. */
  #next = 0;
  #newest = 0;
  /** 1 received, 2 discarded, 0 not seen. */
  readonly #fates = new Uint8Array(2 * PATIENCE);
  #packets = 0;
  #lost = 0;
  #discarded = 0;
  /** Since the last loss, and losses of the burst under way. */
  #good = GMIN;
  #losses = 0;
  // Steps between the states of §4.7.2's model: 1 gap, 3 loss in a burst, 2 received in a burst, 4 lone loss in a gap.
  #c11 = 0;
  #c13 = 0;
  #c14 = 0;
  #c22 = 0;
  #c23 = 0;
  #c33 = 0;

  /** A packet of 16-bit `sequence` came; `discarded` when it was of no use any more. */
  packet(sequence: number, discarded: boolean): void {
    if (this.#first < 0) this.#first = this.#next = this.#newest = sequence;
    const step = ((sequence - this.#newest) << 16) >> 16, at = this.#newest + step;
    if (Math.abs(step) > 3_000) this.restart(sequence); // the sender started over
    else if (at < this.#next) {
      if (this.#next !== this.#first || at <= this.#newest - PATIENCE) return; // counted as lost by now
      this.#first = this.#next = at; // the very first ones came out of order
    } else if (step > 0) {
      this.#newest = at;
      while (this.#newest - this.#next >= PATIENCE) this.#settle();
    }
    this.#fates[sequence % (2 * PATIENCE)] = discarded ? 2 : 1;
  }

  /** Another source, or the same anew, begins at `sequence`: nothing before it is waited for any more. */
  restart(sequence: number): void {
    this.#first = this.#next = this.#newest = sequence;
    this.#fates.fill(0);
  }

  #settle(): void {
    const slot = this.#next % (2 * PATIENCE), fate = this.#fates[slot]!;
    this.#fates[slot] = 0;
    this.#next++;
    this.#count(fate === 2, fate === 0);
  }

  #count(discarded: boolean, lost: boolean): void {
    this.#packets++;
    if (!discarded && !lost) {
      this.#good++;
      return;
    }
    if (lost) this.#lost++;
    else this.#discarded++;
    if (this.#good >= GMIN) {
      if (this.#losses === 1) this.#c14++;
      else this.#c13++;
      this.#losses = 1;
      this.#c11 += this.#good;
    } else {
      this.#losses++;
      if (this.#good === 0) this.#c33++;
      else {
        this.#c23++;
        this.#c22 += this.#good - 1;
      }
    }
    this.#good = 0;
  }

  /** Packets whose fate is settled. */
  get packets(): number {
    return this.#packets;
  }

  /** As it stands; `packetMs` is the sound in each packet. */
  shape(packetMs: number): LossShape {
    const packets = Math.max(1, this.#packets), bad = this.#lost + this.#discarded;
    if (bad === 0) return { lost: 0, discarded: 0, burstDensity: 0, gapDensity: 0, burstMs: 0, gapMs: this.#packets * packetMs };
    // The stretch since the last loss belongs to a gap, as it would if a loss came now.
    const c11 = this.#c11 + this.#good, c13 = Math.max(1, this.#c13), c31 = c13, c32 = this.#c23;
    const p32 = c32 / (c31 + c32 + this.#c33);
    const p23 = this.#c22 + this.#c23 < 1 ? 1 : 1 - this.#c22 / (this.#c22 + this.#c23);
    const gapMs = ((c11 + this.#c14 + c13) * packetMs) / c13;
    const all = c11 + this.#c14 + c13 + this.#c22 + this.#c23 + c31 + c32 + this.#c33;
    return {
      lost: this.#lost / packets, discarded: this.#discarded / packets,
      burstDensity: c32 + this.#c33 + this.#c13 < 2 ? 0 : p23 / (p23 + p32), gapDensity: c11 + this.#c14 === 0 ? 0 : this.#c14 / (c11 + this.#c14),
      burstMs: (all * packetMs) / c13 - gapMs, gapMs,
    };
  }
}

export interface Opinion {
  /** Transmission rating, 0 to 100; and with delay left out. */
  readonly r: number;
  readonly rLq: number;
  /** Mean opinion of listening (delay left out) and of conversation, 1 to 4.5. */
  readonly mosLq: number;
  readonly mosCq: number;
}

/**
 * The E-model with its defaults (G.107 §7, G.107.1 §7): `lossPercent` of packets lost or too late, `burstR` how much longer the runs of loss are than
 * chance would make them (1 is random), `delayMs` from mouth to ear. Echo is not in it.
 */
export function opinionOf(lossPercent: number, burstR: number, delayMs: number, { most, ie, bpl, per } = NARROW): Opinion {
  const x = Math.log2(Math.max(100, delayMs) / 100); // §7.4: Idd
  const idd = delayMs <= 100 ? 0 : 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
  const effective = ie + (95 - ie) * lossPercent / (lossPercent / Math.max(1, burstR) + bpl); // §7.5: Ie,eff
  const r = Math.max(0, most - idd - effective) / per, rLq = Math.max(0, most - effective) / per;
  return { r, rLq, mosLq: mosOf(rLq), mosCq: mosOf(r) };
}

/** Steps of G.107 annex B, by what loss and delay take from the best that the codec can be: as much of either is the same word with each codec. */
const WORDS = [[3.2, 'very good'], [13.2, 'good'], [23.2, 'fair'], [33.2, 'poor']] as const;
export type Word = (typeof WORDS)[number][1] | 'bad';
export const wordOf = ({ r }: Opinion, { most, ie, per }: Grade): Word => WORDS.find(([step]) => most - ie - r * per <= step)?.[1] ?? 'bad';

/** G.107 annex B. */
const mosOf = (r: number): number => (r <= 0 ? 1 : Math.min(4.5, Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)));

/** How much longer runs of loss are than in random loss of the same share (G.107 §7.5); 1 where nothing is known. */
export const burstRatio = (shape: LossShape): number => {
  const share = shape.lost + shape.discarded;
  if (share <= 0 || shape.burstDensity <= share) return 1;
  return Math.max(1, Math.min(8, (1 - share) / Math.max(0.05, 1 - shape.burstDensity)));
};
