import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Helper, newModelFromString, Util } from 'casbin';
import fc from 'fast-check';
import { parseModel, type Model, type ModelOptions } from '../../src/engine/model.js';
import type { RuleLine } from '../../src/vocabulary.js';
import { ENGINES, engineWith } from '../support/engines.js';
import { checkOf, faultsOf, modelOf, stockEnforcer } from './support.js';

const EXAMPLES = path.join(
  path.dirname(createRequire(import.meta.url).resolve('casbin/package.json')),
  'examples',
);

interface Example {
  readonly model: string;
  readonly policies: readonly string[];
  readonly options?: ModelOptions;
}

/** Fills every text token from `context`, so that generated requests can hold anything. */
const fromContext = (...tokens: string[]): ModelOptions => ({
  request: Object.fromEntries(tokens.map((token) => [token, `context.${token}`])),
});
const SUB_OBJ_ACT = fromContext('sub', 'obj', 'act');
const WITH_TENANT = fromContext('sub', 'obj', 'act');
const WITH_PATTERNS: ModelOptions = { ...SUB_OBJ_ACT, rolePatterns: { g2: 'keyMatch2' } };

const DECIDED: readonly Example[] = [
  { model: 'abac_model', policies: [], options: SUB_OBJ_ACT },
  {
    model: 'abac_not_using_policy_model',
    policies: ['abac_rule_effect_policy'],
    options: SUB_OBJ_ACT,
  },
  { model: 'abac_rule_model', policies: ['abac_rule_policy'], options: SUB_OBJ_ACT },
  {
    model: 'basic_keyget2_model',
    policies: ['basic_keyget2_policy'],
    options: fromContext('sub', 'obj'),
  },
  {
    model: 'basic_model',
    policies: ['basic_policy', 'basic_inverse_policy'],
    options: SUB_OBJ_ACT,
  },
  { model: 'basic_with_root_model', policies: ['basic_policy'], options: SUB_OBJ_ACT },
  {
    model: 'basic_without_resources_model',
    policies: ['basic_without_resources_policy'],
    options: fromContext('sub', 'act'),
  },
  {
    model: 'basic_without_users_model',
    policies: ['basic_without_users_policy'],
    options: fromContext('obj', 'act'),
  },
  { model: 'glob_model', policies: ['glob_policy'], options: SUB_OBJ_ACT },
  { model: 'in_operator_model', policies: [], options: fromContext('sub', 'obj') },
  { model: 'ipmatch_model', policies: ['ipmatch_policy'], options: SUB_OBJ_ACT },
  { model: 'keymatch2_model', policies: ['keymatch2_policy'], options: SUB_OBJ_ACT },
  { model: 'keymatch_model', policies: ['keymatch_policy'], options: SUB_OBJ_ACT },
  {
    model: 'priority_model',
    policies: ['priority_policy', 'priority_indeterminate_policy'],
    options: SUB_OBJ_ACT,
  },
  {
    model: 'priority_model_explicit',
    policies: ['priority_policy_explicit', 'priority_policy_explicit_update'],
    options: SUB_OBJ_ACT,
  },
  { model: 'rbac_g2_model', policies: ['rbac_g2_policy'], options: SUB_OBJ_ACT },
  {
    model: 'rbac_model',
    policies: ['rbac_policy', 'rbac_with_hierarchy_policy', 'basic_policy'],
    options: SUB_OBJ_ACT,
  },
  {
    model: 'rbac_with_all_pattern_model',
    policies: ['rbac_with_all_pattern_policy'],
    options: WITH_TENANT,
  },
  { model: 'rbac_with_deny_model', policies: ['rbac_with_deny_policy'], options: SUB_OBJ_ACT },
  {
    model: 'rbac_with_domain_pattern_model',
    policies: ['rbac_with_domain_pattern_policy'],
    options: WITH_TENANT,
  },
  {
    model: 'rbac_with_domains_model',
    policies: [
      'rbac_with_domains_policy',
      'rbac_with_domains_policy2',
      'rbac_with_hierarchy_with_domains_policy',
    ],
    options: WITH_TENANT,
  },
  {
    model: 'rbac_with_hierarchical_domains_model',
    policies: ['rbac_with_hierarchical_domains_policy'],
    options: WITH_TENANT,
  },
  { model: 'rbac_with_not_deny_model', policies: ['rbac_with_deny_policy'], options: SUB_OBJ_ACT },
  {
    model: 'rbac_with_pattern_model',
    policies: ['rbac_with_pattern_policy'],
    options: WITH_PATTERNS,
  },
  {
    model: 'rbac_with_resource_roles_model',
    policies: ['rbac_with_resource_roles_policy'],
    options: SUB_OBJ_ACT,
  },
  { model: 'subject_priority_model', policies: ['subject_priority_policy'], options: SUB_OBJ_ACT },
  {
    model: 'subject_priority_model_with_domain',
    policies: ['subject_priority_policy_with_domain'],
    options: WITH_TENANT,
  },
  {
    model: 'issues/node_casbin_150_model',
    policies: ['issues/node_casbin_150_policy'],
    options: { ...SUB_OBJ_ACT, rolePatterns: { g: 'keyMatch' } },
  },
];

