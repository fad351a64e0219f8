import type * as z from 'zod';
import type { AuditEntry } from '../../../shared/application/audit.ts';
import type { Grounds } from '../../../shared/application/grounds.ts';
import type { Caller } from '../../../shared/auth/caller.ts';
import type { KeyScope } from '../../../shared/config/key-scopes.ts';
import type { ApiServices } from '../services.ts';
import type { AnyAnswer } from './answer.ts';
import type { Problem } from './api-error.ts';
import type { Operation } from './operation.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** What a body may be. The schema also documents it. */
export interface BodySpec<Body, Subject = unknown> {
  readonly schema: z.ZodType<Body>;
  /** The schema of what reads the body, where `schema` lets everything through to it. */
  readonly documentedBy?: z.ZodType;
  /** JSON text, in UTF-8 bytes. */
  readonly maxBytes: number;
  /** Without a body the schema gets `{}`. */
  readonly isOptional?: boolean;
  /** Whatever JSON it is, the schema makes of it what can be stored: nothing in it is a reason to refuse it. */
  readonly takesAnyJson?: boolean;
  /**
   * What a schema cannot say of the JSON as it came, valid or not: rules between fields, rules that need the settings, what
   * the path is about, or who asks.
   */
  readonly findProblems?: (
    json: unknown,
    services: ApiServices,
    subject: Subject,
    caller: Caller | null,
  ) => readonly Problem[];
  /** Said of an unknown field of the body that is like no known one: where it may belong. */
  readonly whereTo?: (field: string) => string;
  /** Parts that are too large by themselves. */
  readonly findOversized?: (body: Body) => readonly Problem[];
}

/** `optional`: credentials are asked for where `needsCredentials` says so, and looked at nowhere else. */
export type Authentication = 'caller' | 'optional' | 'none';

type CallerOf<Auth extends Authentication> = Auth extends 'caller'
  ? Caller
  : Auth extends 'optional'
    ? Caller | null
    : null;

export interface RouteRequest<Auth extends Authentication, Params, Query, Body, Subject> {
  /** Null where the request needed no credentials. */
  readonly caller: CallerOf<Auth>;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly subject: Subject;
  /** Null where none was sent, and on routes that take none. */
  readonly idempotencyKey: string | null;
  /** What the caller was let in by, where that is remembered: what is written must be compared with it. */
  readonly grounds: Grounds | undefined;
  /** Who asks for what: a handler that changes something has it stored in the transaction of the change. */
  readonly audit: AuditEntry;
}

export interface Recalled<Subject> {
  readonly subject: Subject;
  readonly grounds: Omit<Grounds, 'apiKey'>;
}

/**
 * One operation of the API, as data: the router matches it, the pipeline validates by its schemas, documents are made of it.
 * Order: credentials, scope, `find`, query, body, `handle`. So nobody learns from a 400 what a 404 would have hidden.
 */
export interface Route<Auth extends Authentication, Params, Query, Body, Subject> {
  readonly method: Method;
  /** `{name}` stands for one segment. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  /** What it answers, and what else its documents say. */
  readonly operation: Operation;
  readonly authentication: Auth;
  /** Of an `optional` route: which queries, as they came, ask for what is not everybody's. */
  readonly needsCredentials?: (query: Readonly<Record<string, string | string[]>>) => boolean;
  /** Such a call leaves no AUDIT. Default: only what needs no more than the scope `read`. */
  readonly audited?: 'never';
  /** What a narrowed key must have. Default: `read` to GET, `manage` to everything else. */
  readonly scope?: KeyScope;
  /** What does not match names nothing: 404; on the plain face it is 400. */
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: BodySpec<Body, Subject>;
  /** The header `Idempotency-Key`: the same key and request again are answered alike, and done once. */
  readonly takesIdempotencyKey?: boolean;
  /** What the path is about; null where there is none that the caller may see. */
  readonly find?: (
    request: { readonly caller: CallerOf<Auth>; readonly params: Params },
    services: ApiServices,
  ) => Promise<Subject | null>;
  /**
   * The subject as it was found for this caller before, without a statement; null where it is to be found. Of a route whose `handle`
   * compares its `grounds` with what is stored when it writes: whatever is refused by what is remembered is asked again without it.
   */
  readonly recall?: (
    request: { readonly caller: CallerOf<Auth>; readonly params: Params },
    services: ApiServices,
  ) => Recalled<Subject> | null;
  /** Named in the 404: `Workflow not found`. */
  readonly subjectName?: 'Workflow' | 'Run' | 'Execution' | 'Agent' | 'API key' | 'Callback';
  readonly handle: (
    request: RouteRequest<Auth, Params, Query, Body, Subject>,
    services: ApiServices,
  ) => Promise<AnyAnswer>;
}

// biome-ignore lint/suspicious/noExplicitAny: routes of different shapes in one list; each was checked where it was defined
export type AnyRoute = Route<any, any, any, any, any>;

export function neededScopeOf({ scope, method }: Pick<AnyRoute, 'scope' | 'method'>): KeyScope {
  return scope ?? (method === 'GET' ? 'read' : 'manage');
}

/** On the plain face, whose answers and errors have no envelope. */
export function isPlainPath(path: string): boolean {
  return /^\/api\/workflows(\/|$)/.test(path);
}

/** Checks a route's parts against each other, and forgets their types, so that routes go into one list. */
export function defineRoute<
  const Auth extends Authentication,
  Params = Readonly<Record<never, never>>,
  Query = Readonly<Record<never, never>>,
  Body = undefined,
  Subject = undefined,
>(route: Route<Auth, Params, Query, Body, Subject>): AnyRoute {
  return route;
}
