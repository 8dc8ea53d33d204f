import { writeFileSync } from 'node:fs';
import { dump } from 'js-yaml';
import { Problem } from '../src/http/problem.js';
import type { GuardedRoute, Route } from '../src/http/route.js';
import { allRoutes } from '../src/http/routes.js';
import type { Services } from '../src/http/services.js';
import { type CatalogEntry, errorCatalog } from './error-catalog.js';

type Json = Record<string, unknown>;

const DESCRIPTION = [
  'The API of a Countersign server. Every request needs `Authorization: Bearer <API key>`, but for those under `/health`. `X-Request-Id` (1 to 128 visible ASCII characters) is echoed, or made. Unknown members and parameters are refused.',
  'Every error is `application/problem+json` (RFC 9457) with a stable `code`; docs/errors.md says what each means. Any other path answers `not_found`, any other method of a path `method_not_allowed`, with `Allow`.',
  'This file is made from the routes by `npx tsx scripts/openapi.ts`; a test holds the two together.',
].join('\n\n');

/** The OpenAPI 3.1 description of every route, from the schemas that the routes themselves use. */
export function openApiDocument(): Json {
  // Nothing is called: the routes are only described.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const routes = allRoutes({} as Services);
  const schemas = new Map<string, Json>();
  const catalog = errorCatalog();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    const operations = (paths[path] ??= {});
    operations[route.method.toLowerCase()] = operationOf(route, catalog, schemas);
  }
  refer(Problem, schemas);
  return {
    openapi: '3.1.0',
    info: { title: 'Countersign', version: '1', description: DESCRIPTION },
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key (`csk_…`).' },
      },
      schemas: Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}

/** The document as docs/openapi.yaml holds it. */
export function openApiText(): string {
  return dump(openApiDocument(), { lineWidth: 100, noRefs: true });
}

function operationOf(
  route: Route,
  catalog: ReadonlyMap<string, CatalogEntry>,
  schemas: Map<string, Json>,
): Json {
  const guarded = route.access === 'caller' ? route : undefined;
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(guarded === undefined ? { security: [] } : { description: accessOf(guarded) }),
    ...given('parameters', parametersOf(route, schemas)),
    ...(guarded?.body === undefined ? {} : { requestBody: requestBodyOf(guarded.body, schemas) }),
    responses: { ...answersOf(route, schemas), ...problemsOf(route, catalog, schemas) },
  };
}

function operationId({ method, path }: Route): string {
  return [method.toLowerCase(), ...path.split(/\W+/).filter((word) => word !== '' && word !== 'v1')]
    .map((word, index) => (index === 0 ? word : word[0]?.toUpperCase() + word.slice(1)))
    .join('');
}

function accessOf({ permission, unbound }: GuardedRoute): string {
  const what =
    permission === undefined
      ? 'Needs a credential; what it may do depends on what it asks for.'
      : `Needs the permission \`${permission}\`.`;
  return unbound ? `${what} Only for credentials that are not bound to a tenant.` : what;
}

function parametersOf(route: Route, schemas: Map<string, Json>): Json[] {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(route.query.properties).map(([name, schema]) => ({
    name,
    in: 'query',
    schema: refer(schema, schemas),
  }));
  const key = {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'The same key and body within 10 minutes get the stored answer.',
    schema: { type: 'string', pattern: '^[!-~]{1,255}$' },
  };
  return [...inPath, ...inQuery, ...(route.idempotent === true ? [key] : [])];
}

function requestBodyOf(
  { schema, optional }: NonNullable<GuardedRoute['body']>,
  schemas: Map<string, Json>,
): Json {
  return {
    required: !optional,
    content: { 'application/json': { schema: refer(schema, schemas) } },
  };
}

function answersOf(route: Route, schemas: Map<string, Json>): Json {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, { description, schema, text, headers = {} }]) => {
      const content =
        schema === undefined
          ? text === undefined
            ? {}
            : { content: { [text]: { schema: { type: 'string' } } } }
          : { content: { 'application/json': { schema: refer(schema, schemas) } } };
      const named = Object.entries(headers).map(([name, says]) => [
        name,
        { description: says, schema: { type: 'integer' } },
      ]);
      return [status, { description, ...given('headers', Object.fromEntries(named)), ...content }];
    }),
  );
}

/** The codes that a route may answer: those of its kind, and its own. */
export function problemCodesOf(route: Route): string[] {
  const codes = ['invalid_request', 'internal_error', ...(route.codes ?? [])];
  if (route.access === 'public') return codes;
  codes.push('unauthenticated', 'forbidden', 'unavailable');
  if (route.body !== undefined) codes.push('payload_too_large', 'unsupported_media_type');
  return codes;
}

function problemsOf(
  route: Route,
  catalog: ReadonlyMap<string, CatalogEntry>,
  schemas: Map<string, Json>,
): Json {
  const byStatus = new Map<number, string[]>();
  for (const code of problemCodesOf(route)) {
    const entry = catalog.get(code);
    if (entry === undefined) throw new Error(`no error has the code \`${code}\``);
    byStatus.set(entry.status, [
      ...(byStatus.get(entry.status) ?? []),
      `\`${code}\`: ${entry.title}.`,
    ]);
  }
  const schema = refer(Problem, schemas);
  return Object.fromEntries(
    [...byStatus].map(([status, lines]) => [
      status,
      { description: lines.join(' '), content: { 'application/problem+json': { schema } } },
    ]),
  );
}

/** The schema as plain JSON, every part that has a name of its own put among the components. */
function refer(schema: unknown, schemas: Map<string, Json>): unknown {
  if (Array.isArray(schema)) return schema.map((part) => refer(part, schemas));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $id: name, patternErrorMessage: _, ...members } = schema as Json;
  const plain = Object.fromEntries(
    Object.entries(members).map(([member, part]) => [member, refer(part, schemas)]),
  );
  if (typeof name !== 'string') return plain;
  schemas.set(name, plain);
  return { $ref: `#/components/schemas/${name}` };
}

function given(name: string, value: object): Json {
  return Object.keys(value).length === 0 ? {} : { [name]: value };
}

if (import.meta.filename === process.argv[1]) {
  writeFileSync(new URL('../docs/openapi.yaml', import.meta.url), openApiText());
}
