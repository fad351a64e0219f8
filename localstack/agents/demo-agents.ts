import { isJsonObject, type Json, type JsonObject } from '../../shared/engine/json.ts';

/** What an agent makes of a step's input. The same input always gives the same output. */
export type DemoAgent = (input: Json) => Json;

/** The agents that the quick start names. */
export const demoAgents: Readonly<Record<string, DemoAgent>> = {
  'echo-agent': (input) => input,
  'test-agent': (input) => ({ result: input }),
  'data-extractor': extract,
  'data-transformer': transform,
};

function extract(input: Json): JsonObject {
  const source = isJsonObject(input) && typeof input.source === 'string' ? input.source : 'demo';
  const records = ['alpha', 'beta', 'gamma'].map((name, i) => ({ id: i + 1, name, value: (i + 1) * 10 }));
  return { source, records, record_count: records.length };
}

/** Takes `data` as a list of records, or as what the extractor answers. */
function transform(input: Json): JsonObject {
  const data = isJsonObject(input) && input.data !== undefined ? input.data : input;
  const records = Array.isArray(data)
    ? data
    : isJsonObject(data) && Array.isArray(data.records)
      ? data.records
      : [];
  const transformed = records.map((record: Json) =>
    isJsonObject(record) && typeof record.name === 'string'
      ? { ...record, name: record.name.toUpperCase() }
      : record,
  );
  const total = records.reduce<number>(
    (sum, record: Json) =>
      sum + (isJsonObject(record) && typeof record.value === 'number' ? record.value : 0),
    0,
  );
  const source = isJsonObject(data) ? (data.source ?? null) : null;
  return { source, records: transformed, summary: { record_count: records.length, total_value: total } };
}
