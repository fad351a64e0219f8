import { createHash } from 'node:crypto';
import type { JsonSchema } from '../../../shared/documents/json-schema.ts';
import { curlOf } from './curl-of.ts';
import { escapeHtml as escaped, prose } from './html.ts';
import type { Content, OpenApiDocument, OperationObject, Parameter } from './openapi-types.ts';

const STYLE = `:root{color-scheme:light dark;--line:#8884;--soft:#8882;--accent:#06c}
*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.85em}code{overflow-wrap:anywhere}
pre{background:var(--soft);border-radius:.3rem;overflow-x:auto;padding:.6rem}
table{border-collapse:collapse;display:block;overflow-x:auto;width:100%}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem .25rem 0;text-align:left;vertical-align:top}
a{color:var(--accent)}section{border-top:1px solid var(--line);padding-top:.5rem}nav ul{padding-left:1.2rem}
h3{margin-bottom:0;overflow-wrap:anywhere}h4{margin:1rem 0 .2rem}b{color:var(--accent)}summary{cursor:pointer}td p{margin:0}`;

/** No script and nothing from elsewhere: only this style. */
export const DOCS_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

interface Placed {
  readonly path: string;
  readonly method: string;
  readonly operation: OperationObject;
}

/** The OpenAPI document as HTML to read, each operation under its first tag. */
export function docsPage(document: OpenApiDocument): string {
  const placed: Placed[] = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  );
  const { title, version, description } = document.info;
  const groups = document.tags.map(({ name, description }) => ({
    name,
    description,
    own: placed.filter(({ operation }) => operation.tags[0] === name),
    listed: placed.filter(({ operation }) => operation.tags.includes(name)),
  }));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}: the API</title><style>${STYLE}</style></head><body>
<h1>${escaped(title)} ${escaped(version)}</h1>
${prose(description)}
<p>For tools: <a href="/openapi.json">OpenAPI</a>, <a href="/schemas/workflow.json">JSON Schema of a workflow</a>.</p>
<nav>${groups.map(({ name, listed }) => `<details><summary>${escaped(name)}</summary><ul>${listed.map(link).join('')}</ul></details>`).join('')}</nav>
${groups.map(({ name, description, own }) => `<h2>${escaped(name)}</h2>${prose(description)}${own.map((one) => section(one, document)).join('\n')}`).join('\n')}
</body></html>
`;
}

function link({ path, method, operation }: Placed): string {
  return `<li><a href="#${escaped(operation.operationId)}"><code>${method} ${escaped(path)}</code></a> ${escaped(operation.summary)}</li>`;
}

function section(placed: Placed, document: OpenApiDocument): string {
  const { path, method, operation } = placed;
  const { operationId, summary, description, security, requestBody } = operation;
  const parameters = operation.parameters.map((one) =>
    '$ref' in one ? (document.components.parameters[lastOf(one.$ref)] as Parameter) : one,
  );
  return `<section id="${escaped(operationId)}"><h3><b>${method}</b> <code>${escaped(path)}</code></h3>
${prose(`${summary}.`)}${description === undefined ? '' : prose(description)}${security.length === 0 ? prose('Needs no credentials.') : ''}
<pre>${escaped(curlOf(placed, document))}</pre>
${parameters.length === 0 ? '' : `<h4>Parameters</h4>${parameterTable(parameters)}`}
${requestBody === undefined ? '' : `<h4>Body${requestBody.required ? '' : ' (may be left out)'}</h4>${bodyOf(requestBody.content)}`}
<h4>Answers</h4>${answersOf(operation)}</section>`;
}

function parameterTable(parameters: readonly Parameter[]): string {
  const rows = parameters.map(
    ({ name, in: place, required, description = '', schema }) =>
      `<tr><td><code>${escaped(name)}</code>${required ? ' *' : ''}</td><td>${place}</td><td>${escaped(typeOf(schema))}</td><td>${prose(description)}</td></tr>`,
  );
  return `<table>${rows.join('')}</table>`;
}

function bodyOf(content: Content): string {
  return Object.values(content)
    .map(({ schema, examples = {} }) => {
      const { properties = {}, required = [] } = schema;
      const rows = Object.entries(properties).map(([name, property]) => {
        const part = property as JsonSchema;
        return `<tr><td><code>${escaped(name)}</code>${required.includes(name) ? ' *' : ''}</td><td>${escaped(typeOf(part))}</td><td>${prose(part.description ?? '')}</td></tr>`;
      });
      const shown = Object.values(examples).map(({ value }) => `<pre>${escaped(jsonOf(value))}</pre>`);
      return `${rows.length === 0 ? '' : `<table>${rows.join('')}</table>`}${shown.join('')}`;
    })
    .join('');
}

function answersOf({ responses }: OperationObject): string {
  return Object.entries(responses)
    .map(([status, response]) => {
      if ('$ref' in response) return '';
      const examples = Object.values(response.content ?? {}).flatMap((media) =>
        Object.values(media.examples ?? {}),
      );
      const shown = examples.map(
        ({ value }) => `<pre>${escaped(typeof value === 'string' ? value : jsonOf(value))}</pre>`,
      );
      const isSuccess = status.startsWith('2');
      if (!isSuccess || shown.length === 0) return `<p><b>${status}</b> ${inline(response.description)}</p>`;
      return `<details><summary><b>${status}</b> ${inline(response.description)}</summary>${shown.join('')}</details>`;
    })
    .join('');
}

function inline(text: string): string {
  return prose(text).replace(/^<p>|<\/p>$/g, '');
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

function lastOf(reference: string): string {
  return reference.split('/').at(-1) ?? '';
}

/** A schema in a few words: `integer 1 to 1000, default 100`. */
export function typeOf(schema: JsonSchema): string {
  const { default: fallback, minimum, maximum } = schema;
  const range = minimum === undefined || maximum === undefined ? '' : ` ${minimum} to ${maximum}`;
  return `${nameOf(schema)}${range}${fallback === undefined ? '' : `, default ${JSON.stringify(fallback)}`}`;
}

function nameOf({ $ref, const: only, enum: some, anyOf, oneOf, type, format, items }: JsonSchema): string {
  if ($ref !== undefined) return $ref.split('/').at(-1) ?? '';
  if (only !== undefined) return JSON.stringify(only);
  if (some) return some.join(' | ');
  const options = anyOf ?? oneOf;
  if (options) return [...new Set(options.map(nameOf))].join(' | ');
  if (type === 'array' && typeof items === 'object' && !Array.isArray(items))
    return `list of ${nameOf(items)}`;
  return format ?? (type === undefined ? 'any' : String(type));
}
