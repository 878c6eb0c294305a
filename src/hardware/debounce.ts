// When a bouncing contact is open or closed. Pure: levels and times come in, the settled level comes out.
//
//   raw    ___|‾|_|‾‾‾‾‾‾‾‾‾‾‾|_|‾‾‾|________________
//   weight 0..rises while closed, falls while open, never below 0 or above restMs
//   closed ______________|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|_________    changes where the weight reaches either end
//
// Weighing instead of waiting for an unbroken rest: a disturbance shorter than restMs never counts, and a line with a spike every few
// milliseconds still settles.

/** One contact, settling. */
export interface Settling {
  /** What the contact is held to be. */
  readonly closed: boolean;
  /** What was seen last. */
  readonly raw: boolean;
  /** Evidence for `closed`, in ms: 0 is surely open, restMs surely closed. */
  readonly weightMs: number;
  readonly atMs: number;
}

/** A contact that has been `closed` (or open) for ever. */
export const settled = (closed: boolean, restMs: number, atMs: number): Settling =>
  ({ closed, raw: closed, weightMs: closed ? restMs : 0, atMs });

/** The contact changed to `raw` at `atMs` and had not moved since the edge before. */
export function edge(contact: Settling, raw: boolean, atMs: number, restMs: number): Settling {
  return { ...weigh(contact, atMs, restMs), raw };
}

/** The contact was looked at. What happened between two looks is unknown, so only two equal ones are evidence. */
export function sample(contact: Settling, raw: boolean, atMs: number, restMs: number): Settling {
  return contact.raw === raw ? weigh(contact, atMs, restMs) : { ...contact, raw, atMs };
}

/** When the contact will change if it stays as it was seen last; undefined when it will not. */
export function changesAt(contact: Settling, restMs: number): number | undefined {
  if (contact.raw === contact.closed) return undefined;
  return contact.atMs + (contact.raw ? restMs - contact.weightMs : contact.weightMs);
}

/** True for a contact that is open and has given no sign of closing. */
export const resting = (contact: Settling): boolean => !contact.closed && !contact.raw && contact.weightMs === 0;

function weigh(contact: Settling, atMs: number, restMs: number): Settling {
  const passedMs = Math.max(0, atMs - contact.atMs);
  const weightMs = Math.min(restMs, Math.max(0, contact.weightMs + (contact.raw ? passedMs : -passedMs)));
  const closed = weightMs >= restMs ? true : weightMs <= 0 ? false : contact.closed;
  return { closed, raw: contact.raw, weightMs, atMs: contact.atMs + passedMs };
}
