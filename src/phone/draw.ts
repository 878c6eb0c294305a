// The handset's machine as a drawing, printed from its table. Not part of what the phone loads.

import { table, type HandsetState } from './machine.ts';

/** Text for the docs: a block for each line state, a line for each event with the next state and the actions. */
export function drawMachine(): string {
  const blocks = Object.entries(table).map(([line, rows]) => {
    const lines = Object.entries(rows).map(([event, row]) => {
      const to = row.to === line ? '' : ` -> ${row.to}`;
      const second = row.second === undefined ? '' : ` (second: ${row.second})`;
      return `  ${event.replace('|', ' & ').padEnd(24)}${to}${second}${row.do.length === 0 ? '' : `: ${row.do.join(', ')}`}`;
    });
    return `${line}\n${lines.join('\n')}`;
  });
  return `${blocks.join('\n\n')}\n`;
}

/** The same as a Mermaid state diagram, edges of one pair of states drawn together. */
export function diagram(start: HandsetState['line'] = 'on hook'): string {
  const id = (name: string) => name.replaceAll(' ', '_');
  const edges = new Map<string, string[]>();
  for (const [line, rows] of Object.entries(table)) {
    for (const [event, row] of Object.entries(rows)) {
      if (row.to === line) continue;
      const key = `${id(line)} --> ${id(row.to)}`;
      edges.set(key, [...(edges.get(key) ?? []), event.replace('|', ' & ')]);
    }
  }
  return `stateDiagram-v2\n  [*] --> ${id(start)}\n${[...edges].map(([edge, events]) => `  ${edge}: ${events.join(', ')}`).join('\n')}\n`;
}
