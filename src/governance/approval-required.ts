import { Type } from '@sinclair/typebox';
import { parseDuration } from '../platform/duration.js';
import type {
  ApprovalRequiredRule,
  ApprovalTerms,
  Approvers,
  Risk,
  Stage,
} from './governance-rule.js';
import type { KindOfRule, TellFault } from './kind.js';
import { approversSchema, CLOSED, durationSchema } from './schema-parts.js';

interface WrittenApprovers {
  readonly roles?: readonly string[];
  readonly users?: readonly string[];
}

interface Written {
  readonly approval: {
    readonly risk?: Risk;
    readonly stages: readonly { readonly approvers: WrittenApprovers; readonly count?: number }[];
    readonly expires_after?: string;
    readonly escalate?: { readonly after: string; readonly to: WrittenApprovers };
    readonly grant?: { readonly mode?: 'once' | 'window'; readonly duration?: string };
  };
}

const DEFAULT = {
  risk: 'medium',
  count: 1,
  expiresAfter: '24h',
  mode: 'once',
  duration: '24h',
} as const;

/** `approval-required`: what the rule speaks of needs the yes of other people first. */
export const approvalRequired: KindOfRule<ApprovalRequiredRule, Written> = {
  kind: 'approval-required',
  members: {
    approval: Type.Object(
      {
        risk: Type.Optional(
          Type.Union(
            ['low', 'medium', 'high', 'critical'].map((risk) => Type.Literal(risk)),
            { default: DEFAULT.risk, description: 'Shown to approvers.' },
          ),
        ),
        stages: Type.Array(
          Type.Object(
            {
              approvers: approversSchema('Who may decide in this stage.'),
              count: Type.Optional(
                Type.Integer({
                  minimum: 1,
                  maximum: 100,
                  default: DEFAULT.count,
                  description: 'How many different people must approve.',
                }),
              ),
            },
            CLOSED,
          ),
          {
            minItems: 1,
            maxItems: 20,
            description: 'Taken in this order; one person counts once over all of them.',
          },
        ),
        expires_after: Type.Optional(
          durationSchema({
            default: DEFAULT.expiresAfter,
            description: 'How long a request stays open.',
          }),
        ),
        escalate: Type.Optional(
          Type.Object(
            {
              after: durationSchema({
                description: 'How long to wait; less than `expires_after`.',
              }),
              to: approversSchema('Who may decide as well from then on.'),
            },
            CLOSED,
          ),
        ),
        grant: Type.Optional(
          Type.Object(
            {
              mode: Type.Optional(
                Type.Union([Type.Literal('once'), Type.Literal('window')], {
                  default: DEFAULT.mode,
                  description: '`once`: for one check. `window`: for all checks in its duration.',
                }),
              ),
              duration: Type.Optional(
                durationSchema({
                  default: DEFAULT.duration,
                  description: 'How long the grant lasts from the approval on.',
                }),
              ),
            },
            CLOSED,
          ),
        ),
      },
      { ...CLOSED, description: 'Who must approve, and what the approval gives.' },
    ),
  },
  compile: ({ approval }, tell) => ({ approval: compileTerms(approval, tell) }),
};

function compileTerms(written: Written['approval'], tell: TellFault): ApprovalTerms {
  const spanOf = (text: string, pointer: string) =>
    milliseconds(text, (message) => tell(`/approval/${pointer}`, message));
  const stages = written.stages.map(({ approvers, count = DEFAULT.count }) => ({
    approvers: approversOf(approvers),
    count,
  }));
  checkCounts(stages, tell);
  const expiresAfter = spanOf(written.expires_after ?? DEFAULT.expiresAfter, 'expires_after');
  const grant = {
    mode: written.grant?.mode ?? DEFAULT.mode,
    duration: spanOf(written.grant?.duration ?? DEFAULT.duration, 'grant/duration'),
  };
  const terms = { risk: written.risk ?? DEFAULT.risk, stages, expiresAfter, grant };
  if (written.escalate === undefined) return terms;

  const after = spanOf(written.escalate.after, 'escalate/after');
  if (after >= expiresAfter) {
    const message = 'the request has expired by then; take less than `expires_after`';
    tell('/approval/escalate/after', message);
  }
  return { ...terms, escalate: { after, to: approversOf(written.escalate.to) } };
}

/** Stages of named users alone cannot need more people than they name, one stage or all of them. */
function checkCounts(stages: readonly Stage[], tell: TellFault): void {
  const everybody = new Set<string>();
  let needed = 0;
  stages.forEach(({ approvers: { roles, users }, count }, index) => {
    if (roles.length > 0) return;
    for (const user of users) everybody.add(user);
    needed += count;
    const named = Math.min(users.length, everybody.size - (needed - count));
    if (count <= named) return;
    const message = `\`${count}\` people are more than the users named so far; name more users, or lower the count`;
    tell(`/approval/stages/${index}/count`, message);
  });
}

function approversOf({ roles = [], users = [] }: WrittenApprovers): Approvers {
  return { roles, users };
}

/** Longer spans lead beyond the dates that can be written. */
const LONGEST = '3650d';

function milliseconds(text: string, tell: (message: string) => void): number {
  // The schema has let only durations through.
  const span = parseDuration(text) ?? 0;
  if (span > (parseDuration(LONGEST) ?? 0))
    tell(`\`${text}\` is too long; take at most \`${LONGEST}\``);
  return span;
}
