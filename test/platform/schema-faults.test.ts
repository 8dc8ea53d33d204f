import assert from 'node:assert/strict';
import { Type } from '@sinclair/typebox';
import { compileSchema, schemaFaults } from '../../src/platform/schema-faults.js';
import { parseYaml } from '../../src/platform/yaml.js';

function faultsOf(schema: object, text: string): string[] {
  const { document } = parseYaml(text);
  assert.ok(document, 'a document is made');
  return schemaFaults(compileSchema(schema), document).map(
    (fault) => `${fault.line}:${fault.column}: ${fault.message}`,
  );
}

const closed = { additionalProperties: false };
const comment = Type.Object({ min: Type.Optional(Type.Integer({ minimum: 1 })) }, closed);

describe('faults against a schema', () => {
  it('points at an unknown member and proposes the nearest known one', () => {
    const schema = Type.Object({ comment: Type.Optional(comment) }, closed);
    assert.deepEqual(faultsOf(schema, 'coment: {}'), [
      '1:1: unknown member `coment`, did you mean `comment`?',
    ]);
    assert.deepEqual(faultsOf(schema, 'comment:\n  xyz: 1'), [
      '2:3: unknown member `xyz`; expected one of `min`',
    ]);
  });

  it('tells all faults, each once', () => {
    const schema = Type.Object({ a: comment, b: Type.String(), c: Type.Boolean() }, closed);
    assert.deepEqual(faultsOf(schema, 'a: {min: 0}\nb: [1]'), [
      '1:1: the member `c` is missing',
      '1:10: expected at least `1`, found `0`',
      '2:4: expected a string, found a list',
    ]);
  });

  it('tells the faults of the one branch that a tag names', () => {
    const branch = (kind: string, member: string) =>
      Type.Object({ kind: Type.Literal(kind), [member]: Type.Integer() }, closed);
    const schema = {
      type: 'object',
      discriminator: { propertyName: 'kind' },
      required: ['kind'],
      oneOf: [branch('red', 'r'), branch('green', 'g')],
    };
    assert.deepEqual(faultsOf(schema, 'kind: red\nr: x'), [
      '2:4: expected a whole number, found `x`',
    ]);
    assert.deepEqual(faultsOf(schema, 'kind: gren'), [
      '1:7: unknown value `gren`, did you mean `green`?',
    ]);
    assert.deepEqual(faultsOf(schema, '{}'), [
      '1:1: the member `kind` is missing; expected one of `red`, `green`',
    ]);
  });

  it('tells the faults of the branch whose type fits', () => {
    const schema = Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String())], {
      patternErrorMessage: 'expected a name or a list of names',
    });
    assert.deepEqual(faultsOf(schema, '[a, 1]'), ['1:5: expected a string, found `1`']);
    assert.deepEqual(faultsOf(schema, '""'), ['1:1: expected a text that is not empty']);
    assert.deepEqual(faultsOf(schema, '{}'), [
      '1:1: expected a name or a list of names, found a mapping',
    ]);
  });

  it('names the constants or the types of which one was expected', () => {
    const colour = Type.Union([Type.Literal('red'), Type.Literal('green')]);
    assert.deepEqual(faultsOf(colour, 'rad'), ['1:1: unknown value `rad`, did you mean `red`?']);
    assert.deepEqual(faultsOf(colour, '1'), ['1:1: expected one of `red`, `green`, found `1`']);
    const mixed = Type.Union([Type.String(), Type.Object({})]);
    assert.deepEqual(faultsOf(mixed, '1'), ['1:1: expected a string or a mapping, found `1`']);
  });

  it('says what a pattern stands for', () => {
    const schema = Type.String({ pattern: '^[0-9]+s$', patternErrorMessage: 'expected seconds' });
    assert.deepEqual(faultsOf(schema, 'x'), ['1:1: expected seconds, found `x`']);
  });

  it('tells a text without a document from a mapping', () => {
    assert.deepEqual(faultsOf(Type.Object({}), ''), ['1:1: expected a mapping, found nothing']);
  });
});
