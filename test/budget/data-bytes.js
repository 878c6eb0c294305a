// What of V8's heap is data: what a leak adds to. Code is left out, and so is text that only code refers to: both come and go as
// functions are compiled and dropped.

/** Of V8's kinds of things in the heap those that code makes as it gets warm: bytecode, feedback, handlers, machine code, hidden classes, what links them. */
const NO_DATA = new Set(['code', 'object shape', 'hidden', 'synthetic', 'native']);

/** Bytes of data in a heap snapshot; `text` is what v8.writeHeapSnapshot wrote. */
export function dataOf(text) {
  const { snapshot: { meta: { node_fields: fields, node_types: [kinds], edge_fields: { length: edgeStep } } }, nodes, edges } = JSON.parse(text);
  const step = fields.length;
  const [type, size, edgeCount] = ['type', 'self_size', 'edge_count'].map((field) => fields.indexOf(field));
  const isData = kinds.map((kind) => !NO_DATA.has(kind));
  const isText = kinds.map((kind) => kind === 'string');
  const told = new Uint8Array(nodes.length / step);
  let bytes = 0;
  for (let i = 0, edge = 2; i < nodes.length; i += step) {
    const data = isData[nodes[i + type]] && !isText[nodes[i + type]];
    if (data) bytes += nodes[i + size];
    for (let end = edge + nodes[i + edgeCount] * edgeStep; edge < end; edge += edgeStep) {
      const to = edges[edge];
      if (!data || !isText[nodes[to + type]] || told[to / step] === 1) continue;
      told[to / step] = 1;
      bytes += nodes[to + size];
    }
  }
  return bytes;
}
