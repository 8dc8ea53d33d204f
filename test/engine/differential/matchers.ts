import fc from 'fast-check';

/** What a matcher may speak of. */
export interface MatcherShape {
  readonly hasTenant: boolean;
  /** Fields of `g`, `g2` and `g3`; undefined where the model has it not. */
  readonly g: 2 | 3 | undefined;
  readonly g2: 2 | 3 | undefined;
  readonly g3: 2 | undefined;
}

/** Texts that take the tenant's place in a role relation, most often `r.dom`. */
const TENANT_ARGUMENTS = ['r.dom', 'r.dom', 'r.dom', 'r.dom', 'p.dom', '"acme"'];

const SUBJECTS = [
  'r.sub == p.sub',
  'r.sub == p.sub',
  'p.sub == r.sub',
  'r.sub === p.sub',
  'r.subject.id == p.sub',
  '(r.sub == p.sub || p.sub == "*")',
  '(p.sub == "*" || p.sub == "" || p.sub == r.sub)',
  'keyMatch(r.sub, p.sub)',
  'r.sub in [p.sub, "alice"]',
  'p.sub in [r.sub, "admin", ""]',
  'regexMatch(r.sub, p.sub)',
  '(r.sub == p.sub || r.sub == "alice")',
  '(r.sub != p.sub)',
];
const SUBJECT_ROLES = [
  'g(r.sub, p.sub@)',
  'g(r.sub, p.sub@)',
  'g(r.sub, p.sub@)',
  'g(r.sub, p.sub@)',
  'g(r.subject.id, p.sub@)',
  '(g(r.sub, p.sub@) || p.sub == "*")',
  '(r.sub == p.sub || g(r.sub, p.sub@))',
  'g(r.sub, "admin"@)',
  'g("alice", p.sub@)',
  'g(p.sub, r.sub@)',
  '(g(r.sub, p.sub@) || g(r.sub, "admin"@))',
  '!g(r.sub, p.sub@)',
  'g(p.sub, "ops"@)',
  'g(r.sub, p.sub@) == true',
];
const TENANTS = [
  'r.dom == p.dom',
  'r.dom == p.dom',
  'r.dom == p.dom',
  'p.dom == r.dom',
  'r.dom === p.dom',
  '(r.dom == p.dom || p.dom == "*")',
  '(p.dom == "" || p.dom == r.dom)',
  'keyMatch(r.dom, p.dom)',
  'r.dom in [p.dom, "globex"]',
];
const RESOURCES = [
  'r.obj == p.obj',
  'r.obj == p.obj',
  'p.obj == r.obj',
  'keyMatch(r.obj, p.obj)',
  'keyMatch(r.obj, p.obj)',
  'keyMatch2(r.obj, p.obj)',
  'keyMatch2(r.obj, p.obj)',
  'keyMatch3(r.obj, p.obj)',
  'keyMatch4(r.obj, p.obj)',
  'keyMatch5(r.obj, p.obj)',
  'regexMatch(r.obj, p.obj)',
  'globMatch(r.obj, p.obj)',
  'globMatch(r.obj, p.obj)',
  '(p.obj == "*" || r.obj == p.obj)',
  '(keyMatch(r.obj, p.obj) || p.obj == "")',
  '(keyMatch(r.obj, p.obj) || keyMatch2(r.obj, p.obj) || r.obj == p.obj)',
  'keyMatch(r.obj, "document:*")',
  'keyMatch(p.obj, "document:*")',
  'keyGet(r.obj, p.obj) == "1"',
  'keyGet2(r.obj, p.obj, "id") == "7"',
  'keyGet2(r.obj, p.obj, "id") != ""',
  'keyGet(r.obj, p.obj)',
  'keyGet2(r.obj, p.obj, "id")',
  'r.resource.type == p.obj',
];
const RESOURCE_GROUPS = [
  'g2(r.obj, p.obj@)',
  'g2(r.obj, p.obj@)',
  '(keyMatch(r.obj, p.obj) || g2(r.obj, p.obj@))',
  '(g2(r.obj, p.obj@) || keyMatch2(r.obj, p.obj))',
  'g2(r.obj, "group:board"@)',
  'g2(p.obj, r.obj@)',
];
const ACTIONS = [
  'r.act == p.act',
  'r.act == p.act',
  'r.act == p.act',
  'p.act == r.act',
  'r.action.name == p.act',
  'keyMatch(r.act, p.act)',
  'regexMatch(r.act, p.act)',
  '(r.act == p.act || p.act == "*")',
  '(p.act == "*" || p.act == "read" && r.act != "delete")',
  'r.act in ["read", p.act]',
  'r.act in ["read", "write"]',
  'p.act !== "delete"',
];
const ATTRIBUTES = [
  'r.env == p.env',
  'r.env == p.env',
  'p.env == r.env',
  'r.env === p.env',
  'r.env != p.env',
  '(r.env == p.env || p.env == "*")',
  'r.resource.properties.env == p.env',
  'p.env == r.context.any',
  'r.env in [p.env, "prod"]',
  '(p.env in r.context.tags)',
  'r.env < p.env',
  'p.env >= r.env',
  'r.env + 1 == p.env',
  '(r.env ? r.sub == p.sub : p.env == "")',
  'ipMatch(r.ip, p.ip)',
  'ipMatch(r.ip, p.ip)',
  'ipMatch(r.context.ip, "10.0.0.0/8")',
  '(p.ip == "" || ipMatch(r.ip, p.ip))',
  'eval(p.cond)',
  'eval(p.cond)',
  'r.level > p.level',
  'r.level - p.level',
  'r.level * p.level',
  '(r.level == p.level && r.level != 0)',
  'r.id == p.id',
  'r.id == p.id',
];
/** Conditions on the request alone, most of which can only come to yes or no. */
const CONDITIONS = [
  'r.sub != "bob"',
  'r.sub == "alice"',
  'r.act == "read"',
  'r.act != "delete"',
  '(r.act in ["read", "write"])',
  '!(r.act == "delete")',
  '(r.sub == "alice" || r.act == "read")',
  'keyMatch(r.obj, "document:*")',
  'keyMatch2(r.obj, "path:/x/:id")',
  'globMatch(r.obj, "document:*")',
  'ipMatch(r.ip, "10.0.0.0/8")',
  'g(r.sub, "admin"@)',
  'g2(r.obj, "group:board"@)',
  'r.context.flag',
  '!r.context.flag',
  'r.context.n > 3',
  'r.context.n == 1',
  'r.resource.properties.owner == r.sub',
  '(r.context.flag == true || r.sub == "alice")',
  'false',
];
/** Parts that read no rule, may fail, or come to something else than yes and no. */
const OTHERS = [
  'r.context.n > 3',
  'r.context.n > 3',
  'r.context.n',
  'r.context.n - 3',
  '-r.context.n',
  'r.context.flag',
  '!r.context.flag',
  'r.context.any',
  'r.context.any * 2',
  'r.context.a.b == 1',
  'r.resource.properties.owner == r.subject.id',
  'r.sub == r.resource.properties.owner',
  '"a" in r.context.tags',
  '(r.context.flag ? r.obj == p.obj : true)',
  '(r.context.flag ? r.act == p.act : r.sub == p.sub)',
  '(r.sub == "alice" ? 3 : 1)',
  'p.sub',
  'p.act',
  'r.act',
  'p.sub < r.sub',
  'p.sub >= r.sub',
  'p.sub <= r.sub',
  'p.act > r.act',
  'p.obj > p.sub',
  'p.sub == p.obj',
  'p.sub == p.act',
  'p.sub != "bob"',
  'p.obj != ""',
  'r.sub != "bob"',
  'r.act == "read"',
  'true',
  'false',
  '1',
  '0',
  '2',
  '3',
  'null',
  '""',
  '"x"',
];

