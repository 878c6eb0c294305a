// Lays modules of a bundle beside it, to be loaded with the first call of one of their functions: what a telephone may need but most never do. In the
// bundle stand in their place functions of the same names; in the sources all is imported as ever. What such a module needs of the bundle it is given,
// so that nothing is there twice.
//
//   core.cjs: split = (...all) => multipart().split(...all)       multipart.cjs: (given) => ({ split(...) {...} })

import { readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { numbersIn } from './plain-numbers.js';

const IMPORT = /^import (?!type )\{([^}]+)\} from '(\.[^']+)';$/gm;
const EXPORT = /^export (?!type |interface )(?:async )?(function|const|class|let) (\w+)(?:[^=\n]*= (\(|async \(|\w+ =>))?/gm;

/** What the modules at `paths` import from others by value: [name, path of the module]. */
function needs(paths) {
  const all = new Map();
  for (const path of paths) {
    for (const [, names, from] of readFileSync(path, 'utf8').matchAll(IMPORT)) {
      const to = join(dirname(path), from);
      if (paths.includes(to)) continue;
      const numbers = numbersIn(readFileSync(to, 'utf8'));
      for (const name of names.split(',').map((one) => one.trim())) if (!name.startsWith('type ') && name !== '' && !numbers.has(name)) all.set(name, to);
    }
  }
  return [...all];
}

/** The functions that the module at `path` exports. */
function functionsOf(path) {
  return [...readFileSync(path, 'utf8').matchAll(EXPORT)].map(([, kind, name, begins]) => {
    if (kind !== 'function' && !(kind === 'const' && begins !== undefined)) throw new Error(`${path} exports ${name}, which is no function: it cannot be loaded later`);
    return name;
  });
}

/**
 * Plugins of esbuild: `beside` for the bundle that `files` are to be beside, each a list of paths that go into one file, the first one's exports being those
 * that are called; `within` for each of these files.
 */
export function later(root, files) {
  const sets = files.map((paths) => ({ name: basename(paths[0], '.ts'), paths: paths.map((path) => join(root, path)) }));
  const beside = {
    name: 'later',
    setup({ onLoad }) {
      for (const { name, paths } of sets) {
        onLoad({ filter: new RegExp(`[\\\\/]${relative(root, paths[0]).replace(/[\\\\/.]/g, '.')}$`) }, () => {
          const given = needs(paths), functions = functionsOf(paths[0]);
          const load = `made ??= requireLater('./${name}.cjs')({ ${given.map(([one]) => one).join(', ')} })`;
          return {
            contents: [
              ...given.map(([one, from]) => `import { ${one} } from ${JSON.stringify(from)};`),
              'let made;',
              ...(functions.length > 1 ? [`const it = () => ${load};`] : []),
              ...functions.map((one) => `export const ${one} = (...all) => ${functions.length > 1 ? 'it()' : `(${load})`}.${one}(...all);`),
            ].join('\n'),
            loader: 'js', resolveDir: dirname(paths[0]),
          };
        });
      }
    },
  };
  const within = (paths) => ({
    name: 'given',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const to = join(resolveDir, path);
        return paths.includes(to) ? undefined : { path: to, namespace: 'given' };
      });
      onLoad({ filter: /./, namespace: 'given' }, ({ path }) => ({ contents: needs(paths).filter(([, from]) => from === path).map(([one]) => `export const ${one} = given.${one};`).join('\n') }));
    },
  });
  return { beside, files: sets.map(({ name, paths }) => ({ name, from: paths[0], plugin: within(paths) })) };
}
