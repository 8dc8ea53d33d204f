const { reporters } = require('mocha');

/**
 * Mocha's own `spec` output, closed by `N passed, N failed` alone on the last line of standard
 * output, for people and scripts alike. CommonJS, because mocha loads reporters by `require`.
 */
module.exports = class ClosingLine extends reporters.Spec {
  done(failures, finish) {
    process.stdout.write(`${this.stats.passes} passed, ${failures} failed\n`, () =>
      finish(failures),
    );
  }
};
