import type { RuleLine } from '../../../src/vocabulary.js';
import type { Finding } from './smallest.js';

/** A finding for its reader: everything that is needed to see it again. */
export function reported({ scenario, difference }: Finding): string {
  const { source, lines, changes, checks } = scenario;
  const { asked, expected, actual, check, step } = difference;
  return [
    source.text.trim(),
    `options: ${JSON.stringify(source.plan.options)}`,
    'rules, by rank:',
    ...listed(lines),
    ...changes.flatMap(({ added, removed }, index) => [
      `change ${index + 1}, which removes`,
      ...listed(removed),
      'and adds',
      ...listed(added),
    ]),
    ...(checks.length > 1 ? [`${checks.length} checks are asked`] : []),
    ...(check === undefined ? [] : [`check: ${JSON.stringify(check)}`]),
    `asked after ${step} changes: ${asked}`,
    `node-casbin: ${shown(expected)}`,
    `this engine: ${shown(actual)}`,
  ].join('\n');
}

function listed(lines: readonly RuleLine[]): readonly string[] {
  return lines.length === 0 ? ['  nothing'] : lines.map((line) => `  ${JSON.stringify(line)}`);
}

function shown(answer: unknown): string {
  return typeof answer === 'string' ? answer : (JSON.stringify(answer) ?? 'undefined');
}
