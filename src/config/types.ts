// The settings as types alone, for rooms that must not load the schema.
export type { AccountSettings, Settings } from './schema.ts';
