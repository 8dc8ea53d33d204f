import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CONFIGURATION_DOC, configurationDoc } from '../../scripts/configuration.js';
import { settingNames } from '../../src/platform/settings.js';

describe('docs/configuration.md', () => {
  it('is what scripts/configuration.ts writes', () => {
    assert.equal(readFileSync(CONFIGURATION_DOC, 'utf8'), configurationDoc());
  });

  it('explains every setting', () => {
    for (const name of settingNames()) assert.ok(configurationDoc().includes(`### \`${name}\``));
  });
});
