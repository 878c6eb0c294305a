// How digits meet a pattern of the dial plan.

/** Bits of fit(): the digits could begin a match; are one; are one that more digits could prolong. */
export const PARTIAL = 1, FULL = 2, MORE = 4;
