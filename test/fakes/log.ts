import type { Log, LogFields, LogLevel } from '../../src/ports/log.ts';

/** Keeps what was logged. */
export class FakeLog implements Log {
  readonly lines: { readonly level: LogLevel; readonly fields: LogFields; readonly fact: string }[] = [];
  error(fields: LogFields, fact: string): void { this.lines.push({ level: 'error', fields, fact }); }
  warn(fields: LogFields, fact: string): void { this.lines.push({ level: 'warn', fields, fact }); }
  info(fields: LogFields, fact: string): void { this.lines.push({ level: 'info', fields, fact }); }
  debug(fields: LogFields, fact: string): void { this.lines.push({ level: 'debug', fields, fact }); }
  facts(): string[] { return this.lines.map((l) => l.fact); }
}
