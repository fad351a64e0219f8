import type { Header, Parameter, Reference } from './openapi-types.ts';

export const headers = {
  'X-Request-Id': {
    description: 'Finds this request in the logs; the one that the request came with, if any.',
    schema: { type: 'string', pattern: '^[\\w.:-]{1,128}$' },
  },
  'RateLimit-Policy': {
    description:
      "The caller's tier, else what holds for the address: its requests (`q`) and its window in seconds (`w`). 999999999999999 is no limit.",
    schema: { type: 'string', pattern: '^"[a-z-]+";q=\\d+;w=\\d+$', examples: ['"standard";q=100;w=60'] },
  },
  RateLimit: {
    description:
      'How many requests remain (`r`), and the seconds until all are back (`t`). 999999999999999 is no limit.',
    schema: { type: 'string', pattern: '^"[a-z-]+";r=\\d+;t=\\d+$', examples: ['"standard";r=99;t=1'] },
  },
  'Retry-After': {
    description: 'Seconds to wait before the request is worth sending again.',
    schema: { type: 'string', pattern: '^\\d+$', examples: ['2'] },
  },
  ETag: {
    description:
      'Of what is said about what has ended; to be sent back as `If-None-Match`. Absent while it goes on.',
    schema: { type: 'string', pattern: '^"[\\w-]+"$' },
  },
  Allow: {
    description: 'The methods that the path has.',
    schema: { type: 'string', examples: ['GET, HEAD, OPTIONS, POST'] },
  },
  Accept: {
    description: 'The media type that would be accepted, where it is that which is not.',
    schema: { type: 'string', examples: ['application/json'] },
  },
  'Accept-Encoding': {
    description: 'The content coding that would be accepted, where it is that which is not.',
    schema: { type: 'string', examples: ['identity'] },
  },
  Location: { description: 'Where what was made is.', schema: { type: 'string' } },
  Link: {
    description: 'The next page, as `<path>; rel="next"`; absent on the last.',
    schema: { type: 'string' },
  },
  'WWW-Authenticate': {
    description: 'How to authenticate. Through API Gateway it comes under another name, the following.',
    schema: { type: 'string', examples: ['Bearer realm="stepline"'] },
  },
  'x-amzn-Remapped-WWW-Authenticate': {
    description: 'What API Gateway makes of `WWW-Authenticate`.',
    schema: { type: 'string', examples: ['Bearer realm="stepline"'] },
  },
} as const satisfies Record<string, Header>;

export type HeaderName = keyof typeof headers;

/** Those of every answer. */
export const commonHeaders: readonly HeaderName[] = ['X-Request-Id', 'RateLimit', 'RateLimit-Policy'];

export function headerReferences(names: readonly HeaderName[]): Record<string, Reference> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

export const headerParameters = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    required: false,
    description:
      'The answer and our logs carry it; an id that is not of this form is replaced by one of ours.',
    schema: { type: 'string', pattern: '^[\\w.:-]{1,128}$' },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description:
      'The same key and request again are answered alike and done once; the key with another request is 409. Keys are the caller’s own.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  IfNoneMatch: {
    name: 'If-None-Match',
    in: 'header',
    required: false,
    description: 'The `ETag` of an earlier answer: if it still holds, the answer is 304.',
    schema: { type: 'string' },
  },
} as const satisfies Record<string, Parameter>;
