/** The five effects that node-casbin knows, and the text by which it knows each. */
const EFFECTS = {
  'allow-override': 'some(where (p.eft == allow))',
  'deny-override': '!some(where (p.eft == deny))',
  'allow-and-deny': 'some(where (p.eft == allow)) && !some(where (p.eft == deny))',
  priority: 'priority(p.eft) || deny',
  'subject-priority': 'subjectPriority(p.eft) || deny',
} as const;

/** How the matching rules of a check come to one answer. */
export type PolicyEffect = keyof typeof EFFECTS;

/** The text of an effect as node-casbin compares it. */
export function effectText(effect: PolicyEffect): string {
  return EFFECTS[effect].replaceAll('p.eft', 'p_eft');
}

/** Reads a policy effect: exactly as Casbin writes it, for node-casbin compares the text. */
export function parseEffect(text: string): { effect: PolicyEffect } | { fault: string } {
  const names = Object.keys(EFFECTS) as PolicyEffect[];
  const normal = (effect: string): string => effect.replaceAll('p_eft', 'p.eft');
  const exact = names.find((name) => EFFECTS[name] === normal(text));
  if (exact) {
    return { effect: exact };
  }
  const similar = names.find((name) => squeezed(EFFECTS[name]) === squeezed(normal(text)));
  if (similar) {
    return { fault: `write the effect exactly as \`${EFFECTS[similar]}\`` };
  }
  const known = names.map((name) => `\`${EFFECTS[name]}\``).join(', ');
  return { fault: `the effect \`${text}\` is not known; use one of ${known}` };
}

function squeezed(text: string): string {
  return text.replace(/\s/g, '').toLowerCase();
}
