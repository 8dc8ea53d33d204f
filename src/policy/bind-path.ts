/** Roots of a check that every grant is bound to, besides its context. */
const BOUND_ANYWAY: ReadonlySet<string> = new Set(['tenant', 'subject', 'action', 'resource']);

/** An entry of `approval.bind` as the path within `context` that it means. */
export function boundPath(entry: string): string {
  return entry.replace(/^context\./, '');
}

/**
 * Why an entry of `approval.bind` can bind nothing; undefined where it can. Entries are paths of the
 * context, `ticket` or `context.ticket`: all else of a check is bound whatever they say.
 */
export function bindFault(entry: string): string | undefined {
  if (entry === 'context') return 'name a member of the context, such as `context.ticket`';
  if (boundPath(entry) === 'comment') {
    return 'the comment is never bound, since each request has its own; remove it';
  }
  const [root = ''] = entry.split('.');
  if (!BOUND_ANYWAY.has(root)) return undefined;
  return `only the context needs binding, \`${root}\` is bound in any case; remove it, or write \`context.${entry}\` for a member of the context`;
}
