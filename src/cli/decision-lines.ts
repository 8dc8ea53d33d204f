import type { DecisionAnswer, TraceAnswer } from './answers.js';
import { type Screen, printable } from './screen.js';

type Colours = Screen['colours'];
/** A name, empty where it is that of the line before, and what it says. */
type Fact = readonly [name: string, value: string];

/** A decision for people: the word and why, then what decided. */
export function decisionLines(decision: DecisionAnswer, colours: Colours): string[] {
  const { message, reason, approval, rate_limit: rateLimit, trace } = decision;
  const word = wordColour(decision, colours)(decision.decision);
  const facts: Fact[] = [
    ['reason', reason],
    ...decision.rules.map((rule, index): Fact => [index === 0 ? 'rules' : '', ruleText(rule)]),
  ];
  if (approval) facts.push(['approval', `${approval.id} ${approval.status}${until(approval)}`]);
  if (rateLimit) {
    const { limit, remaining, reset } = rateLimit;
    facts.push(['quota', `${remaining} of ${limit} left, resets in ${reset} s`]);
  }
  if (decision.retry_at) facts.push(['retry at', decision.retry_at]);
  facts.push(['revision', String(decision.revision)]);
  if (decision.decision_id) facts.push(['id', decision.decision_id]);
  if (trace) facts.push(...traceFacts(trace));
  return [
    message ? `${word}: ${printable(message)}` : word,
    ...facts.map(([name, value]) => `  ${colours.dim(name.padEnd(8))}  ${printable(value)}`),
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

function until({ status, expires_at: time }: NonNullable<DecisionAnswer['approval']>): string {
  return time && status !== 'used' ? ` until ${time}` : '';
}

/** How the decision came about: by which bundle, as whom, and what each step found. */
function traceFacts({ bundle, roles, steps }: TraceAnswer): Fact[] {
  const commit = bundle?.commit ? `, commit ${bundle.commit}` : '';
  return [
    ['bundle', bundle ? `${bundle.number}, ${bundle.name}${commit}` : 'none was ever applied'],
    ['roles', roles.length > 0 ? roles.join(', ') : 'none'],
    ...steps.map(({ step, outcome, message }, index): Fact => {
      const why = message ? ` (${message})` : '';
      return [index === 0 ? 'steps' : '', `${step}: ${outcome}${why}`];
    }),
  ];
}
