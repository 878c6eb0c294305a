/** A fault of ours that the owner of the phone can act on. `code` is stable; the message is a sentence for people. */
export class PhoneError extends Error {
  readonly code: string;
  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PhoneError';
    this.code = code;
  }
}
