import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { OpenApiDocument } from '../../functions/api/documents/openapi-types.ts';
import type { JsonSchema } from '../../shared/documents/json-schema.ts';

/** The formats that our documents name. */
const formats: Readonly<Record<string, RegExp>> = {
  'date-time': /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/,
  date: /^\d{4}-\d{2}-\d{2}$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  uri: /^https?:\/\/\S+$/,
};

/** Of JSON Schema 2020-12; a keyword that it does not know is refused. */
export function newValidator(): Ajv2020 {
  return new Ajv2020({
    strict: true,
    strictTypes: false,
    strictTuples: false,
    allErrors: true,
    formats: { ...formats },
  });
}

/** Of the schemas in an OpenAPI document, which refer to its components. */
export function schemaValidator(document: OpenApiDocument): (schema: JsonSchema) => ValidateFunction {
  const ajv = newValidator();
  const base = 'https://openapi.test/';
  // The document itself is no schema: only its parts are.
  ajv.addVocabulary(Object.keys(document));
  ajv.addSchema({ ...document, $id: base });
  const compiled = new Map<string, ValidateFunction>();
  return (schema) => {
    const text = JSON.stringify(schema).replaceAll('"$ref":"#/', `"$ref":"${base}#/`);
    const known = compiled.get(text) ?? ajv.compile(JSON.parse(text));
    compiled.set(text, known);
    return known;
  };
}
