import { Type } from '@sinclair/typebox';
import type { MatcherPart } from '../engine/engine.js';
import { NotFound } from '../errors.js';
import { actorOf } from '../identity/caller.js';
import type { BundleSummary } from '../policy/bundle-store.js';
import type { ApplyResult } from '../policy/apply-bundle.js';
import { BUNDLE_BODY_LIMIT } from './body.js';
import { listOf, page, timestamp } from './fields.js';
import type { BundleCall } from './bundle-call.js';
import { type Answer, type Call, guardedRoute, type LargeCall, type Route } from './route.js';
import type { Services } from './services.js';

/** Neither control characters nor those that no screen shows, or that turn the text around. */
const PRINTABLE = '^[^\\p{C}\\p{Zl}\\p{Zp}]*$';

const files = Type.Record(Type.String(), Type.String(), {
  description: 'Each file: its path, relative to `bundle.yaml`, and its text.',
});

const application = Type.Object(
  {
    files,
    commit: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        pattern: PRINTABLE,
        patternErrorMessage: 'expected printable characters alone',
        description: 'The git commit it comes from.',
      }),
    ),
    expect_bundle: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2 ** 31 - 1,
        description: 'Refuse unless this bundle is active; 0: unless none is.',
      }),
    ),
  },
  { additionalProperties: false, $id: 'BundleApplication' },
);

const listing = Type.Object(page, { additionalProperties: false });

const warning = Type.Object({
  file: Type.String(),
  line: Type.Integer(),
  column: Type.Integer(),
  message: Type.String(),
});
const warnings = Type.Array(warning);

const Applied = Type.Object(
  {
    bundle: Type.Integer({ description: 'Its number.' }),
    revision: Type.Integer(),
    changes: Type.Object({ added: Type.Integer(), removed: Type.Integer() }),
    warnings,
  },
  { $id: 'AppliedBundle' },
);

const Validated = Type.Object({
  warnings,
  matcher_parts: Type.Array(
    Type.Object({
      text: Type.String({ description: 'As the model writes it.' }),
      handling: Type.Unsafe<MatcherPart['handling']>({
        type: 'string',
        enum: ['indexed', 'residual', 'fallback'],
        description:
          'Whether its rules are looked up (`indexed`), it is evaluated on the rules that the indexed parts leave (`residual`), or on every rule (`fallback`).',
      }),
    }),
    { description: 'The parts of the matcher that all must hold, and how their rules are found.' },
  ),
});

const summary = {
  bundle: Type.Integer({ description: 'Its number.' }),
  name: Type.String(),
  model: Type.String(),
  author: Type.String({ description: 'Who applied it.' }),
  commit: Type.Optional(Type.String()),
  at: timestamp,
  revision: Type.Integer({ description: 'The one that applying it made.' }),
  active: Type.Boolean(),
  previous: Type.Optional(
    Type.Integer({ description: 'Of the active one: the number of the one active before it.' }),
  ),
  digest: Type.String({ description: 'SHA-256 over its files and its model.' }),
};
const Bundle = Type.Object(summary, { $id: 'Bundle' });
const BundleWithFiles = Type.Object(
  { ...summary, model_text: Type.String(), files },
  { $id: 'BundleWithFiles' },
);

/**
 * Milliseconds for 64 MiB, which are compiled, tested, written and indexed; less than load balancers
 * wait for.
 */
const BUNDLE_TIME = 240_000;

/**
 * Bytes of a body, or of a bundle's files, above which another thread answers: what is read here
 * in one turn, a text that breaks its syntax for one, holds up checks for milliseconds.
 */
const LARGE_BUNDLE = 256 * 1024;