/** Whether a part can be written under this shape. */
function isWritable({ hasTenant, g, g2, g3 }: MatcherShape): (text: string) => boolean {
  return (text) =>
    (hasTenant || !/[rp]\.dom/.test(text)) &&
    (g !== undefined || !/\bg\(/.test(text)) &&
    (g2 !== undefined || !/\bg2\(/.test(text)) &&
    (g3 !== undefined || !/\bg3\(/.test(text));
}

/** One of these parts, `@` replaced by the tenant that the relation takes, if it takes one. */
function part(texts: readonly string[], arity: 2 | 3 | undefined): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...texts), fc.constantFrom(...TENANT_ARGUMENTS))
    .map(([text, tenant]) => grouped(text.replaceAll('@', arity === 3 ? `, ${tenant}` : '')));
}

/** `in` binds so weakly that it needs brackets beside anything else. */
function grouped(text: string): string {
  return text.includes(' in ') && !text.startsWith('(') ? `(${text})` : text;
}

/** A tree of these parts: mostly their conjunction, else anything that operators make of them. */
function combined(parts: readonly string[]): fc.Arbitrary<string> {
  const conjunction = fc.constant(parts.join(' && '));
  const anyTree = fc
    .array(fc.nat({ max: 11 }), { minLength: parts.length, maxLength: parts.length, size: 'max' })
    .map((operators) =>
      parts.reduce((left, right, index) => joined(left, right, operators[index] ?? 0)),
    );
  return parts.length < 2
    ? conjunction
    : fc.oneof({ weight: 2, arbitrary: conjunction }, { weight: 1, arbitrary: anyTree });
}

