// The README's table of settings, from the schema.

import { schemaRoot, type Node } from './check.ts';

const shown = (value: unknown): string =>
  value === '' ? '' : Array.isArray(value) ? value.map(shown).join(', ') : typeof value === 'object' ? '' : `\`${String(value)}\``;

const range = (node: Node): string =>
  node.enum !== undefined ? node.enum.join(', ') : node.items?.enum !== undefined ? node.items.enum.join(', ')
    : node.minimum !== undefined ? `${node.minimum} to ${node.maximum}` : node.type === 'boolean' ? 'true, false' : '';

function rows(node: Node, key: string): string[] {
  if (node.properties !== undefined) return Object.entries(node.properties).flatMap(([name, inner]) => rows(inner, key === '' ? name : `${key}.${name}`));
  if (node.items?.properties !== undefined) return rows(node.items, `${key}.0`);
  const cells = [`\`${key}\``, shown(node.default), [range(node), node.unit ?? ''].filter(Boolean).join(' '), node.description ?? '', node.applies ?? ''];
  return [`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`];
}

/** Markdown: every setting with its default, what it may be, what it does and when a change works. */
export const settingsTable = (): string => ['| setting | default | may be | what it does | a change works |', '|---|---|---|---|---|', ...rows(schemaRoot, '')].join('\n') + '\n';
