import type { CallLogEntry, Command, Outcome, PhoneDoor, PhoneEvent, PhoneStatus } from '../../src/phone/status.ts';

export const restingPhone: PhoneStatus = {
  name: 'Offhook', board: 'bench', hook: 'on', state: 'on hook', tone: '', dialled: '', bell: false, registrations: [], calls: [],
  lastFailure: '', lastFailureAt: 0, doNotDisturb: false, privacy: false, missed: 0, messagesWaiting: false, devices: [], listening: '192.168.1.20:5060',
};

/** A telephone that does what a test says and keeps what it was told. */
export class FakePhone implements PhoneDoor {
  now: PhoneStatus = restingPhone;
  log: CallLogEntry[] = [];
  outcome: Outcome = { ok: true };
  readonly commands: Command[] = [];
  readonly #listeners = new Set<(event: PhoneEvent) => void>();

  status(): PhoneStatus {
    return this.now;
  }

  subscribe(on: (event: PhoneEvent) => void): () => void {
    this.#listeners.add(on);
    return () => { this.#listeners.delete(on); };
  }

  async command(command: Command): Promise<Outcome> {
    this.commands.push(command);
    return this.outcome;
  }

  async callLog(): Promise<readonly CallLogEntry[]> {
    return this.log;
  }

  /** Tell everybody of `event`, and be in the state given from then on. */
  happen(event: PhoneEvent, now: Partial<PhoneStatus> = {}): void {
    this.now = { ...this.now, ...now };
    for (const on of [...this.#listeners]) on(event);
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}
