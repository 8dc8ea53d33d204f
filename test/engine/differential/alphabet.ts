import fc from 'fast-check';
import type { JsonValue } from '../../../src/vocabulary.js';

/**
 * What rules and checks are made of. Few values, so that they meet; each list begins with what is usual
 * and ends with what an engine might take for something else than plain text.
 */

/** Subjects and roles; chains of roles take `r0` and on. */
export const NAMES = ['alice', 'bob', 'carol', 'admin', 'editor', 'ops', 'r0', 'r9', 'r10', 'r11'];
export const TENANTS = ['acme', 'globex', 'initech'];
export const ACTIONS = ['read', 'write', 'delete'];
/** Groups of resources, for `g2`. */
export const GROUPS = ['group:board', 'group:all', 'document:1'];

/** Values that are the same to a loose comparison, a pattern or a careless key, and not the same. */
export const ODD = [
  '',
  '*',
  '1',
  '01',
  '1e0',
  ' 1',
  '0',
  'true',
  'null',
  'undefined',
  'NaN',
  'a,b',
  'a',
  'b',
  '"q"',
  "it's",
  'a\\b',
  '**',
  'a*b*',
  '*a',
  'é',
  'e\u0301',
  '😀',
  '😀*',
  'constructor',
  '__proto__',
  'acme',
  'admin',
  'alice',
  'document:1',
  'agent:ci',
  '[object Object]',
] as const;

/** Texts that hold what no bundle may: half a surrogate pair, a newline, a NUL. */
export const UNCLEAN = ['\ud83d', 'a\nb', '\0'] as const;

/** Resources as checks name them: `type:id`, or for a model that reads ids alone, the id. */
export const OBJECTS = [
  'document:1',
  'document:10',
  'document:1/x',
  'document:',
  'document:*',
  'path:/x',
  'path:/x/',
  'path:/x/7',
  'path:/x/7/y',
  'path:/x/7/y/7',
  'path:/x/7/y/8',
  'path:/x/7/y/7?q=1',
  'group:board',
  'document:😀',
  'document:é',
];
export const IDS = [
  '1',
  '10',
  '/x',
  '/x/7',
  '/x/7/y',
  '/x/7/y/7',
  '10.0.0.1',
  '*',
  '',
  'a*b*',
  '😀',
];

/** Patterns by the function that reads them, each beside some that only another one knows. */
export const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  keyMatch: [
    'document:*',
    'document:1*',
    'path:/x/*',
    '*',
    'path:*/y',
    'd*c*',
    'document:1**',
    '/x/*',
  ],
  keyMatch2: ['path:/x/:id', 'path:/x/:id/y', 'path:/x/*', 'document:*', '*', '/x/:id', '/:a/:b'],
  keyMatch3: ['path:/x/{id}', 'path:/x/{id}/y', 'path:/x/*', 'document:.*', '/x/{id}', '/{a}/{b}'],
  keyMatch4: ['path:/x/{id}/y/{id}', 'path:/x/{id}/y/{other}', 'path:/x/{id}', '/x/{id}/y/{id}'],
  keyMatch5: ['path:/x/{id}/y/{other}', 'path:/x/{id}', 'path:/x/*', '/x/{id}', 'document:1?'],
  regexMatch: [
    '^document:1?$',
    '^path:/x*/7',
    '^documents{0,2}:',
    '^document',
    'document:[0-9]+$',
    '^path:/x/[^/]+$',
    'x',
    '.*',
    '^(read|write)$',
    '1',
  ],
  globMatch: ['document:*', 'path:/x/*', 'path:/x/**', '*', '**', '*:1', 'document:[0-9]', '/x/*'],
  ipMatch: ['10.0.0.0/8', '10.0.0.1', '10.0.0.1/32', '0.0.0.0/0', '::1', 'fe80::/10'],
  keyGet: ['document:*', 'path:/x/*', 'path:/x/7', '*', '/x/*'],
  keyGet2: ['path:/x/:id', 'path:/:a/:id', 'path:/x/:id/y', '/x/:id'],
};

/** Casbin's functions over patterns. */
export const BUILTINS: readonly string[] = Object.keys(PATTERNS);

/** Patterns that the function refuses, or that its author would refuse. */
export const BAD_PATTERNS: Readonly<Record<string, readonly string[]>> = {
  keyMatch: [],
  keyMatch2: ['/x/:', '/x/:id(', '['],
  keyMatch3: ['/a/{x', '/x/{id}(', '['],
  keyMatch4: ['/x/{id}(a)', '/a/{x', '(x)/{id}'],
  keyMatch5: ['/a/{x', '/{}', '['],
  regexMatch: ['(', '[', '(?=x)', '\\1', 'a{2000}'],
  globMatch: ['{a,b}', '+(a)', '*a*b*c', '**/**/**/**'],
  ipMatch: ['', 'x', '10.0.0.0/33', '10.0.0', '1'],
  keyGet: [],
  keyGet2: ['/x/:', '['],
};

/** Addresses as `context.ip` gives them. */
export const ADDRESSES = ['10.0.0.1', '10.1.2.3', '192.168.0.1', '::1', 'fe80::1', 'x', ''];

/** Values of `p.env` and `p.level`: texts that numbers and other JSON may equal. */
export const LOOSE = ['prod', 'dev', '1', '01', '1e0', ' 1', '0', '', 'true', 'null', '1,2', '3'];

/** Values of the properties and the context of a check. */
export const JSON_VALUES: readonly JsonValue[] = [
  'prod',
  'dev',
  '1',
  '',
  '01',
  1,
  0,
  -0,
  3,
  4.5,
  1e21,
  true,
  false,
  null,
  [],
  [1],
  ['prod'],
  [1, 2],
  [null],
  {},
  { a: 1 },
];

/** What `p.cond` may hold; tokens that a model lacks make some of them refused. */
export const CONDITIONS = [
  'true',
  'false',
  '1',
  '0',
  'r.sub == "alice"',
  'r.obj == "document:1"',
  "r.act in ['read', 'write']",
  'r.context.n > 3',
  'r.context.flag',
  'r.resource.properties.owner == r.subject.id',
  'keyMatch(r.obj, "document:*")',
  'g(r.sub, "admin")',
  'g(r.sub, "admin", r.dom)',
  'r.act == p.act',
  'r.sub',
  'null',
  'r.context.missing == 1 || true',
  'regexMatch(r.act, "^re")',
];
export const BAD_CONDITIONS = [
  '',
  'r.typo == 1',
  'true) || (true',
  'process.exit()',
  'eval(p.cond)',
];

export const EFFECT_TEXTS = {
  'allow-override': 'some(where (p.eft == allow))',
  'deny-override': '!some(where (p.eft == deny))',
  'allow-and-deny': 'some(where (p.eft == allow)) && !some(where (p.eft == deny))',
  priority: 'priority(p.eft) || deny',
  'subject-priority': 'subjectPriority(p.eft) || deny',
} as const;
/** One of Casbin's five effects, by our name for it. */
export type EffectName = keyof typeof EFFECT_TEXTS;
export const EFFECTS = Object.keys(EFFECT_TEXTS) as readonly EffectName[];

/** One of a list, now and then an odd value. */
export function usually(values: readonly string[], share = 10): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: share, arbitrary: fc.constantFrom(...values) },
    { weight: 1, arbitrary: fc.constantFrom(...ODD) },
  );
}
