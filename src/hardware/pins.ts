// Pins as the drivers (gpiochip, onoff, simulated) offer them and as the keypad, the hook and the bell use them. Words of this room
// only: bit n of a number stands for line n of the request.

export interface InputLine {
  /** For people: 'hook', 'keypad row 1'. */
  readonly name: string;
  readonly pin: number;
  /** What the driver should filter by itself where it can; 0 for lines that are scanned. */
  readonly debounceMs: number;
}

export interface OutputLine {
  readonly name: string;
  readonly pin: number;
}

/** Lines pulled up; a line is set when something pulls it to ground. */
export interface Inputs {
  /** All lines, now. */
  read(): number;
  close(): void;
}

export interface Outputs {
  /** Set the lines of `mask` as in `bits`. */
  write(bits: number, mask: number): void;
  /** Clears all lines and gives them back. */
  close(): void;
}

/** Throws PhoneError PIN_BUSY, PIN_FORBIDDEN, PIN_UNKNOWN or GPIO_FAILED, naming the line. */
export interface Pins {
  /** `onEdge` is called after each change seen; bounce included where the driver does not filter. */
  inputs(lines: readonly InputLine[], onEdge: (line: number, set: boolean, atMs: number) => void): Inputs;
  /** drive: set is high, clear is low. sink: set pulls to ground, clear lets go. All start clear. */
  outputs(lines: readonly OutputLine[], how: 'drive' | 'sink'): Outputs;
  close(): void;
}
