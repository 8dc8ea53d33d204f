/** The functions that read `/:name` or `/{name}` in a pattern as one path segment. */
export type KeyDialect = 'keyMatch2' | 'keyMatch3' | 'keyMatch4' | 'keyMatch5';

const PLACEHOLDER = {
  keyMatch2: { start: '/:', named: /(.*):[^/]+(.*)/g, segment: '$1[^/]+$2' },
  keyMatch3: { start: '/{', named: /(.*){[^/]+}(.*)/g, segment: '$1[^/]+$2' },
  keyMatch4: { start: '/{', named: /(.*){[^/]+}(.*)/g, segment: '$1([^/]+)$2' },
  keyMatch5: { start: '/{', named: /(.*){[^/]+}(.*)/g, segment: '$1[^/]+$2' },
} as const;

const MAX_LENGTH = 1000;

/**
 * The regular expression that node-casbin makes of a key pattern. Its replacement goes on for as long
 * as `/:` or `/{` is left, for ever where it is no placeholder (`/x/:`, `/a/{x`): that throws here.
 */
export function keyPattern(dialect: KeyDialect, pattern: string): string {
  const { start, named, segment } = PLACEHOLDER[dialect];
  if (pattern.length > MAX_LENGTH) {
    throw new Error(`the pattern is longer than ${MAX_LENGTH} characters`);
  }
  let expanded = pattern.replace(/\/\*/g, '/.*');
  while (expanded.includes(start)) {
    const next = expanded.replace(named, segment);
    if (next === expanded) {
      throw new Error(
        `\`${start}\` in \`${pattern}\` starts no placeholder; write \`${start === '/:' ? '/:name' : '/{name}'}\``,
      );
    }
    expanded = next;
  }
  return dialect === 'keyMatch2' && expanded === '*' ? '^(.*)$' : `^${expanded}$`;
}

/** How many `{name}` placeholders `keyMatch4` counts in a pattern. */
export function captureCount(pattern: string): number {
  return pattern.replace(/\/\*/g, '/.*').match(/}/g)?.length ?? 0;
}

/**
 * Whether the captures of `keyMatch4` agree: as in node-casbin, as soon as any name occurs twice, all
 * of them must be equal.
 */
export function keyMatch4Captures(pattern: string, captures: readonly unknown[]): boolean {
  const names = placeholderNames(pattern);
  if (names.length !== captures.length) {
    throw new Error(`\`${pattern}\` may hold no groups besides \`{name}\``);
  }
  const isRepeated = new Set(names).size < names.length;
  return !isRepeated || captures.every((capture) => capture === captures[0]);
}

function placeholderNames(pattern: string): readonly string[] {
  const names: string[] = [];
  let open = -1;
  Array.from({ length: pattern.length }, (_, i) => pattern.charAt(i)).forEach((char, i) => {
    if (char === '{') {
      open = i;
    } else if (char === '}') {
      names.push(pattern.slice(Math.max(open, 0), i + 1));
    }
  });
  return names;
}