/** Models of the package that are refused, and what the refusal must say. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  keymatch_custom_model: /the function `keyMatchCustom` is not known/,
  multiple_policy_definitions_model: /`r2`: several sections at once are not supported/,
  rbac_with_multiple_policy_model: /`p2`: several sections at once are not supported/,
};

/** Policies of the package that are for refused models alone: their rules are of type `p2`. */
const REFUSED_POLICIES = [
  'mulitple_policy',
  'multiple_policy_definitions_policy',
  'rbac_with_multiple_policy_policy',
];

function textOf(name: string): string {
  return readFileSync(path.join(EXAMPLES, name), 'utf8');
}

/** The lines of an example policy as node-casbin's own loader reads them. */
function linesOf(name: string): RuleLine[] {
  const model = newModelFromString(
    '[request_definition]\nr=a\n[policy_definition]\np=a\np2=a\n[role_definition]\ng=_,_\ng2=_,_\n[policy_effect]\ne=a\n[matchers]\nm=a',
  );
  const lines: RuleLine[] = [];
  for (const text of textOf(`${name}.csv`).split('\n')) {
    model.clearPolicy();
    Helper.loadPolicyLine(text.trim(), model);
    for (const section of ['p', 'g']) {
      model.model.get(section)?.forEach((assertion, ptype) => {
        assertion.policy.forEach((values) => lines.push([ptype, ...values]));
      });
    }
  }
  return lines;
}

/** Values that stand in the rules, near misses of them, and objects for the ABAC examples. */
function requestValue(lines: readonly RuleLine[], token: string): fc.Arbitrary<unknown> {
  const values = [...new Set(lines.flatMap(([, ...rest]) => rest))];
  const texts = fc.constantFrom(
    ...values,
    'nobody',
    'alice',
    'bob',
    'GET',
    'POST',
    '/alice_data/x',
    '/alice_data2/7/using/8',
    '/data/9',
    '/foo/bar',
    '/x/foo/y',
    '/book/1',
    '/pen/1',
    '/pen2/1',
    '192.168.2.5',
    '10.0.3.4',
  );
  const owners = fc.constantFrom('alice', 'bob');
  const object = fc.record({
    Owner: owners,
    Age: fc.constantFrom(5, 18, 19, 59, 60),
    Doc: owners,
    Docs: fc.array(owners),
  });
  return token === 'sub' || token === 'obj' ? fc.oneof(texts, object) : texts;
}

/** Requests of a model, by token: anything, or what one of the rules asks for. */
function requests(
  model: Model,
  lines: readonly RuleLine[],
): fc.Arbitrary<Readonly<Record<string, unknown>>> {
  const tokens = [...model.requestTokens.keys()];
  const anything = fc.record(
    Object.fromEntries(tokens.map((token) => [token, requestValue(lines, token)])),
  );
  const rows = lines.filter(([ptype]) => ptype === 'p');
  const likeRule = fc
    .tuple(anything, fc.constantFrom(...rows, undefined), fc.boolean())
    .map(([values, row, keepSub]) => ({
      ...values,
      ...Object.fromEntries(
        model.policyTokens
          .map((token, i) => [token, row?.[i + 1]] as const)
          .filter(
            ([token, value]) =>
              token in values && value !== undefined && (keepSub || token !== 'sub'),
          ),
      ),
    }));
  return fc.oneof(anything, likeRule);
}

