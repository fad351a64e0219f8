import { describe, expect, it } from 'vitest';
import { openApiDocument } from '../../../functions/api/documents/openapi-document.ts';
import type { MediaType, OperationObject } from '../../../functions/api/documents/openapi-types.ts';
import { allRoutes } from '../../../functions/api/routes/all-routes.ts';
import { schemaValidator } from '../../support/schema-validator.ts';

const document = openApiDocument(allRoutes, 'https://api.example.com');
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

describe('every route', () => {
  it.each(allRoutes.map((route) => [route.operationId, route] as const))(
    '%s says what it answers',
    (_, route) => {
      expect(Object.keys(route.operation.answers)).not.toEqual([]);
      expect(route.summary).not.toBe('');
    },
  );

  it('has its place in the document', () => {
    expect(operations.map(({ operation }) => operation.operationId).sort()).toEqual(
      allRoutes.map(({ operationId }) => operationId).sort(),
    );
  });

  it.each(operations.map(({ path, operation }) => [path, operation] as const))(
    '%s has the parameters of its path, and no others',
    (path, { parameters }) => {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const inPath = parameters.flatMap((one) => ('in' in one && one.in === 'path' ? [one.name] : []));
      expect(inPath).toEqual(named);
    },
  );
});

describe('every schema', () => {
  const contents = (operation: OperationObject): [string, MediaType][] => [
    ...Object.entries(operation.requestBody?.content ?? {}).map(
      ([type, media]) => [`request ${type}`, media] as [string, MediaType],
    ),
    ...Object.entries(operation.responses).flatMap(([status, response]) =>
      'content' in response
        ? Object.values(response.content ?? {}).map((media) => [status, media] as [string, MediaType])
        : [],
    ),
  ];
  const validatorOf = schemaValidator(document);

  it.each(operations.map(({ operation }) => [operation.operationId, operation] as const))(
    'of %s has examples that it accepts',
    (_, operation) => {
      for (const [where, { schema, examples = {} }] of contents(operation)) {
        expect([where, Object.keys(examples).length]).not.toEqual([where, 0]);
        const validate = validatorOf(schema);
        for (const { value } of Object.values(examples)) {
          validate(value);
          expect([where, validate.errors]).toEqual([where, null]);
        }
      }
    },
  );

  // They answer with documents, whose shape is another standard's.
  const documents = ['getOpenApi', 'getWorkflowSchema', 'getDocs'];
  const strict = operations.filter(({ operation }) => !documents.includes(operation.operationId));

  it.each(strict.map(({ operation }) => [operation.operationId, operation] as const))(
    'of an answer of %s lets no other field through',
    (_, operation) => {
      for (const [status, { schema, examples = {} }] of contents(operation)) {
        const value = Object.values(examples)[0]?.value;
        if (status.startsWith('request') || typeof value !== 'object' || Array.isArray(value)) continue;
        expect([status, validatorOf(schema)({ ...value, surplus: 1 })]).toEqual([status, false]);
      }
    },
  );

  it('is used by something', () => {
    const text = JSON.stringify(document);
    for (const id of Object.keys(document.components.schemas)) {
      expect(text).toContain(`"#/components/schemas/${id}"`);
    }
    for (const [, group, name] of text.matchAll(/"#\/components\/(\w+)\/([\w-]+)"/g)) {
      const components: Record<string, object> = { ...document.components };
      expect(components[group!]).toHaveProperty(name!);
    }
  });
});

it('says how to authenticate, and where one need not', () => {
  const open = operations.filter(({ operation }) => operation.security.length === 0);
  expect(open.map(({ operation }) => operation.operationId).sort()).toEqual(
    allRoutes
      .flatMap(({ authentication, operationId }) => (authentication === 'none' ? [operationId] : []))
      .sort(),
  );
  expect(Object.keys(document.components.securitySchemes)).toEqual(['apiKey', 'bearer']);
});
