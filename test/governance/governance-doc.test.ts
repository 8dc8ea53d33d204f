import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { FUNCTIONS } from '../../src/governance/cel-functions.js';
import { compileGovernanceFile } from '../../src/governance/governance-file.js';
import { governanceFileSchema } from '../../src/governance/governance-schema.js';
import { parseYaml } from '../../src/platform/yaml.js';

const DOC = resolve(import.meta.dirname, '../../docs/governance.md');
const doc = readFileSync(DOC, 'utf8');
const examples = [...doc.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);

/** The names of all members in a schema. */
function membersOf(schema: unknown): Set<string> {
  const names = new Set<string>();
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    if ('properties' in part)
      for (const name of Object.keys(part.properties ?? {})) names.add(name);
    for (const inner of Object.values(part)) visit(inner);
  };
  visit(schema);
  return names;
}

/** The names of all keys in a value. */
function keysOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = Array.isArray(value) ? [] : Object.keys(value);
  return [...own, ...Object.values(value).flatMap(keysOf)];
}

describe('docs/governance.md', () => {
  it('has examples that compile, all of them', () => {
    assert.ok(examples.length >= 7);
    for (const example of examples) {
      assert.deepEqual(compileGovernanceFile('docs/governance.md', example).faults, [], example);
    }
  });

  it('shows every member in an example, and explains it', () => {
    const shown = new Set(
      examples.flatMap((example) => {
        return keysOf(parseYaml(example).document?.value);
      }),
    );
    for (const member of membersOf(governanceFileSchema)) {
      assert.ok(shown.has(member), `no example shows \`${member}\``);
      assert.ok(
        member === 'rules' || doc.includes(`\`${member}\``),
        `nothing says what \`${member}\` is`,
      );
    }
  });

  it('names every function that a condition may call', () => {
    for (const name of FUNCTIONS) {
      assert.match(doc, new RegExp(`\`(?:x\\.)?${name}[\`(]`), `\`${name}\` is not named`);
    }
  });
});
