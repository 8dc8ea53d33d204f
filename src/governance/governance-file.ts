import type { BundleFault } from '../errors.js';
import { canonicalJson, sha256Hex } from '../platform/json.js';
import { compileSchema, listFaults, listIn, type ListSchema } from '../platform/schema-faults.js';
import { atOnce, type Work } from '../platform/turns.js';
import { parsingYaml, type Position, type YamlDocument } from '../platform/yaml.js';
import { WideMap } from '../platform/wide-map.js';
import type { GovernanceKind } from '../vocabulary.js';
import { compileCondition } from './condition.js';
import type { Condition, GovernanceRule, Match } from './governance-rule.js';
import { anyRuleSchema, governanceFileSchema, KINDS, termsSchema } from './governance-schema.js';
import type { KindOfRule } from './kind.js';
import { memberOf } from '../platform/written-member.js';

/** What a governance file comes to. `rules` are to be used only where there are no faults. */
export interface CompiledGovernanceFile {
  readonly rules: GovernanceRule[];
  /** The ids that its rules give themselves, those of faulty rules too, each once with its line. */
  readonly ids: readonly (readonly [id: string, line: number])[];
  readonly faults: BundleFault[];
}

/** A rule as written, once its schema holds. */
interface WrittenRule {
  readonly id: string;
  readonly kind: GovernanceKind;
  readonly description?: string;
  readonly match?: { readonly [Member in keyof Match]?: string | readonly string[] };
  readonly when?: string;
}

const checkRule = compileSchema(anyRuleSchema);
const fileSchema: ListSchema = {
  check: compileSchema(governanceFileSchema),
  list: 'rules',
  checkItem: checkRule,
};

const termChecks = {
  'time-window': compileSchema(termsSchema('time-window')),
  'require-comment': compileSchema(termsSchema('require-comment')),
  'approval-required': compileSchema(termsSchema('approval-required')),
  'rate-limit': compileSchema(termsSchema('rate-limit')),
} as const satisfies Record<GovernanceKind, unknown>;

/**
 * Compiles a governance file. All faults of the file come back at once, sorted by place: those of
 * YAML, which stand alone only where its syntax is broken, of the schema, of expressions, patterns,
 * time zones and of everything else that could not work.
 */
export function compileGovernanceFile(file: string, text: string): CompiledGovernanceFile {
  return atOnce(compilingGovernanceFile(file, text));
}

/** `compileGovernanceFile` as work of many turns: it pauses after each rule. */
export function* compilingGovernanceFile(file: string, text: string): Work<CompiledGovernanceFile> {
  const { document, faults: flaws } = yield* parsingYaml(text);
  const faults: BundleFault[] = flaws.map((fault) => ({ file, ...fault }));
  if (document === undefined) return { rules: [], ids: [], faults };
  yield;
  for (const fault of yield* listFaults(fileSchema, document)) faults.push({ file, ...fault });
  const tell = ({ line, column }: Position, message: string): void => {
    faults.push({ file, line, column, message });
  };
  const written = listIn(document, fileSchema.list);
  const ids = yield* idsOf(written, document, tell);
  const rules: GovernanceRule[] = [];
  for (const [index, rule] of written.entries()) {
    yield;
    const compiled = new RuleCompiler(file, document, `/rules/${index}`, tell).compile(rule);
    if (compiled !== undefined) rules.push(compiled);
  }
  faults.sort((a, b) => a.line - b.line || a.column - b.column);
  return { rules, ids, faults };
}

type Tell = (place: Position, message: string) => void;

/** Compiles one rule of a file. */
class RuleCompiler {
  readonly #file: string;
  readonly #document: YamlDocument;
  readonly #root: string;
  readonly #tell: Tell;

  constructor(file: string, document: YamlDocument, root: string, tell: Tell) {
    this.#file = file;
    this.#document = document;
    this.#root = root;
    this.#tell = tell;
  }

