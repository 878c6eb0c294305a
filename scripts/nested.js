// Puts the modules of a bundle into functions within functions, the later ones innermost. V8 lists the names of a function's variables that inner
// functions use; from the 76th on it keeps a hash table instead, of five times the size, and the core has 500 of them: 12 kB.
//
//   module 1, 2, 3 ... (() => { module 9, 10 ... (() => { ... module.exports = { ... } })() })()

const MOST_NAMES = 75;
/** esbuild writes the path of each module above it, in the order in which they need each other. */
const MODULE = /^(?=\/\/ src\/\S+\.ts$)/m;
const PATH = /^\/\/ (src\/\S+)$/m;
const STATEMENT = /^(var|let|const|class|(?:async )?function)\b/;

/** How many names a module's text has at its top level, where every statement begins a line, and no other line does so. */
function namesIn(text) {
  let names = 0;
  for (const line of text.split(/^(?=\w)/m)) {
    const kind = STATEMENT.exec(line)?.[1];
    if (kind === undefined) continue;
    names++;
    let depth = 0; // brackets in strings may lead it astray, and then a function has a few names less or more
    for (const sign of kind === 'var' ? line : '') {
      if ('([{'.includes(sign)) depth++;
      else if (')]}'.includes(sign)) depth--;
      else if (sign === ',' && depth === 0) names++;
    }
  }
  return names;
}

/**
 * `text` is a bundle whose white space stands, `inputs` what esbuild's metafile says of its modules, `last` the text that needs all of it. Modules that
 * need each other in a circle would not find each other in different functions.
 */
export function nested(text, inputs, last) {
  const functions = [], within = new Map();
  for (const module of text.split(MODULE)) {
    const names = namesIn(module), open = functions.at(-1);
    if (open !== undefined && open.names + names <= MOST_NAMES) {
      open.text += module;
      open.names += names;
    } else functions.push({ text: module, names });
    within.set(PATH.exec(module)?.[1], functions.length);
  }
  for (const [path, its] of within) {
    for (const { path: other } of inputs[path]?.imports ?? []) if (within.get(other) > its) throw new Error(`${path} needs ${other}, which comes after it`);
  }
  return functions.reduceRight((inner, { text: own }, i) => `${own}\n${i === functions.length - 1 ? inner : `(() => {\n${inner}\n})();`}`, last);
}
