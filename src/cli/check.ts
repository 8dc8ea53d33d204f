import { type Command, InvalidArgumentError } from 'commander';
import type { JsonObject, JsonValue } from '../vocabulary.js';
import { DecisionAnswer } from './answers.js';
import { decisionLines } from './decision-lines.js';
import { createScreen } from './screen.js';
import { connect, type ServerOptions, withServer } from './server-command.js';
import type { Surroundings } from './surroundings.js';

interface CheckOptions extends ServerOptions {
  readonly tenant?: string;
  readonly subjectType?: string;
  readonly properties?: JsonObject;
  readonly subjectProperties?: JsonObject;
  readonly context?: JsonObject;
  readonly comment?: string;
  readonly explain?: boolean;
  readonly dryRun?: boolean;
  readonly requestApproval?: boolean;
}

const EXAMPLE = `
Example:
  countersign check alice deploy service:billing --tenant acme \\
    --properties environment=prod --comment "CHG-1234 roll back the bad release"`;

/** `countersign check`: asks the server one question. Done (0) whatever the answer is. */
export function addCheck(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('check')
    .description('may this subject do this action on this resource?')
    .argument('<subject>', 'the id of the subject')
    .argument('<action>', 'the name of the action')
    .argument('<resource>', 'the resource, as type:id')
    .option('--tenant <tenant>', 'may be left out where the key belongs to one tenant')
    .option('--subject-type <type>', 'where the subject is no user')
    .option('--properties <k=v>', 'of the resource; JSON or k=v, repeatable', members)
    .option('--subject-properties <k=v>', 'of the subject, alike', members)
    .option('--context <k=v>', 'alike', members)
    .option('--comment <text>', 'why; the same as --context comment=…')
    .option('--explain', 'show how the decision came about')
    .option('--dry-run', 'touch no quota, grant or approval')
    .option('--request-approval', 'open the approval request where one is needed')
    .addHelpText('after', EXAMPLE);
  withServer(command).action(
    async (subject: string, action: string, resource: string, options: CheckOptions) => {
      const screen = createScreen(surroundings);
      const client = await connect(surroundings, options);
      const body = checkBody(subject, action, resource, options);
      const decision = await client.call('POST', '/check', DecisionAnswer, { body });
      if (options.json) screen.data(decision);
      else screen.say(...decisionLines(decision, screen.colours));
    },
  );
}

function checkBody(subject: string, action: string, resource: string, options: CheckOptions) {
  const { tenant, subjectType, properties, subjectProperties, comment } = options;
  const context = { ...options.context, ...(comment === undefined ? {} : { comment }) };
  const colon = resource.indexOf(':');
  return {
    ...(tenant === undefined ? {} : { tenant }),
    subject:
      subjectType === undefined && subjectProperties === undefined
        ? subject
        : { type: subjectType ?? 'user', id: subject, properties: subjectProperties ?? {} },
    action,
    resource:
      properties === undefined || colon < 0
        ? resource
        : { type: resource.slice(0, colon), id: resource.slice(colon + 1), properties },
    ...(Object.keys(context).length === 0 ? {} : { context }),
    ...(options.explain ? { explain: true } : {}),
    ...(options.dryRun ? { dry_run: true } : {}),
    ...(options.requestApproval ? { approval: 'request' } : {}),
  };
}

/**
 * Members given as a JSON object, or one by one as `k=v`: a value that reads as JSON is that
 * (`amount=500` a number), any other a string.
 */
function members(text: string, former: JsonObject = {}): JsonObject {
  if (text.trimStart().startsWith('{')) {
    const object = parsed(text);
    if (!isObject(object)) throw new InvalidArgumentError('it is not valid JSON.');
    return { ...former, ...object };
  }
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('write it as `name=value` or as a JSON object.');
  const written = text.slice(equals + 1);
  const value = parsed(written);
  return { ...former, [text.slice(0, equals)]: value === undefined ? written : value };
}

function parsed(text: string): JsonValue | undefined {
  try {
    const value: JsonValue = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
