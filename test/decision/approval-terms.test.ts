import assert from 'node:assert/strict';
import type { PolicyInForce } from '../../src/approvals/approval-service.js';
import { approvalTerms } from '../../src/decision/approval-terms.js';
import { snapshotOf } from '../../src/decision/bundle-tests.js';
import { compileBundle } from '../../src/policy/compile-bundle.js';
import { loadShippedModels } from '../../src/policy/shipped-models.js';
import type { Snapshot } from '../../src/policy/snapshot.js';
import type { Check } from '../../src/vocabulary.js';

const GOVERNANCE = `rules:
  - id: always
    kind: approval-required
    match: {actions: [deploy]}
    approval: {stages: [{approvers: {roles: [approver]}}]}
  - id: evenings
    kind: approval-required
    match: {actions: [deploy]}
    when: now.getHours() >= 18
    approval: {stages: [{approvers: {roles: [approver]}}]}
  - id: of-contractors
    kind: approval-required
    match: {roles: [contractor]}
    approval: {stages: [{approvers: {roles: [approver]}}]}
  - id: large
    kind: approval-required
    match: {actions: [deploy]}
    when: resource.properties.size > 10
    approval: {stages: [{approvers: {roles: [approver]}}]}
  - id: no-approval
    kind: require-comment
    comment: {min_length: 1}
`;
const AFTERNOON = Date.parse('2026-03-30T15:00:00Z');
const EVENING = Date.parse('2026-03-30T19:00:00Z');

describe('what a policy asks for by way of approvals', () => {
  let snapshot: Snapshot;
  let names: ReadonlyMap<string, string>;
  before(async () => {
    const files = {
      'bundle.yaml': 'name: test\nmodel: rbac-tenant\napproval: {bind: [ticket]}\n',
      'rules/a.csv': 'g, zoe, freelancer, acme\ng, freelancer, contractor, acme\n',
      'governance/a.yaml': GOVERNANCE,
    };
    const shippedModels = await loadShippedModels();
    const compilation = compileBundle(new Map(Object.entries(files)), { shippedModels });
    if ('faults' in compilation) throw new Error(JSON.stringify(compilation.faults, null, 2));
    snapshot = { ...snapshotOf(compilation.bundle), revision: 5 };
    names = new Map(snapshot.governance.rules.map(({ digest, id }) => [digest, id]));
  });

  const termsAt = (now: number): PolicyInForce => approvalTerms(snapshot, { now: () => now });
  const idsOf = (digests: readonly string[]) => digests.map((digest) => names.get(digest));
  const deploy = (subject: string, properties: Check['resource']['properties']): Check => ({
    tenant: 'acme',
    subject: { type: 'user', id: subject, properties: {} },
    action: { name: 'deploy', properties: {} },
    resource: { type: 'service', id: 'billing', properties },
    context: {},
  });

  it('are its revision, its approval-required rules and what is bound besides', () => {
    const { revision, digests, bind } = termsAt(AFTERNOON);
    assert.deepEqual(
      [revision, idsOf(digests), bind],
      [5, ['always', 'evenings', 'of-contractors', 'large'], ['ticket']],
    );
  });

  it('needs the rules that apply, by inherited roles too, and those that cannot be evaluated', () => {
    const needs = (subject: string, properties = {}) =>
      idsOf(termsAt(AFTERNOON).needs(deploy(subject, properties), AFTERNOON));
    assert.deepEqual(needs('alice', { size: 1 }), ['always']);
    assert.deepEqual(needs('alice', { size: 11 }), ['always', 'large']);
    assert.deepEqual(needs('alice'), ['always', 'large']);
    assert.deepEqual(needs('zoe', { size: 1 }), ['always', 'of-contractors']);
  });

  it('needs no rule that applies only because time went by', () => {
    const needs = (now: number, since: number) =>
      idsOf(termsAt(now).needs(deploy('alice', { size: 1 }), since));
    assert.deepEqual(needs(EVENING, AFTERNOON), ['always']);
    assert.deepEqual(needs(AFTERNOON, EVENING), ['always']);
    assert.deepEqual(needs(EVENING, EVENING - 60_000), ['always', 'evenings']);
  });
});
