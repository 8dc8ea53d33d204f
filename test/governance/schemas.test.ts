import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { SCHEMA_FOLDER, schemaFiles } from '../../scripts/schemas.js';
import { parseYaml } from '../../src/platform/yaml.js';

const POLICIES = join(SCHEMA_FOLDER, '../policies');

describe('the schemas for editors', () => {
  const files = schemaFiles();

  it('are what scripts/schemas.ts writes', () => {
    assert.deepEqual(readdirSync(SCHEMA_FOLDER).sort(), [...files.keys()].sort());
    for (const [name, text] of files) {
      const message = `schema/${name} is out of date; make it again with \`npx tsx scripts/schemas.ts\``;
      assert.equal(readFileSync(join(SCHEMA_FOLDER, name), 'utf8'), text, message);
    }
  });

  it('are JSON Schemas that the demo bundle holds to', () => {
    const ajv = new Ajv2020({ strict: false, discriminator: true });
    const yamlFiles = readdirSync(POLICIES, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.yaml'),
    );
    assert.ok(yamlFiles.length > 2);
    for (const name of yamlFiles) {
      const text = readFileSync(join(POLICIES, name), 'utf8');
      const schema = /\$schema=(?:\.\.\/)+schema\/(\S+)/.exec(text)?.[1] ?? '';
      const validate =
        ajv.getSchema(schema) ?? ajv.compile(JSON.parse(files.get(schema) ?? 'null'));
      const { document, faults } = parseYaml(text);
      assert.deepEqual(faults, [], name);
      assert.ok(validate(document?.value), `${name}: ${ajv.errorsText(validate.errors)}`);
    }
  });
});
