// The program's modules as the build packs them: one file holds all that a start needs, further ones what is loaded later (scripts/build.js). A
// pack is a script that makes a table of functions; one is called when its module is first asked for. Beside a pack may lie its code as V8 compiled it once,
// which spares the compiling. Goes into the bundle alone, before everything else.
//
//   offhook.js [packs, the command, flags] --> run.cjs [settings, hardware, sockets ...] --> core.cjs, later server.cjs ...
//                                                 '-- cache/run.cjs-<arch>-<tag>: SHA-1 of source and code, then the code

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';

export type Require = (name: string) => unknown;
interface Module { exports: unknown }
/** One module: its own require, where its exports go, and the URL of the file it says it is in. */
export type Body = (require: Require, module: Module, exports: unknown, url: string) => void;

const SUM_BYTES = 20;
/** What is beside the packs and needed once: its text and code go when its work is done. */
const ONCE = ['./rehearsal.cjs'];
/** Parts of Node.js that are loaded when something of them is first used, which is after the start. */
const LATER = ['node:child_process', 'node:fs/promises', 'node:worker_threads'];

const later = (name: string, node: Require): unknown => {
  let loaded: Readonly<Record<string | symbol, unknown>> | undefined;
  return new Proxy({}, { get: (_, member) => (loaded ??= node(name) as NonNullable<typeof loaded>)[member] });
};

/** Where the code of `file` lies that this very engine with these very flags has compiled: V8's tag stands for version, flags and processor. */
export const codePath = (folder: string, file: string): string => join(folder, 'cache', `${file}-${process.arch}-${(cachedDataVersionTag() as unknown as number).toString(16)}`);

const sum = (text: Uint8Array, code: Uint8Array): Buffer => createHash('sha1').update(text).update(code).digest();

/** What is written to codePath(): `code` of the file whose bytes are `text`. */
export const sealed = (text: Uint8Array, code: Uint8Array): Buffer => Buffer.concat([sum(text, code), code]);

/** V8 itself looks at version, flags and lengths only: a file that is not as it was written would crash us. */
function codeOf(path: string, text: Uint8Array): Buffer | undefined {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch {
    return undefined; // another Node.js, other flags: V8 compiles
  }
  const code = file.subarray(SUM_BYTES);
  return sum(text, code).equals(file.subarray(0, SUM_BYTES)) ? code : undefined;
}

/** What the script `file` in `folder` comes to, with the code that lies ready. Its text is ASCII, and is not copied to be wrapped into anything. */
export function loadFile(folder: string, file: string): unknown {
  const path = join(folder, file), text = readFileSync(path);
  const cachedData = codeOf(codePath(folder, file), text);
  return new Script(text.toString('latin1'), { filename: path, ...(cachedData === undefined ? {} : { cachedData }) }).runInThisContext();
}

/**
 * A require for the modules in `bodies`, and in the packs that `where` names for each further one; another file is one module by itself, whatever else
 * is Node's.
 */
export function openPacks(folder: string, node: Require, bodies: Record<string, Body>, where: Readonly<Record<string, string>>): Require {
  const made = new Map<string, Module>();
  const url = pathToFileURL(join(folder, 'pack')).href;
  return function need(name): unknown {
    if (!name.startsWith('./')) return LATER.includes(name) ? later(name, node) : node(name);
    const known = made.get(name);
    if (known !== undefined) return known.exports;
    const module: Module = { exports: {} };
    const file = where[name];
    if (bodies[name] === undefined && file === undefined) bodies[name] = loadFile(folder, name.slice(2)) as Body;
    else if (bodies[name] === undefined) {
      for (const [one, body] of Object.entries(loadFile(folder, file!) as Record<string, Body>)) bodies[one] ??= body;
    }
    made.set(name, module);
    bodies[name]!(need, module, module.exports, url);
    if (ONCE.includes(name)) {
      made.delete(name);
      delete bodies[name];
    }
    return module.exports;
  };
}
