import * as z from 'zod';

const headerValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

// `strict`: API Gateway takes an answer with a field that it does not know for a malformed one.
const proxyResponseSchema = z.strictObject({
  statusCode: z.coerce.number().int().min(100).max(599).default(200),
  headers: z.record(z.string(), headerValue).nullish(),
  multiValueHeaders: z.record(z.string(), z.array(headerValue)).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
});

export type HttpAnswer =
  | { ok: true; status: number; headers: Record<string, string[]>; body: Buffer }
  | { ok: false; problem: string };

/** API Gateway sets these itself: a function's go by another name. */
const remapped = new Set(['connection', 'content-length', 'date', 'server', 'www-authenticate']);
const remappedPrefix = 'x-amzn-remapped-';

/** Holds a function's answer to what API Gateway accepts. What it does not accept is a 502 to the client. */
export function httpAnswer(payload: unknown): HttpAnswer {
  const parsed = proxyResponseSchema.safeParse(payload);
  if (!parsed.success)
    return { ok: false, problem: `malformed proxy response: ${z.prettifyError(parsed.error)}` };
  const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = parsed.data;
  const merged = mergeHeaders(headers ?? {}, multiValueHeaders ?? {});
  merged['content-type'] ??= ['application/json'];
  return {
    ok: true,
    status: statusCode,
    headers: merged,
    body: Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8'),
  };
}

/** A name in both maps gets the values of both, without repeating one. */
function mergeHeaders(
  single: Record<string, string>,
  multiple: Record<string, string[]>,
): Record<string, string[]> {
  const merged: Record<string, string[]> = {};
  const pairs = [
    ...Object.entries(multiple),
    ...Object.entries(single).map(([name, value]) => [name, [value]] as const),
  ];
  for (const [name, values] of pairs) {
    const asGiven = name.toLowerCase();
    if (asGiven === 'transfer-encoding') continue;
    const key = remapped.has(asGiven) ? `${remappedPrefix}${asGiven}` : asGiven;
    merged[key] = [...new Set([...(merged[key] ?? []), ...values])];
  }
  return merged;
}
