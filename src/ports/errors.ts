/**
 * A fault of ours that the owner of the phone can act on. `code` is stable; the message is a sentence for people. Each bundle has its own
 * copy of this class, so `instanceof` goes by the name.
 */
export class PhoneError extends Error {
  readonly code: string;
  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PhoneError';
    this.code = code;
  }

  static override [Symbol.hasInstance](error: unknown): error is PhoneError {
    return error instanceof Error && error.name === 'PhoneError';
  }
}
