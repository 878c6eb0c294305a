// Required before the baseline is taken, so that Node's loader of CommonJS is part of it.

exports.warm = true;
