// Which pins the headers of single-board computers have, and what they are meant for.

export interface Header {
  readonly pins: readonly number[];
  /** Pins that must stay free, and what needs them. */
  readonly reserved: Readonly<Record<number, string>>;
  /** Pins that are free only when something is switched off. */
  readonly doubtful: Readonly<Record<number, string>>;
}

const spread = (pins: readonly number[], why: string): Record<number, string> => Object.fromEntries(pins.map((pin) => [pin, why]));

/** BCM numbers. */
export const headers: Readonly<Record<string, Header>> = {
  'raspberry-pi-40': {
    pins: Array.from({ length: 28 }, (_, pin) => pin),
    reserved: {
      ...spread([0, 1], 'the identity memory of HATs'),
      ...spread([2, 3], 'I2C, which sound HATs are set up through'),
      ...spread([14, 15], 'the serial console'),
      ...spread([18, 19, 20, 21], 'I2S, the sound of sound HATs'),
    },
    doubtful: {
      4: 'the 1-Wire overlay and the max98357a sound overlay want it unless they are told otherwise',
      ...spread([7, 8, 9, 10, 11], 'free only while SPI is off (no dtparam=spi=on in config.txt)'),
    },
  },
};

/** Pins to name when a fault asks for another one. */
export const freePins = (header: Header, used: ReadonlySet<number>): readonly number[] =>
  header.pins.filter((pin) => !(pin in header.reserved) && !(pin in header.doubtful) && !used.has(pin));
