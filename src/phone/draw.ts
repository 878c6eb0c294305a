// The handset's machine as a drawing, printed from its table. Not part of what the phone loads.

import { readRow, table, type HandsetState, type LineState, type Row } from './machine.ts';

export interface DrawnRow {
  readonly line: LineState;
  /** Event, with '|second' where the row is for that second call alone. */
  readonly key: string;
  readonly row: Row;
  /** The row sets the second call. */
  readonly sets: boolean;
}

/** The table row by row. */
export function drawnRows(): DrawnRow[] {
  return (Object.entries(table()) as [LineState, string][]).flatMap(([line, text]) => text.trim().split('\n').map((row) => {
    const key = row.slice(0, row.search(/ [-~]>/));
    return { line, key, row: readRow(row, { line, second: 'none' }), sets: row.includes('/') };
  }));
}

/** Text for the docs: a block for each line state, a line for each event with the next state and the actions. */
export function drawMachine(): string {
  let out = '';
  let at: LineState | undefined;
  for (const { line, key, row, sets } of drawnRows()) {
    if (line !== at) out += `${at === undefined ? '' : '\n'}${line}\n`;
    at = line;
    const to = row.to === line ? '' : ` -> ${row.to}`;
    out += `  ${key.replace('|', ' & ').padEnd(24)}${to}${sets ? ` (second: ${row.second})` : ''}${row.do.length === 0 ? '' : `: ${row.do.join(', ')}`}\n`;
  }
  return out;
}

/** The same as a Mermaid state diagram, edges of one pair of states drawn together. */
export function diagram(start: HandsetState['line'] = 'on hook'): string {
  const id = (name: string) => name.replaceAll(' ', '_');
  const edges = new Map<string, string[]>();
  for (const { line, key, row } of drawnRows()) {
    if (row.to === line) continue;
    const edge = `${id(line)} --> ${id(row.to)}`;
    edges.set(edge, [...(edges.get(edge) ?? []), key.replace('|', ' & ')]);
  }
  return `stateDiagram-v2\n  [*] --> ${id(start)}\n${[...edges].map(([edge, events]) => `  ${edge}: ${events.join(', ')}`).join('\n')}\n`;
}