describe('the examples of the casbin package', () => {
  it('are all either decided or refused below', () => {
    const names = [
      ...readdirSync(EXAMPLES),
      ...readdirSync(path.join(EXAMPLES, 'issues')).map((name) => `issues/${name}`),
    ];
    const listed = [
      ...DECIDED.flatMap(({ model, policies }) => [
        `${model}.conf`,
        ...policies.map((policy) => `${policy}.csv`),
      ]),
      ...Object.keys(REFUSED).map((model) => `${model}.conf`),
      ...REFUSED_POLICIES.map((policy) => `${policy}.csv`),
      'issues',
    ];
    assert.deepEqual(names.filter((name) => !listed.includes(name)).sort(), []);
  });

  for (const [name, message] of Object.entries(REFUSED)) {
    it(`${name} is refused`, () => {
      assert.match(faultsOf(textOf(`${name}.conf`)).join('\n'), message);
    });
  }

  for (const { model: name, policies, options } of DECIDED) {
    for (const policy of policies.length > 0 ? policies : [undefined]) {
      it(`${name} with ${policy ?? 'no rules'} decides as node-casbin does`, async () => {
        const text = textOf(`${name}.conf`);
        const parsed = parseModel(text, options);
        assert.ok('model' in parsed, JSON.stringify(parsed));
        const { model } = parsed;
        const lines = policy === undefined ? [] : linesOf(policy);
        if (policy !== 'abac_rule_effect_policy') {
          assert.deepEqual(lines.map((line) => model.faultOf(line)).filter(Boolean), []);
        }
        const engines = ENGINES.map((kind) => engineWith(kind, model, lines));
        const stock = await stockEnforcer(text, lines);
        if (options?.rolePatterns?.g2) await stock.addNamedMatchingFunc('g2', Util.keyMatch2Func);
        if (options?.rolePatterns?.g) await stock.addNamedMatchingFunc('g', Util.keyMatchFunc);
        await stock.buildRoleLinks();
        const tokens = [...model.requestTokens.keys()];
        const request = requests(model, lines);
        let decided = 0;
        const answers = new Set<string>();
        fc.assert(
          fc.property(request, (values) => {
            const check = checkOf({
              tenant: String(values.dom ?? 'acme'),
              context: values as never,
            });
            const [ours, reference] = engines.map((engine) => engine.decide(check));
            assert.ok(ours !== undefined, 'there is no engine');
            assert.deepEqual(ours, reference);
            let theirs: [boolean, string[]] | 'error';
            try {
              theirs = stock.enforceExSync(...tokens.map((token) => values[token]));
            } catch {
              theirs = 'error';
            }
            if (ours.effect === 'error' && ours.message.endsWith('is absent')) {
              return;
            }
            decided += 1;
            answers.add(ours.effect);
            assert.equal(
              ours.effect === 'error' ? 'error' : ours.effect === 'allow',
              theirs === 'error' ? 'error' : theirs[0],
            );
            assert.deepEqual(
              ours.effect === 'error' ? 'error' : (ours.rule?.slice(1) ?? []),
              theirs === 'error' ? 'error' : theirs[1],
            );
          }),
          { numRuns: 300, seed: 1 },
        );
        assert.ok(decided > 20, `only ${decided} of the requests were decided`);
        assert.ok(
          answers.has('allow') || policy === 'priority_indeterminate_policy',
          'none of the requests was allowed',
        );
      });
    }
  }

  it('every model with the rules of every other is answered the same by both engines', () => {
    const policies = [...new Set(DECIDED.flatMap((example) => example.policies))];
    let compared = 0;
    for (const { model: name, options } of DECIDED) {
      const model = modelOf(textOf(`${name}.conf`), options);
      for (const policy of policies) {
        const lines = linesOf(policy);
        const [indexed, reference] = ENGINES.map((kind) => engineWith(kind, model, lines));
        fc.assert(
          fc.property(requests(model, lines), (values) => {
            const check = checkOf({
              tenant: String(values['dom'] ?? 'acme'),
              context: values as never,
            });
            assert.deepEqual(indexed?.decide(check), reference?.decide(check));
            compared += 1;
          }),
          { numRuns: 20, seed: 1 },
        );
      }
    }
    assert.equal(compared, DECIDED.length * policies.length * 20);
  });
});
