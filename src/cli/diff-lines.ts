import type { BundleDiff, TenantDiff } from '../policy/diff.js';
import type { MemberChange } from '../policy/member-changes.js';
import { printRule } from '../policy/rules-file.js';
import type { JsonValue } from '../vocabulary.js';
import { type Screen, printable } from './screen.js';

type Colours = Screen['colours'];

/** The difference between two bundles for people: `+` comes, `-` goes, `~` changes. */
export function diffLines(
  diff: BundleDiff,
  before: string,
  after: string,
  colours: Colours,
): string[] {
  if (diff.isEmpty) return [`no change from ${before} to ${after}`];
  return [
    `from ${before} to ${after}`,
    ...generalLines(diff, colours),
    ...diff.tenants.flatMap((tenant) => tenantLines(tenant, colours)),
  ];
}

function generalLines({ settings, model, reordered }: BundleDiff, colours: Colours): string[] {
  const lines = settings.map((change) => colours.yellow(`  ~ ${memberText(change)}`));
  if (model) {
    const edited = model.before === model.after;
    const what = edited ? `${model.after}, edited` : `${model.before} → ${model.after}`;
    lines.push(colours.yellow(`  ~ model: ${printable(what)}`));
  }
  if (reordered) lines.push(colours.yellow('  ~ the rules that stay rank in another order'));
  return lines.length === 0 ? [] : ['', colours.bold('bundle'), ...lines];
}

function tenantLines({ tenant, rules, governance }: TenantDiff, colours: Colours): string[] {
  return [
    '',
    colours.bold(tenant === null ? 'several or all tenants' : `tenant ${tenant}`),
    ...rules.removed.map((rule) => colours.red(`  - ${printable(printRule(rule))}`)),
    ...rules.added.map((rule) => colours.green(`  + ${printable(printRule(rule))}`)),
    ...governance.removed.map(({ id, kind }) => colours.red(`  - ${id} (${kind})`)),
    ...governance.added.map(({ id, kind }) => colours.green(`  + ${id} (${kind})`)),
    ...governance.changed.flatMap(({ id, kind, members }) => [
      colours.yellow(`  ~ ${id} (${kind})`),
      ...members.map((change) => `      ${memberText(change)}`),
    ]),
  ];
}

function memberText({ path, before, after }: MemberChange): string {
  return printable(`${path}: ${valueText(before)} → ${valueText(after)}`);
}

function valueText(value: JsonValue | undefined): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}
