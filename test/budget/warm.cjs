// Loaded before the baseline is taken, as CommonJS and as a script, so that Node's loaders of both are part of it.

(function () {});
