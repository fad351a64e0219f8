import type * as z from 'zod';
import { limits } from '../../../shared/config/limits.ts';
import { version } from '../../../shared/config/version.ts';
import type { JsonSchema } from '../../../shared/documents/json-schema.ts';
import { type AnswerSpec, type Operation, tags } from '../http/operation.ts';
import { type AnyRoute, type Authentication, type BodySpec, isPlainPath } from '../http/route.ts';
import { errorResponses } from './error-responses.ts';
import { exampleOf } from './example-of.ts';
import { commonHeaders, type HeaderName, headerParameters, headerReferences, headers } from './headers.ts';
import type {
  Content,
  OpenApiDocument,
  OperationObject,
  Parameter,
  Reference,
  Response,
} from './openapi-types.ts';
import { refusalsOf } from './refusals-of.ts';
import { SchemaComponents } from './schema-components.ts';

const DESCRIPTION = `Durable workflows of agent steps.

One run is seen through three faces and is the same run on each: same ids, times and outcome. Every request is authenticated by \
\`X-API-Key\` or \`Authorization: Bearer\`, but for health, the documents and callbacks.

A path that is not here answers 404, a method that a path lacks 405 with \`Allow\`; \`OPTIONS\` answers 204, and what answers \
GET answers HEAD. A 400 names every field that is wrong. The JSON of a body has at most \
${limits.maxJsonEntries.toLocaleString('en')} keys and items, all levels together, and ${limits.maxJsonDepth} levels; some have a size \
of their own. Lists of the envelope go on by \`cursor\`, the plain face's by \`Link\`.`;

const statusTexts: Readonly<Record<string, string>> = { 200: 'Done.', 201: 'Made.', 202: 'Accepted.' };

/** OpenAPI 3.1 of the routes, from the schemas that validate their requests and describe their answers. */
export function openApiDocument(routes: readonly AnyRoute[], publicUrl: string): OpenApiDocument {
  const components = new SchemaComponents();
  const paths: Record<string, Readonly<Record<string, OperationObject>>> = {};
  for (const route of routes) {
    const operation = operationObject(route, components);
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation };
  }
  const [shared, plain] = [false, true].map((isPlain) =>
    errorResponses(
      { NOT_FOUND: 'The path names nothing.', METHOD_NOT_ALLOWED: 'The path has other methods.' },
      { isPlain, headers: commonHeaders },
      components,
    ),
  );
  return {
    openapi: '3.1.1',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Stepline',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: publicUrl }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(components.schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      // Of no operation, but of every path.
      responses: {
        PathNotFound: shared![404]!,
        MethodNotAllowed: shared![405]!,
        PlainPathNotFound: plain![404]!,
        PlainMethodNotAllowed: plain![405]!,
      },
      parameters: headerParameters,
      headers,
      securitySchemes: {
        apiKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-API-Key',
          description: 'Made at `/api/v1/api-keys`.',
        },
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Claims `sub`, `exp`, `roles`, `communities`.',
        },
      },
    },
  };
}

const credentials = [{ apiKey: [] }, { bearer: [] }];
const securities: Readonly<Record<Authentication, OperationObject['security']>> = {
  caller: credentials,
  optional: [{}, ...credentials],
  none: [],
};

function securityOf({ authentication }: { readonly authentication: Authentication }) {
  return securities[authentication];
}

function operationObject(route: AnyRoute, components: SchemaComponents): OperationObject {
  const { operationId, summary, operation, body } = route;
  return {
    operationId,
    summary,
    ...(operation.description !== undefined && { description: operation.description }),
    tags: operation.tags,
    security: securityOf(route),
    parameters: parametersOf(route, operation, components),
    ...(body && {
      requestBody: { required: !body.isOptional, content: bodyContent(body, operation, components) },
    }),
    responses: {
      ...successes(operation, components),
      ...errorResponses(
        refusalsOf(route),
        { isPlain: isPlainPath(route.path), headers: commonHeaders },
        components,
      ),
    },
  };
}

function parametersOf(
  { params, query, takesIdempotencyKey }: AnyRoute,
  { hasETag }: Operation,
  components: SchemaComponents,
): (Parameter | Reference)[] {
  return [
    ...(params ? parametersIn('path', params, components) : []),
    ...(query ? parametersIn('query', query, components) : []),
    { $ref: '#/components/parameters/RequestId' },
    ...(takesIdempotencyKey ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
    ...(hasETag ? [{ $ref: '#/components/parameters/IfNoneMatch' }] : []),
  ];
}

/** Of a strict object: its keys are the parameters. */
function parametersIn(place: 'path' | 'query', schema: z.ZodType, components: SchemaComponents): Parameter[] {
  const { properties = {}, required = [] } = components.add(schema, 'input');
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as JsonSchema;
    return {
      name,
      in: place,
      required: required.includes(name),
      ...(description !== undefined && { description }),
      schema: rest,
    };
  });
}

function bodyContent(
  { schema, documentedBy = schema }: BodySpec<unknown>,
  { bodyExamples }: Operation,
  components: SchemaComponents,
): Content {
  const shown = components.add(documentedBy, 'input');
  const examples = bodyExamples ?? { example: exampleOf(shown, components.schemas) };
  return {
    'application/json': {
      schema: shown,
      examples: Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }])),
    },
  };
}

function successes({ answers, hasETag }: Operation, components: SchemaComponents): Record<string, Response> {
  const kept: HeaderName[] = hasETag ? [...commonHeaders, 'ETag'] : [...commonHeaders];
  const given = Object.entries(answers).map(([status, answer]: [string, AnswerSpec]) => {
    const schema = components.add(answer.schema, 'output');
    const response: Response = {
      description: statusTexts[status] ?? '',
      headers: headerReferences([...kept, ...(answer.headers ?? [])]),
      content: {
        [answer.contentType ?? 'application/json']: {
          schema,
          examples: { example: { value: answer.example ?? exampleOf(schema, components.schemas) } },
        },
      },
    };
    return [status, response] as const;
  });
  const notModified: Response = {
    description: 'What `If-None-Match` names still holds.',
    headers: headerReferences(kept),
  };
  return { ...Object.fromEntries(given), ...(hasETag && { 304: notModified }) };
}
