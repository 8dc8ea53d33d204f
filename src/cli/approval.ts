import type { Command } from 'commander';
import { ApprovalAnswer } from './answers.js';
import { allItems } from './pages.js';
import { createScreen, printable } from './screen.js';
import { connect, type ServerOptions, withServer } from './server-command.js';
import type { Surroundings } from './surroundings.js';

interface ListOptions extends ServerOptions {
  readonly status?: string;
  readonly view?: string;
  readonly quiet?: boolean;
}

interface StepOptions extends ServerOptions {
  readonly comment?: string;
}

const STEPS = {
  approve: 'say yes to a request',
  reject: 'say no to a request',
  cancel: 'take a request back',
  revoke: 'take a grant back',
} as const;

/** `countersign approval …`: requests for approval, and what people decide about them. */
export function addApproval(program: Command, surroundings: Surroundings): void {
  const approval = program.command('approval').description('list and decide requests for approval');
  addList(approval, surroundings);
  for (const [step, description] of Object.entries(STEPS)) {
    addStep(approval, surroundings, step, description);
  }
}

function addList(approval: Command, surroundings: Surroundings): void {
  const command = approval
    .command('list')
    .description('list requests')
    .option('--status <status>', 'pending, approved, used, lapsed, rejected, …')
    .option('--view <view>', 'inbox (for you to decide), mine, or all')
    .option('-q, --quiet', 'print the ids alone');
  withServer(command).action(async (options: ListOptions) => {
    const screen = createScreen(surroundings);
    const client = await connect(surroundings, options);
    const query = new URLSearchParams();
    if (options.status !== undefined) query.set('status', options.status);
    if (options.view !== undefined) query.set('view', options.view);
    const path = query.size === 0 ? '/v1/approvals' : `/v1/approvals?${query.toString()}`;
    const approvals = await allItems(client, path, ApprovalAnswer);
    if (options.json) return screen.data(approvals);
    if (options.quiet) return approvals.forEach(({ id }) => screen.say(id));
    if (approvals.length === 0) return screen.say('no requests');
    screen.table(
      ['id', 'status', 'tenant', 'request', 'by', 'expires'],
      approvals.map((a) => [
        a.id,
        a.status,
        a.tenant,
        requestOf(a),
        a.requester,
        a.expires_at ?? '',
      ]),
    );
  });
}

function addStep(
  approval: Command,
  surroundings: Surroundings,
  step: string,
  description: string,
): void {
  const command = approval
    .command(step)
    .description(description)
    .argument('<id>', 'the id of the request')
    .option('--comment <text>', 'why');
  withServer(command).action(async (id: string, options: StepOptions) => {
    const screen = createScreen(surroundings);
    const client = await connect(surroundings, options);
    const body = options.comment === undefined ? {} : { comment: options.comment };
    const path = `/v1/approvals/${encodeURIComponent(id)}/${step}`;
    const decided = await client.call('POST', path, ApprovalAnswer, { body });
    if (options.json) return screen.data(decided);
    const what = printable(`${requestOf(decided)} in ${decided.tenant}`);
    screen.say(`${screen.colours.green(decided.status)}: ${what} (${decided.id})`);
  });
}

/** Who asks for what: `alice: deploy service:billing`. */
function requestOf({ check: { subject, action, resource } }: ApprovalAnswer): string {
  return `${subject.id}: ${action.name} ${resource.type}:${resource.id}`;
}
