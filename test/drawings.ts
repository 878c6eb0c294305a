import { diagram, drawMachine } from '../src/phone/draw.ts';
import { callTable, type CallInput } from '../src/sip/session-machine.ts';
import { drawing, machines, rowsOf } from '../src/sip/tables.ts';

const titles: Readonly<Record<keyof typeof machines, string>> = {
  inviteClient: 'INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §8.4)',
  nonInviteClient: 'Non-INVITE client transaction (RFC 3261 §17.1.2)',
  inviteServer: 'INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §8.5)',
  nonInviteServer: 'Non-INVITE server transaction (RFC 3261 §17.2.2)',
};
const mermaid = (text: string) => `\`\`\`mermaid\n${text.trim()}\n\`\`\`\n`;

/** src/machines.md, made from the tables that the phone runs. */
export function drawings(): string {
  const calls = rowsOf<CallInput>(callTable).map(([phase, input, row]) => `  ${phase.replaceAll(' ', '_')} --> ${row.to.replaceAll(' ', '_')}: ${input}`);
  return [
    '# The machines, drawn from their tables',
    'Made by `scripts/drawings --write`; `test/drawings.test.ts` fails when it is stale.',
    '## The handset (`phone/machine.ts`)', mermaid(diagram()),
    'Row by row: event, next state, actions.', `\`\`\`\n${drawMachine().trim()}\n\`\`\``,
    '## A call (`sip/session-machine.ts`)', mermaid(['stateDiagram-v2', ...calls].join('\n')),
    ...Object.entries(machines).flatMap(([name, machine]) => [`## ${titles[name as keyof typeof machines]}`, mermaid(drawing(machine))]),
  ].join('\n\n').trimEnd() + '\n';
}