/** `/v1/bundles`: for credentials that are not bound to a tenant. */
export function bundleRoutes({
  policy,
  bundleThread,
}: Pick<Services, 'policy' | 'bundleThread'>): Route[] {
  /** What answers a large body of the route. */
  const large = (path: string) =>
    bundleThread && {
      above: LARGE_BUNDLE,
      handle: ({ caller, params, requestId, body }: LargeCall) =>
        bundleThread.answer({ method: 'POST', path, caller, params, requestId, body }),
    };
  /** What answers a call about a stored bundle that is large; undefined where it is not. */
  const ofLarge = async (
    route: Pick<BundleCall, 'method' | 'path'>,
    { caller, params, requestId }: Call,
  ): Promise<Answer | undefined> => {
    if (bundleThread === undefined) return undefined;
    if ((await policy.sizeOf(numberOf(params))) <= LARGE_BUNDLE) return undefined;
    return bundleThread.answer({ ...route, caller, params, requestId, body: undefined });
  };
  return [
    guardedRoute({
      method: 'POST',
      path: '/v1/bundles',
      summary: 'Apply a bundle',
      permission: 'bundles:apply',
      unbound: true,
      answerTime: BUNDLE_TIME,
      body: application,
      bodyLimit: BUNDLE_BODY_LIMIT,
      large: large('/v1/bundles'),
      answers: {
        201: { description: 'The bundle is active.', schema: Applied },
        200: { description: 'This very bundle was active already.', schema: Applied },
      },
      codes: ['bundle_moved', 'invalid_bundle'],
      handle: async ({ caller, body, requestId }) =>
        answerOf(
          await policy.apply({
            files: new Map(Object.entries(body.files)),
            actor: actorOf(caller),
            requestId,
            commit: body.commit,
            expectBundle: body.expect_bundle,
          }),
        ),
    }),
    guardedRoute({
      method: 'POST',
      path: '/v1/bundles/validate',
      summary: 'Say what applying a bundle would say, and store nothing',
      permission: 'bundles:validate',
      unbound: true,
      answerTime: BUNDLE_TIME,
      body: application,
      bodyLimit: BUNDLE_BODY_LIMIT,
      large: large('/v1/bundles/validate'),
      answers: {
        200: { description: 'It has no faults.', schema: Validated },
      },
      codes: ['invalid_bundle'],
      handle: async ({ body }) => {
        const files = new Map(Object.entries(body.files));
        const { warnings, parts } = await policy.validate({ files });
        return { status: 200, body: { warnings, matcher_parts: parts } };
      },
    }),
    guardedRoute({
      method: 'GET',
      path: '/v1/bundles',
      summary: 'The bundles ever applied, newest first',
      permission: 'bundles:read',
      unbound: true,
      query: listing,
      answers: { 200: { description: 'A page of them.', schema: listOf(Bundle) } },
      handle: async ({ query: { after, limit = 50 } }) => {
        const { items, next } = await policy.history({ after, limit });
        return { status: 200, body: { items: items.map(shown), next } };
      },
    }),
    guardedRoute({
      method: 'GET',
      path: '/v1/bundles/:number',
      summary: 'One bundle with its files',
      permission: 'bundles:read',
      unbound: true,
      answerTime: BUNDLE_TIME,
      answers: { 200: { description: 'The bundle.', schema: BundleWithFiles } },
      codes: ['not_found'],
      handle: async (call) => {
        const elsewhere = await ofLarge({ method: 'GET', path: '/v1/bundles/:number' }, call);
        if (elsewhere !== undefined) return elsewhere;
        const { params } = call;
        const { files, modelText, ...bundle } = await policy.get(numberOf(params));
        const body = { ...shown(bundle), model_text: modelText, files: Object.fromEntries(files) };
        return { status: 200, body };
      },
    }),
    guardedRoute({
      method: 'POST',
      path: '/v1/bundles/:number/activate',
      summary: 'Roll back or forward to a bundle that was applied before',
      permission: 'bundles:activate',
      unbound: true,
      answerTime: BUNDLE_TIME,
      body: Type.Object({}, { additionalProperties: false }),
      bodyOptional: true,
      answers: {
        200: { description: 'The bundle is active.', schema: Applied },
      },
      codes: ['not_found', 'invalid_bundle'],
      handle: async (call) => {
        const path = '/v1/bundles/:number/activate';
        const elsewhere = await ofLarge({ method: 'POST', path }, call);
        if (elsewhere !== undefined) return elsewhere;
        const { caller, params, requestId } = call;
        const request = { bundle: numberOf(params), actor: actorOf(caller), requestId };
        return { status: 200, body: shownResult(await policy.activate(request)) };
      },
    }),
  ];
}

function answerOf(result: ApplyResult): Answer {
  return { status: result.changed ? 201 : 200, body: shownResult(result) };
}

function shownResult({ bundle, revision, changes, warnings }: ApplyResult): object {
  return { bundle, revision, changes, warnings };
}

function shown({ at, commit, previous, ...bundle }: BundleSummary): object {
  return {
    ...bundle,
    ...(commit === undefined ? {} : { commit }),
    ...(previous === undefined ? {} : { previous }),
    at: at.toISOString(),
  };
}

/** The number in the path; what is no number names no bundle. */
function numberOf({ number = '' }: Readonly<Record<string, string>>): number {
  if (/^[1-9]\d{0,8}$/.test(number)) return Number(number);
  throw new NotFound(`there is no bundle \`${number}\``);
}
