import assert from 'node:assert/strict';
import { compileBundle } from '../../src/policy/compile-bundle.js';
import { type DiffedBundle, diffBundles } from '../../src/policy/diff.js';
import { bundleOf, PRIORITY_MODEL } from './support.js';

function diffed(files: ReturnType<typeof bundleOf>): DiffedBundle {
  const compilation = compileBundle(files, { shippedModels: new Map() });
  if ('faults' in compilation) assert.fail(JSON.stringify(compilation.faults));
  return { bundle: compilation.bundle, files };
}
const governance = (...rules: string[]) => ({ 'governance/a.yaml': `rules:\n${rules.join('')}` });
const comment = (id: string, tenants: string, length: number) =>
  `  - id: ${id}\n    kind: require-comment\n    match: {tenants: ${tenants}, actions: [x]}\n    comment: {min_length: ${length}}\n`;

const ALICE = 'g, alice, editor, acme\n';
const GINA = 'g, gina, editor, globex\n';

describe('comparing bundles', () => {
  it('finds nothing between equal ones, however they are laid out', () => {
    const a = diffed(bundleOf(ALICE + GINA, governance(comment('c', '[acme]', 1))));
    const b = diffed(
      bundleOf(
        { 'rules/x.csv': `# moved\n${ALICE}`, 'rules/y.csv': GINA },
        {
          'governance/z.yaml':
            'rules:\n  - {kind: require-comment, id: c, comment: {min_length: 1}, match: {actions: [x], tenants: [acme]}}\n',
        },
      ),
    );
    assert.deepEqual(diffBundles(a, b), {
      isEmpty: true,
      settings: [],
      model: undefined,
      reordered: false,
      tenants: [],
    });
  });

  it('lists rules that come and go by tenant', () => {
    const before = diffed(bundleOf(`${ALICE}g, bob, editor, acme\n`));
    const after = diffed(bundleOf(`${ALICE}${GINA}p, editor, *, o, read, allow\n`));
    const { tenants, isEmpty } = diffBundles(before, after);
    assert.equal(isEmpty, false);
    assert.deepEqual(
      tenants.map(({ tenant, rules }) => [tenant, rules]),
      [
        [null, { added: [['p', 'editor', '*', 'o', 'read', 'allow']], removed: [] }],
        ['acme', { added: [], removed: [['g', 'bob', 'editor', 'acme']] }],
        ['globex', { added: [['g', 'gina', 'editor', 'globex']], removed: [] }],
      ],
    );
  });

  it('lists governance rules that come, go and change, member by member, as written', () => {
    const before = diffed(
      bundleOf('', governance(comment('kept', '[acme]', 1), comment('gone', '[acme]', 1))),
    );
    const after = diffed(
      bundleOf('', governance(comment('kept', '[acme]', 10), comment('new', '["*"]', 1))),
    );
    const { tenants } = diffBundles(before, after);
    assert.deepEqual(
      tenants.map(({ tenant, governance: { added, removed, changed } }) => [
        tenant,
        added.map(({ id }) => id),
        removed.map(({ id }) => id),
        changed,
      ]),
      [
        [null, ['new'], [], []],
        [
          'acme',
          [],
          ['gone'],
          [
            {
              id: 'kept',
              kind: 'require-comment',
              members: [{ path: 'comment.min_length', before: 1, after: 10 }],
            },
          ],
        ],
      ],
    );
    assert.deepEqual(tenants[0]?.governance.added[0]?.rule, {
      id: 'new',
      kind: 'require-comment',
      match: { tenants: ['*'], actions: ['x'] },
      comment: { min_length: 1 },
    });
  });

  it('lists a rule that moves to another tenant under both', () => {
    const before = diffed(bundleOf('', governance(comment('c', '[acme]', 1))));
    const after = diffed(bundleOf('', governance(comment('c', '[globex]', 1))));
    assert.deepEqual(
      diffBundles(before, after).tenants.map(({ tenant, governance: { changed } }) => [
        tenant,
        changed[0]?.members,
      ]),
      ['acme', 'globex'].map((tenant) => [
        tenant,
        [{ path: 'match.tenants', before: ['acme'], after: ['globex'] }],
      ]),
    );
  });

  it('sees a change of order alone, of the model, and of the settings', () => {
    const before = diffed(bundleOf(ALICE + GINA));
    const turned = diffBundles(before, diffed(bundleOf(GINA + ALICE)));
    assert.deepEqual([turned.reordered, turned.isEmpty, turned.tenants], [true, false, []]);
    const model = diffBundles(
      before,
      diffed(bundleOf(ALICE + GINA, { 'models/test.conf': PRIORITY_MODEL })),
    );
    assert.deepEqual([model.model, model.isEmpty], [{ before: 'test', after: 'test' }, false]);
    const settings = diffBundles(
      before,
      diffed(
        bundleOf(ALICE + GINA, {
          'bundle.yaml': 'name: test\nmodel: test\nroles_as_subjects: true\n',
        }),
      ),
    );
    assert.deepEqual(settings.settings, [
      { path: 'roles_as_subjects', before: undefined, after: true },
    ]);
    assert.equal(settings.isEmpty, false);
  });

  it('takes everything as new where there was no bundle', () => {
    const diff = diffBundles(undefined, diffed(bundleOf(ALICE)));
    assert.deepEqual(diff.tenants[0]?.rules.added, [['g', 'alice', 'editor', 'acme']]);
    assert.equal(diff.model, undefined);
  });
});
