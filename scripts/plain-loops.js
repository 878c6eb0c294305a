// Writes in a bundle whose white space stands what V8 makes long bytecode of in a way that it makes short bytecode of. Functions that ran are most of
// a small program's heap, and every one of these says the same.
//
//   let at the top of a function -> var                       no check at each use in an inner function whether it has a value yet
//   for (let x of list)          -> a loop by index           an iterator's steps, its end and its closing: 150 bytes a loop
//   [a, b] = pair                -> { 0: a, 1: b } = pair     the same again: 210 bytes
//
// A loop over `all.values()`, keys() or entries() stays as it is. Over anything else that is no array it goes over a copy, so a Set or Map that changes
// while it is looped over is to be asked for its values(). A pattern takes an array or a text.

const LIST = '_$l';
const LIST_OF = `var ${LIST} = (all) => Array.isArray(all) ? all : [...all];\n`;

const indentOf = (line) => /^ */.exec(line)[0].length;
const FUNCTION = /(=> \{|\bfunction\b.*\) \{|^ *(?:(?:static|async|get|set) )*\*?(?!(?:if|for|while|switch|catch|with)\b)[\w$]+\(.*\) \{)$/;

/** The lines of `text`, with what stands at the top of a function as var. */
function topsAsVar(lines) {
  const open = []; // the lines that the present one stands within, outermost first
  return lines.map((line) => {
    if (line.trim() === '') return line;
    const indent = indentOf(line);
    while (open.length > 0 && open.at(-1).indent >= indent) open.pop();
    const top = open.at(-1)?.line ?? '';
    open.push({ indent, line });
    return FUNCTION.test(top) ? line.replace(/^( *)let (?=[\w$[{])/, '$1var ') : line;
  });
}

const ITEM = String.raw`(?:[\w$]+(?: = (?:"[^"\\]*"|\d+|[\w$]+))?)?`;
const PATTERN = String.raw`\[(${ITEM}(?:, ${ITEM})*)\]`;
const byIndex = (items) => `{ ${items.split(/, /).map((item, i) => (item === '' ? '' : `${i}: ${item}`)).filter(Boolean).join(', ')} }`;
const DECLARED = new RegExp(String.raw`((?:let|var) |, )${PATTERN}(?= (?:=|of) )`, 'g');
const PARAMETER = new RegExp(String.raw`(\(|, )${PATTERN}(?=(?:, [\w$]+)*\) =>)`, 'g');
const patterns = (line) => line.replace(DECLARED, (_, before, items) => before + byIndex(items)).replace(PARAMETER, (_, before, items) => before + byIndex(items));

const LOOP = /^( *(?:[\w$]+: )?)for \(let ([\w$]+|\{ [^()]* \}) of (.*)$/;

const ITERATOR = /^(?!Object\b).*\.(values|keys|entries)\(\)$/;

/** A loop's head ends where its bracket closes; text of strings and patterns in it has none that does not. */
function loop(line) {
  const [, before, item, rest] = LOOP.exec(line) ?? [];
  if (rest === undefined) return line;
  let depth = 1, end = 0;
  for (; depth > 0 && end < rest.length; end++) depth += rest[end] === '(' ? 1 : rest[end] === ')' ? -1 : 0;
  if (depth > 0 || /["'`/]/.test(rest.slice(0, end))) return line;
  const names = item.startsWith('{') ? [...item.matchAll(/(?<=[{,] (?:[\w$]+: )?)[\w$]+(?=[ ,])/g)].map(([name]) => name) : [item];
  const all = rest.slice(0, end - 1);
  if (ITERATOR.test(all)) return line;
  return `${before}for (let _$a = ${LIST}(${all}), _$i = 0, ${names.join(', ')}; _$i < _$a.length && (${item} = _$a[_$i++], !0); )${rest.slice(end)}`;
}

export function plainLoops(text) {
  if (/\b_\$[ail]/.test(text)) throw new Error('the bundle has names that plain-loops.js uses');
  const plain = topsAsVar(text.split('\n')).map(patterns).map(loop).join('\n');
  return plain.includes(`${LIST}(`) ? LIST_OF + plain : plain;
}
