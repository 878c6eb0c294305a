import { expect, test } from 'vitest';
// @ts-expect-error the build's scripts are plain JavaScript
import { plainLoops } from '../../scripts/plain-loops.js';

const run = (text: string): unknown => (new Function(text) as () => unknown)();

/** Each as esbuild writes it, a statement a line: its result must stay. */
const programs: readonly (readonly [what: string, text: string, written: RegExp])[] = [
  ['a loop over an array, one that grows meanwhile', 'var out = [], list = [1, 2];\nfor (let x of list) {\n  if (x === 1) list.push(3);\n  out.push(x);\n}\nreturn out;', /_\$l\(list\)/],
  ['a loop within a loop, left and gone on with', 'var out = [];\nouter: for (let a of [1, 2, 3])\n  for (let b of [4, 5, 6]) {\n    if (b === 5) continue outer;\n    if (a === 3) break outer;\n    out.push(a * b);\n  }\nreturn out;', /_\$l\(\[1, 2, 3\]\)/],
  ['functions made in a loop, each with its own item', 'var all = [];\nfor (let x of [1, 2, 3]) all.push(() => x);\nreturn all.map((f) => f());', /_\$l/],
  ['false and missing items', 'var out = [], list = [0, "", void 0, null, !1];\nfor (let x of list) out.push(x);\nreturn out;', /_\$l/],
  ['a head with texts, which is left alone', 'var out = [];\nfor (let x of ["(", ")"]) out.push(x);\nreturn out;', /for \(let x of/],
  ['a text, sign by sign', 'var out = [], text = "a\u{1F600}b";\nfor (let sign of text) out.push(sign);\nreturn out;', /_\$l\(text\)/],
  ['a Set and a Map', 'var out = [], set = new Set([1, 2]), map = new Map([[3, 4]]);\nfor (let x of set) out.push(x);\nfor (let [a, b] of map) out.push(a, b);\nreturn out;', /\{ 0: a, 1: b \}/],
  ['members of the items', 'var out = [];\nfor (let { a, b: c } of [{ a: 1, b: 2 }]) out.push(a, c);\nreturn out;', /a, c; /],
  ['a Set that loses what is still to come, asked for its values', 'var out = [], set = new Set([1, 2, 3]);\nfor (let x of set.values()) {\n  set.delete(2);\n  out.push(x);\n}\nreturn out;', /for \(let x of set\.values\(\)\)/],
  ['array patterns with gaps and defaults', 'var [a, , b = 7, c = "x"] = [1, 2];\nreturn [a, b, c];', /\{ 0: a, 2: b = 7, 3: c = "x" \}/],
  ['a pattern that takes the rest', 'var [a, ...rest] = [1, 2, 3];\nreturn [a, rest];', /\[a, \.\.\.rest\]/],
  ['patterns of parameters', 'return [[1, 2]].map(([a, b]) => a + b);', /\(\{ 0: a, 1: b \}\) =>/],
  ['what stands at the top of a function, and what stands in its blocks', 'var f = (x) => {\n  let y = 1;\n  if (x) {\n    let y = 2;\n    x += y;\n  }\n  return () => x + y;\n};\nreturn f(1)();', /\n {2}var y = 1;[^]*\n {4}let y = 2;/],
];

for (const [what, text, written] of programs) {
  test(`comes to the same: ${what}`, () => {
    const out: string = plainLoops(text);

    expect(out).toMatch(written);
    expect(run(out)).toEqual(run(text));
  });
}
