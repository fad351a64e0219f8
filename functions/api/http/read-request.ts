import type { APIGatewayProxyEvent } from 'aws-lambda';
import * as z from 'zod';
import type { Caller } from '../../../shared/auth/caller.ts';
import { limits } from '../../../shared/config/limits.ts';
import type { Json } from '../../../shared/engine/json.ts';
import { findChangedNumbers, findParsingLosses } from '../../../shared/messages/parsing-losses.ts';
import { findPayloadProblems, parseJson } from '../../../shared/messages/payload.ts';
import { createHints } from '../../../shared/validation/nearest-name.ts';
import { type ProblemWords, problemsOf } from '../../../shared/validation/problems-of.ts';
import type { ApiServices } from '../services.ts';
import { type Problem, tooLarge } from './api-error.ts';
import { bodyText, headerOf, queryOf, refuseOtherMediaTypes } from './gateway-event.ts';
import type { AnyRoute, BodySpec } from './route.ts';

/** What could be read, or all that is wrong with it. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface RequestInput {
  readonly query: unknown;
  readonly idempotencyKey: string | null;
  readonly body: unknown;
}

const noParameters = z.strictObject({});

/**
 * Everything that a route takes besides its path: what is wrong with any of it is told at once. A parameter that the route does
 * not know is wrong: who misspells a filter must not get everything. Callers without credentials (probes, agents' callbacks) may
 * send what they like.
 * @param subject what the path names, undefined where it names nothing; null where that is wrong
 * @param caller null where the request needs none
 * @throws ApiError 413 or 415: the body is not looked at
 */
export function readRequest(
  event: APIGatewayProxyEvent,
  route: AnyRoute,
  services: ApiServices,
  subject: unknown,
  caller: Caller | null,
): Read<RequestInput> {
  const isAgents = route.authentication === 'none';
  const querySchema = route.query ?? (isAgents ? z.unknown() : noParameters);
  const query = validate<unknown>(querySchema, queryOf(event), { unknown: 'unknown parameter' });
  const key = route.takesIdempotencyKey ? readIdempotencyKey(event) : valid(null);
  const body = route.body
    ? readBody(event, route.body, { services, isAgents, subject, caller })
    : valid(undefined);
  const problems = [query, key, body].flatMap((part) => (part.ok ? [] : part.problems));
  if (!query.ok || !key.ok || !body.ok) return { ok: false, problems };
  return valid({ query: query.value, idempotencyKey: key.value, body: body.value });
}

export function readParams<Params>(params: unknown, schema: z.ZodType<Params>): Read<Params> {
  return validate(schema, params);
}

const IDEMPOTENCY_KEY = /^[^\p{C}]{1,255}$/u;

function readIdempotencyKey(event: APIGatewayProxyEvent): Read<string | null> {
  const key = headerOf(event, 'idempotency-key');
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return valid(key ?? null);
  return wrong({ path: 'Idempotency-Key', message: 'expected 1 to 255 characters' });
}

interface Reader {
  readonly services: ApiServices;
  /** What the path names; null where that is wrong. */
  readonly subject: unknown;
  readonly caller: Caller | null;
  /** Whether agents call the route, which have no credentials. */
  readonly isAgents: boolean;
}

function readBody<Body>(
  event: APIGatewayProxyEvent,
  spec: BodySpec<Body, unknown>,
  reader: Reader,
): Read<Body> {
  const text = bodyText(event, spec.maxBytes);
  if (text?.trim() === '') {
    return spec.isOptional ? validate(spec.schema, {}) : wrong({ path: '', message: 'expected a JSON body' });
  }
  refuseOtherMediaTypes(event);
  if (text === null) return wrong({ path: '', message: 'expected JSON in UTF-8' });
  const json = parseJson(text, spec.maxBytes);
  if (!json.ok) {
    const { code, path, message } = json.problem;
    if (code === 'TOO_LARGE') throw tooLarge([{ path, message }]);
    return wrong({ path, message });
  }
  return readJson({ json: json.value, text }, spec, reader);
}

function readJson<Body>(
  { json, text }: { readonly json: Json; readonly text: string },
  spec: BodySpec<Body, unknown>,
  { services, isAgents, subject, caller }: Reader,
): Read<Body> {
  if (spec.takesAnyJson) return validate(spec.schema, json);
  const unstorable = findPayloadProblems(json, limits).map(({ code, ...problem }) => ({ code, problem }));
  const refused = unstorable.map(({ problem }) => problem);
  // Nothing recurses into what is too deep or too much.
  if (unstorable.some(({ code }) => code !== 'UNSTORABLE')) return { ok: false, problems: refused };
  // What an agent answers is taken the same way, whether it answers a call or calls back.
  refused.push(...(isAgents ? findChangedNumbers(text) : findParsingLosses(text)));
  const told = new Set(refused.map(({ path }) => path));
  const parsed = validate(spec.schema, json, { whereTo: spec.whereTo });
  const found = [
    ...(parsed.ok ? [] : parsed.problems),
    ...(subject === null ? [] : (spec.findProblems?.(json, services, subject, caller) ?? [])),
  ];
  const problems = [...refused, ...found.filter(({ path }) => !told.has(path))];
  const oversized = parsed.ok ? (spec.findOversized?.(parsed.value) ?? []) : [];
  if (!parsed.ok || problems.length > 0) return { ok: false, problems: [...problems, ...oversized] };
  if (oversized.length > 0) throw tooLarge(oversized);
  return parsed;
}

function validate<T>(
  schema: z.ZodType<T>,
  input: unknown,
  words: Omit<ProblemWords, 'hintOf'> = {},
): Read<T> {
  const parsed = schema.safeParse(input);
  return parsed.success
    ? valid(parsed.data)
    : { ok: false, problems: problemsOf(schema, input, parsed.error, { ...words, hintOf: createHints() }) };
}

function valid<T>(value: T): Read<T> {
  return { ok: true, value };
}

function wrong(problem: Problem): { readonly ok: false; readonly problems: readonly Problem[] } {
  return { ok: false, problems: [problem] };
}
