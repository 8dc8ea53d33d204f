import type { DecisionAnswer } from './answers.js';
import { type Screen, printable } from './screen.js';

type Colours = Screen['colours'];

/** A decision for people: the word and why, then what decided. */
export function decisionLines(decision: DecisionAnswer, colours: Colours): string[] {
  const { message, reason, approval, rate_limit: rateLimit, trace } = decision;
  const word = wordColour(decision, colours)(decision.decision);
  const facts: [name: string, value: string][] = [
    ['reason', reason],
    ...decision.rules.map((rule, index): [string, string] => [
      index === 0 ? 'rules' : '',
      ruleText(rule),
    ]),
  ];
  if (approval)
    facts.push(['approval', `${approval.id} ${approval.status}${until(approval.expires_at)}`]);
  if (rateLimit) {
    const { limit, remaining, reset } = rateLimit;
    facts.push(['quota', `${remaining} of ${limit} left, resets in ${reset} s`]);
  }
  if (decision.retry_at) facts.push(['retry at', decision.retry_at]);
  facts.push(['revision', String(decision.revision)]);
  if (decision.decision_id) facts.push(['id', decision.decision_id]);
  return [
    message ? `${word}: ${printable(message)}` : word,
    ...facts.map(([name, value]) => `  ${colours.dim(name.padEnd(8))}  ${printable(value)}`),
    ...(trace === undefined ? [] : traceLines(trace)),
  ];
}

function wordColour({ decision }: DecisionAnswer, colours: Colours): (text: string) => string {
  if (decision === 'allow') return colours.green;
  return decision === 'approval_required' ? colours.yellow : colours.red;
}

function ruleText(rule: DecisionAnswer['rules'][number]): string {
  if (rule.rule) return rule.rule.join(', ');
  const message = rule.message ? ` (${rule.message})` : '';
  return `${rule.id ?? '?'}, ${rule.kind}: ${rule.outcome ?? '?'}${message}`;
}

function until(time: string | null | undefined): string {
  return time ? ` until ${time}` : '';
}

/** `JSON.stringify` has escaped the control characters already. */
function traceLines(trace: unknown): string[] {
  return [
    '',
    'trace',
    ...JSON.stringify(trace, undefined, 2)
      .split('\n')
      .map((l) => `  ${l}`),
  ];
}