function joined(left: string, right: string, operator: number): string {
  switch (operator) {
    case 0:
    case 1:
      return `${left} || (${right})`;
    case 2:
      return `(${left}) && !(${right})`;
    case 3:
      return `((${left}) ? (${right}) : false)`;
    case 4:
      return `(${right}) && (${left})`;
    case 5:
      return `!(!(${left}) || !(${right}))`;
    case 6:
      return `(${left} || ${right}) && ${right}`;
    case 7:
      return `(${left} && ${right}) || (${right} && ${left})`;
    default:
      return `(${left}) && (${right})`;
  }
}

/** Casbin takes a blank before a bracket for the start of a list as soon as ` in ` occurs. */
function withoutAccidentalLists(text: string): string {
  return text.includes(' in ') ? text.replaceAll(' (', '(').replaceAll(', ', ',') : text;
}

/** Matchers: those that authors write, and what else the grammar lets through. */
export function matcherTexts(shape: MatcherShape): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 15, arbitrary: ofColumns(shape) },
    { weight: 1, arbitrary: ofRequests(shape) },
  );
}

/** Matchers that read no rule, or none to speak of. */
function ofRequests(shape: MatcherShape): fc.Arbitrary<string> {
  const conditions = part([...CONDITIONS, ...OTHERS].filter(isWritable(shape)), shape.g);
  const tenant = shape.hasTenant
    ? fc.constantFrom('r.dom == "acme"', 'r.dom != "globex" && r.dom == "initech"')
    : fc.constant('true');
  return fc
    .tuple(conditions, tenant, fc.boolean())
    .map(([one, other, isFirst]) => (isFirst ? `${one} && ${other}` : `${other} && ${one}`))
    .map(withoutAccidentalLists);
}

/** Matchers with a part for each column, or most of them. */
function ofColumns(shape: MatcherShape): fc.Arbitrary<string> {
  const { hasTenant, g, g2, g3 } = shape;
  const writable = isWritable(shape);
  const some = (texts: readonly string[], arity?: 2 | 3) => part(texts.filter(writable), arity);
  const subject =
    g === undefined
      ? some(SUBJECTS)
      : fc.oneof(some(SUBJECT_ROLES, g), some(SUBJECT_ROLES, g), some(SUBJECTS));
  const resource =
    g2 === undefined ? some(RESOURCES) : fc.oneof(some(RESOURCE_GROUPS, g2), some(RESOURCES));
  const action =
    g3 === undefined ? some(ACTIONS) : fc.oneof(fc.constant('g3(r.act, p.act)'), some(ACTIONS));
  const maybe = (text: fc.Arbitrary<string>, freq: number) => fc.option(text, { freq });
  return fc
    .tuple(
      maybe(subject, 9),
      hasTenant ? maybe(some(TENANTS), 9) : fc.constant(null),
      maybe(resource, 6),
      maybe(action, 6),
      fc.oneof(
        { weight: 3, arbitrary: fc.constant(null) },
        { weight: 2, arbitrary: some(ATTRIBUTES) },
      ),
      fc.oneof(
        { weight: 4, arbitrary: fc.constant(null) },
        { weight: 2, arbitrary: fc.oneof(some(CONDITIONS, g), some(CONDITIONS, g2)) },
        { weight: 1, arbitrary: some(OTHERS) },
      ),
      fc.oneof(
        { weight: 8, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.oneof(some(OTHERS), some(ATTRIBUTES)) },
      ),
    )
    .map((texts) => texts.filter((text) => text !== null))
    .filter((texts) => texts.length > 0)
    .chain((texts) => fc.shuffledSubarray(texts, { minLength: texts.length }))
    .chain((texts) => combined(texts))
    .map(withoutAccidentalLists);
}
