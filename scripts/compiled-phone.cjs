// A phone that writes the code V8 has compiled of it when it is told to, and ends: see compile-ahead.js. It has no media thread, which sets flags of
// V8 as it gets ready.

const { EventEmitter } = require('node:events');
const { readFileSync, writeFileSync } = require('node:fs');
const { basename, dirname, join } = require('node:path');
const vm = require('node:vm');
const threads = require('node:worker_threads');

const [, , dist, packs, ...words] = process.argv;
const { codePath, sealed } = require(packs);

threads.Worker = class extends EventEmitter {
  postMessage() {}
};

const { Script } = vm;
const scripts = [];
vm.Script = class extends Script {
  constructor(source, options) {
    super(source, options);
    const { filename } = options;
    if (dirname(filename) === dist) scripts.push({ source, filename, script: this, path: codePath(dist, basename(filename)) });
  }
};

process.once('message', () => {
  for (const { source, filename, script, path } of scripts) {
    const cachedData = script.createCachedData();
    if (new Script(source, { filename, cachedData }).cachedDataRejected !== false || path !== codePath(dist, basename(filename))) throw new Error(`V8 does not take its own code of ${filename}`);
    writeFileSync(path, sealed(readFileSync(filename), cachedData));
  }
  process.exit(scripts.length === 0 ? 1 : 0);
});

const program = join(dist, 'offhook.js');
process.argv = [process.argv[0], program, ...words];
require(program);
