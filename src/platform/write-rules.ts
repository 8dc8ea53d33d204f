import type { DecidingRule, RuleLine } from '../vocabulary.js';

/** Whatever JSON would escape, and all that is not ASCII. */
const NOT_PLAIN = /[^ !#-[\]-~]/;

/** A text as JSON: what `JSON.stringify` gives, in less time for most. */
export function quoted(text: string): string {
  return NOT_PLAIN.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** The rules of a decision as JSON: what `JSON.stringify` gives, byte for byte, in half of its time. */
export function writeRules(rules: readonly DecidingRule[]): string {
  let text = '[';
  let comma = '';
  for (const rule of rules) {
    text += comma + writeRule(rule);
    comma = ',';
  }
  return `${text}]`;
}

function writeRule(rule: DecidingRule): string {
  if (rule.kind === 'casbin') return `{"kind":"casbin","rule":${writeLine(rule.rule)}}`;
  const { id, kind, outcome, message } = rule;
  const text = `{"id":${quoted(id)},"kind":"${kind}","outcome":"${outcome}"`;
  return message === undefined ? `${text}}` : `${text},"message":${quoted(message)}}`;
}

function writeLine(line: RuleLine): string {
  let text = '[';
  let comma = '';
  for (const field of line) {
    text += comma + quoted(field);
    comma = ',';
  }
  return `${text}]`;
}
