import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { load } from 'js-yaml';

interface Content {
  readonly schema: object;
}
interface Operation {
  readonly responses: Record<string, { readonly content?: Record<string, Content> }>;
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

/** What an answer must be for `assertDocumented`. */
export interface AnswerToProve {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** docs/openapi.yaml, to hold answers against. */
export interface Documented {
  /** Every operation as `POST /v1/approvals/:id/approve`. */
  readonly operations: ReadonlySet<string>;
  /** Every documented success as `POST /v1/keys 201`. */
  readonly successes: ReadonlySet<string>;
  /** Fails unless the status of an answer is documented for the operation, and its body is as it says. */
  assertDocumented(operation: string, answer: AnswerToProve): void;
}

/** Reads docs/openapi.yaml. Members that it does not name are refused, where it names any. */
export function loadDocumented(): Documented {
  const file = new URL('../../docs/openapi.yaml', import.meta.url);
  const document = closed(load(readFileSync(file, 'utf8'))) as Document;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'openapi', components: document.components });
  const validators = new Map<object, ValidateFunction>();
  const validatorOf = (schema: object): ValidateFunction => {
    const known = validators.get(schema) ?? ajv.compile(absolute(schema) as object);
    validators.set(schema, known);
    return known;
  };
  const operations = new Map<string, Operation>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      operations.set(`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`, operation);
    }
  }
  return {
    operations: new Set(operations.keys()),
    successes: new Set(
      [...operations].flatMap(([name, { responses }]) =>
        Object.keys(responses)
          .filter((status) => status < '300')
          .map((status) => `${name} ${status}`),
      ),
    ),
    assertDocumented(operation, { status, headers, text }) {
      const response = operations.get(operation)?.responses[status];
      assert.ok(response, `${operation} answers ${status}, which is not documented: ${text}`);
      const type = (headers.get('content-type') ?? '').split(';')[0] ?? '';
      const content = response.content?.[type];
      assert.ok(content, `${operation} ${status} answers \`${type}\`, which is not documented`);
      if (!type.endsWith('json')) return;
      const validate = validatorOf(content.schema);
      const valid = validate(JSON.parse(text));
      const faults = ajv.errorsText(validate.errors, { separator: '\n' });
      assert.ok(valid, `${operation} ${status} is not as documented:\n${faults}\n${text}`);
    },
  };
}

/** Every schema with members takes no others, unless it says that it does. */
function closed(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(closed);
  if (typeof part !== 'object' || part === null) return part;
  const inner = Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, closed(value)]),
  );
  const isClosable =
    inner.type === 'object' && 'properties' in inner && !('additionalProperties' in inner);
  return isClosable ? { ...inner, additionalProperties: false } : inner;
}

/** The schema with its references leading into the document. */
function absolute(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(absolute);
  if (typeof part !== 'object' || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, value]) => [
      name,
      name === '$ref' ? `openapi${String(value)}` : absolute(value),
    ]),
  );
}
