import assert from 'node:assert/strict';
import { DefaultRoleManager, Util } from 'casbin';
import fc from 'fast-check';
import { RoleGraph, type RoleMatcher } from '../../src/engine/role-graph.js';

type Link = readonly [name: string, role: string, tenant: string];

async function managerOf(links: readonly Link[], arity: 2 | 3, matches?: RoleMatcher) {
  const manager = new DefaultRoleManager(10);
  if (matches) {
    await manager.addMatchingFunc(matches);
  }
  for (const [name, role, tenant] of links) {
    await (arity === 3 ? manager.addLink(name, role, tenant) : manager.addLink(name, role));
  }
  return manager;
}

const TENANTS = ['acme', 'globex'];
const name = fc.constantFrom(...Array.from({ length: 7 }, (_, i) => `n${i}`), 'a,b', '');
const links = fc.array(fc.tuple(name, name, fc.constantFrom(...TENANTS)), { maxLength: 14 });
/** Chains around the limit of ten levels, in any order of their rules. */
const chain = fc.integer({ min: 8, max: 13 }).chain((length) =>
  fc.shuffledSubarray(
    Array.from({ length }, (_, i): Link => [`n${i}`, `n${i + 1}`, 'acme']),
    { minLength: length - 1 },
  ),
);
const patternName = fc.constantFrom(
  '/book/1',
  '/book/:id',
  '/book/*',
  '/pen/1',
  '/pen/:id',
  'books',
  'pens',
  'all',
  '/:a/:b',
  '^/book/\\d$',
  'books?$',
  '^all\\s',
);
const patternLinks = fc.array(fc.tuple(patternName, patternName, fc.constantFrom(...TENANTS)), {
  maxLength: 9,
});

describe('the role graph', () => {
  it('answers as the role manager of node-casbin, with and without tenants', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(links, chain),
        fc.constantFrom(2 as const, 3 as const),
        async (rules, arity) => {
          const graph = new RoleGraph(rules, arity);
          const manager = await managerOf(rules, arity);
          const names = [...new Set([...rules.flatMap(([a, b]) => [a, b]), 'nobody'])];
          for (const tenant of TENANTS) {
            for (const from of names) {
              const expected = names.filter((to) =>
                arity === 3
                  ? manager.syncedHasLink(from, to, tenant)
                  : manager.syncedHasLink(from, to),
              );
              const key = arity === 3 ? tenant : '';
              assert.deepEqual(
                names.filter((to) => graph.hasLink(from, to, key)),
                expected,
              );
              assert.deepEqual([...graph.rolesOf(from, key), from].sort(), expected.sort());
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  for (const [label, matches] of [
    ['keyMatch2', Util.keyMatch2Func],
    ['keyMatch', Util.keyMatchFunc],
    ['globMatch', Util.globMatch],
    // Names that do not match themselves, which node-casbin then does not know.
    ['regexMatch', Util.regexMatchFunc],
  ] as const) {
    it(`answers as the role manager of node-casbin whose names are patterns of ${label}`, async () => {
      await fc.assert(
        fc.asyncProperty(patternLinks, async (rules) => {
          const graph = new RoleGraph(rules, 3, matches as RoleMatcher);
          const manager = await managerOf(rules, 3, matches as RoleMatcher);
          const names = ['/book/1', '/book/2', '/pen/x', ...rules.flatMap(([a, b]) => [a, b])];
          for (const from of new Set(names)) {
            const expected = [...new Set(names)].filter((to) =>
              manager.syncedHasLink(from, to, 'acme'),
            );
            assert.deepEqual(
              [...new Set(names)].filter((to) => graph.hasLink(from, to, 'acme')),
              expected,
            );
            const roles = graph.rolesOf(from, 'acme');
            assert.deepEqual(
              roles.filter((role) => !manager.syncedHasLink(from, role, 'acme')),
              [],
            );
            assert.deepEqual(
              expected.filter((to) => to !== from && !roles.includes(to)),
              [],
            );
          }
        }),
        { numRuns: 80 },
      );
    });
  }

  it('gives a chain ten levels and no more', () => {
    const rules = Array.from({ length: 12 }, (_, i) => [`n${i}`, `n${i + 1}`]);
    const graph = new RoleGraph(rules, 2);
    assert.equal(graph.hasLink('n0', 'n10'), true);
    assert.equal(graph.hasLink('n0', 'n11'), false);
    assert.deepEqual(
      graph.rolesOf('n0'),
      Array.from({ length: 10 }, (_, i) => `n${i + 1}`),
    );
  });

  it('lists the nearest roles first', () => {
    const graph = new RoleGraph(
      [
        ['alice', 'a'],
        ['a', 'deep'],
        ['alice', 'b'],
        ['b', 'alice'],
      ],
      2,
    );
    assert.deepEqual(graph.rolesOf('alice'), ['a', 'b', 'deep']);
  });

  it('is quick in a clique, where looking along every path would never end', () => {
    const names = Array.from({ length: 60 }, (_, i) => `n${i}`);
    const graph = new RoleGraph(
      names.flatMap((a) => names.map((b) => [a, b])),
      2,
    );
    assert.equal(graph.hasLink('n0', 'n59'), true);
    assert.equal(graph.hasLink('n0', 'elsewhere'), false);
    assert.equal(graph.rolesOf('n0').length, 59);
  });

  it('knows the roles of one tenant alone', () => {
    const graph = new RoleGraph([['alice', 'editor', 'acme']], 3);
    assert.equal(graph.isRole('editor', 'acme'), true);
    assert.equal(graph.isRole('alice', 'acme'), false);
    assert.equal(graph.isRole('editor', 'globex'), false);
    assert.equal(graph.hasLink('alice', 'editor', 'globex'), false);
    assert.deepEqual(graph.rolesOf('alice', 'globex'), []);
  });
});
