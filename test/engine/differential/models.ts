import fc from 'fast-check';
import { type Model, type ModelOptions, parseModel } from '../../../src/engine/model.js';
import { modelText } from '../support.js';
import { EFFECT_TEXTS, type EffectName } from './alphabet.js';
import { type MatcherShape, matcherTexts } from './matchers.js';

/** What a model is written from. */
export interface ModelPlan {
  readonly effect: EffectName;
  readonly tokens: readonly string[];
  readonly fields: readonly string[];
  /** How many fields `g`, `g2`, … have. */
  readonly roles: readonly (2 | 3)[];
  readonly matcher: string;
  readonly options: ModelOptions;
}

/** A model without faults. */
export interface ModelSource {
  readonly plan: ModelPlan;
  readonly text: string;
  readonly model: Model;
}

/** The model of a plan; undefined where it would have faults. */
export function modelSource(plan: ModelPlan): ModelSource | undefined {
  const text = modelText({
    r: plan.tokens.join(', '),
    p: plan.fields.join(', '),
    e: EFFECT_TEXTS[plan.effect],
    g: plan.roles.map((arity) => (arity === 3 ? '_, _, _' : '_, _')),
    m: plan.matcher,
  });
  const parsed = parseModel(text, plan.options);
  return 'model' in parsed ? { plan, text, model: parsed.model } : undefined;
}

/** What the models of a run have in common. */
export interface ModelKind {
  readonly effect: EffectName;
  readonly hasTenant: boolean;
}

/** Paths for tokens that have none of their own. */
const PATHS: Readonly<Record<string, string>> = {
  env: 'resource.properties.env',
  ip: 'context.ip',
  level: 'context.level',
  id: 'resource.id',
  team: 'subject.properties.team',
};
/** Other paths for the tokens that have one: an id alone, a property that may be no text. */
const OTHER_PATHS: readonly Readonly<Record<string, string>>[] = [
  {},
  {},
  {},
  { obj: 'resource.id' },
  { obj: 'resource.id' },
  { act: 'context.act' },
  { sub: 'subject.properties.team' },
  { sub: 'context.user' },
];
const ROLE_MATCHERS = [
  'keyMatch',
  'keyMatch2',
  'keyMatch3',
  'keyMatch4',
  'keyMatch5',
  'regexMatch',
  'globMatch',
];

/** The names that a matcher reads of `r` or `p`, in their order, each once. */
function namesIn(matcher: string, of: 'r' | 'p'): readonly string[] {
  return [
    ...new Set(
      [...matcher.matchAll(new RegExp(`\\b${of}\\.(\\w+)`, 'g'))].map(([, name = '']) => name),
    ),
  ];
}

/** Models of this kind, without faults. */
export function models(kind: ModelKind): fc.Arbitrary<ModelSource> {
  return shapes(kind)
    .chain((shape) => fc.tuple(fc.constant(shape), matcherTexts(shape), trimmings(kind, shape)))
    .map(([shape, matcher, extra]) => modelSource(planOf(kind, shape, matcher, extra)))
    .filter((source) => source !== undefined);
}

/** What a model has besides its matcher. */
interface Trimmings {
  /** Fields that it has whether its matcher reads them or not. */
  readonly fields: readonly string[];
  readonly tokens: readonly string[];
  /** By what the fields are ordered: any numbers. */
  readonly order: readonly number[];
  readonly request: Readonly<Record<string, string>>;
  readonly rolePatterns: Readonly<Record<string, string>>;
}

function shapes({ effect, hasTenant }: ModelKind): fc.Arbitrary<MatcherShape> {
  const arity = hasTenant ? fc.constantFrom<2 | 3>(3, 3, 3, 2) : fc.constant<2 | 3>(2);
  const needsRoles = effect === 'subject-priority';
  return (
    fc
      .record({
        g: needsRoles ? arity : fc.option(arity, { freq: 4, nil: undefined }),
        g2: fc.option(arity, { freq: 2, nil: undefined }),
        g3: fc.constantFrom(undefined, undefined, undefined, 2 as const),
      })
      // Casbin counts its role types without a gap.
      .map(({ g, g2, g3 }) => ({
        hasTenant,
        g,
        g2: g === undefined ? undefined : g2,
        g3: g === undefined || g2 === undefined ? undefined : g3,
      }))
  );
}

function trimmings(
  { effect, hasTenant }: ModelKind,
  { g, g2 }: MatcherShape,
): fc.Arbitrary<Trimmings> {
  const own = effect === 'subject-priority' ? ['sub', 'obj', ...(g === 3 ? ['dom'] : [])] : [];
  const more = ['sub', 'obj', 'act', 'note', ...(hasTenant ? ['dom'] : [])];
  const eft =
    effect === 'allow-override'
      ? fc.constantFrom(['eft'], [])
      : fc.constantFrom(['eft'], ['eft'], ['eft'], []);
  const priority =
    effect === 'priority'
      ? fc.constantFrom(['priority'], ['priority'], [])
      : fc.constantFrom(['priority'], [], [], [], [], [], [], []);
  const matching = fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(...ROLE_MATCHERS) },
  );
  return fc
    .record({
      eft,
      priority,
      more: fc.subarray(more, { maxLength: 2 }),
      tokens: fc.subarray(['sub', 'obj', 'act', ...(hasTenant ? ['dom'] : [])]),
      order: fc.oneof(
        fc.constant([]),
        fc.array(fc.nat({ max: 9 }), { minLength: 12, maxLength: 12, size: 'max' }),
      ),
      request: fc.constantFrom(...OTHER_PATHS),
      g: g === undefined ? fc.constant(undefined) : matching,
      g2: g2 === undefined ? fc.constant(undefined) : matching,
    })
    .map((made) => ({
      fields: [...made.priority, ...own, ...made.more, ...made.eft],
      tokens: made.tokens,
      order: made.order,
      request: made.request,
      rolePatterns: {
        ...(made.g !== undefined && { g: made.g }),
        ...(made.g2 !== undefined && { g2: made.g2 }),
      },
    }));
}

function planOf(
  { effect }: ModelKind,
  shape: MatcherShape,
  matcher: string,
  extra: Trimmings,
): ModelPlan {
  const fields = [...new Set([...namesIn(matcher, 'p'), ...extra.fields])];
  const order = new Map(fields.map((field, index) => [field, extra.order[index] ?? 0]));
  fields.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
  const tokens = [...new Set([...namesIn(matcher, 'r'), ...extra.tokens, 'sub'])];
  const paths = Object.entries({ ...PATHS, ...extra.request });
  return {
    effect,
    tokens,
    fields: fields.length === 0 ? ['sub'] : fields,
    roles: [shape.g, shape.g2, shape.g3].filter((arity) => arity !== undefined),
    matcher,
    options: {
      request: Object.fromEntries(paths.filter(([token]) => tokens.includes(token))),
      rolePatterns: extra.rolePatterns,
    },
  };
}
