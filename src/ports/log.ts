export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * A fact in the past tense, its fields first. error: a person must act; warn: degraded; info: life events of registration and
 * calls; debug: messages. Never a password, digest, key or whole session description.
 */
export interface Log {
  error(fields: LogFields, fact: string): void;
  warn(fields: LogFields, fact: string): void;
  info(fields: LogFields, fact: string): void;
  debug(fields: LogFields, fact: string): void;
}