  /** Undefined where the rule breaks its schema; what holds its own is checked all the same. */
  compile(rule: unknown): GovernanceRule | undefined {
    const when = this.#condition(memberOf(rule, 'when'));
    if (!isWritten(rule)) {
      if (hasTerms(rule)) this.#terms<GovernanceRule, never>(KINDS[rule.kind], rule);
      else this.#inspect(rule);
      return undefined;
    }
    const base = {
      id: rule.id,
      match: matchOf(rule.match),
      digest: digestOf(rule),
      source: { file: this.#file, line: this.#document.at(this.#root).line },
      ...(rule.description === undefined ? {} : { description: rule.description }),
      ...(when === undefined ? {} : { when }),
    };
    const { kind } = rule;
    if (kind === 'time-window') return { ...base, kind, ...this.#terms(KINDS[kind], rule) };
    if (kind === 'require-comment') return { ...base, kind, ...this.#terms(KINDS[kind], rule) };
    if (kind === 'approval-required') return { ...base, kind, ...this.#terms(KINDS[kind], rule) };
    return { ...base, kind, ...this.#terms(KINDS[kind], rule) };
  }

  #terms<Rule extends GovernanceRule, Written>(
    kind: KindOfRule<Rule, Written>,
    rule: Pick<WrittenRule, 'kind'>,
  ): ReturnType<KindOfRule<Rule, Written>['compile']> {
    // The schema of the kind has passed: the rule carries the kind's own members.
    return kind.compile(rule as unknown as Written, this.#tellAt);
  }

  #inspect(rule: unknown): void {
    const kind = memberOf(rule, 'kind');
    if (isKind(kind)) KINDS[kind].inspect?.(rule, this.#tellAt);
  }

  readonly #tellAt = (pointer: string, message: string): void => {
    const at = this.#root + pointer;
    if (!this.#document.isFlawed(at)) this.#tell(this.#document.at(at), message);
  };

  #condition(source: unknown): Condition | undefined {
    if (typeof source !== 'string' || source === '') return undefined;
    if (this.#document.isFlawed(`${this.#root}/when`)) return undefined;
    const compiled = compileCondition(source);
    if (!('faults' in compiled)) return compiled;
    for (const { offset, message } of compiled.faults) {
      this.#tell(this.#document.within(`${this.#root}/when`, offset), message);
    }
    return undefined;
  }
}

function isWritten(rule: unknown): rule is WrittenRule {
  return checkRule(rule).length === 0;
}

/** Whether the members of its kind are as they should be, whatever is wrong with the rest. */
function hasTerms(rule: unknown): rule is Pick<WrittenRule, 'kind'> {
  const kind = memberOf(rule, 'kind');
  return isKind(kind) && termChecks[kind](rule).length === 0;
}

/**
 * The digest of what a rule does. Its description does nothing: with other words it is the same rule,
 * and the grants given under it hold.
 */
function digestOf({ description: _, ...rule }: WrittenRule): string {
  return sha256Hex(canonicalJson(rule));
}

function isKind(kind: unknown): kind is GovernanceKind {
  return typeof kind === 'string' && Object.hasOwn(KINDS, kind);
}

function matchOf(written: WrittenRule['match'] = {}): Match {
  const lists = Object.entries(written).map(([member, patterns]) => [
    member,
    typeof patterns === 'string' ? [patterns] : patterns,
  ]);
  return Object.fromEntries(lists);
}

/** The ids of the rules, with the lines that these begin in; tells those that are given twice. */
function* idsOf(
  rules: readonly unknown[],
  document: YamlDocument,
  tell: Tell,
): Work<CompiledGovernanceFile['ids']> {
  const lines = new WideMap<number>();
  const ids: [id: string, line: number][] = [];
  for (const [index, rule] of rules.entries()) {
    yield;
    const id = memberOf(rule, 'id');
    if (typeof id !== 'string') continue;
    const first = lines.get(id);
    if (first === undefined) {
      const { line } = document.at(`/rules/${index}`);
      lines.set(id, line);
      ids.push([id, line]);
    } else {
      const place = document.at(`/rules/${index}/id`);
      tell(place, `the id \`${id}\` is given twice, first in line ${first}; rename one`);
    }
  }
  return ids;
}
