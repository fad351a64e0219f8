import type { AnyRoute, Method } from './route.ts';

export type Match =
  | { readonly kind: 'route'; readonly route: AnyRoute; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'method_not_allowed'; readonly allow: string }
  | { readonly kind: 'not_found' };

interface Pattern {
  readonly segments: readonly string[];
  readonly routes: Map<Method, AnyRoute>;
}

/** Matches by segments. Where a literal and a `{name}` both fit, the literal wins, whatever the order of the routes. */
export function createRouter(routes: readonly AnyRoute[]): (method: string, path: string) => Match {
  const patterns = new Map<string, Pattern>();
  for (const route of routes) {
    const segments = route.path.slice(1).split('/');
    const shape = segments.map((segment) => (isParameter(segment) ? '{}' : segment)).join('/');
    const pattern = patterns.get(shape) ?? { segments, routes: new Map() };
    if (pattern.routes.has(route.method)) throw new Error(`Two routes for ${route.method} ${route.path}`);
    pattern.routes.set(route.method, route);
    patterns.set(shape, pattern);
  }
  const byLiteralsFirst = [...patterns.values()].sort((a, b) => parameterPlaces(a) - parameterPlaces(b));

  return (method, path) => {
    const segments = segmentsOf(path);
    const pattern = segments && byLiteralsFirst.find((candidate) => fits(candidate, segments));
    if (!pattern) return { kind: 'not_found' };
    const route = pattern.routes.get((method === 'HEAD' ? 'GET' : method) as Method);
    if (!route) return { kind: 'method_not_allowed', allow: allowOf(pattern) };
    const names = route.path.slice(1).split('/');
    const params = Object.fromEntries(
      names.flatMap((name, place) => (isParameter(name) ? [[name.slice(1, -1), segments[place] ?? '']] : [])),
    );
    return { kind: 'route', route, params };
  };
}

/** Null where the percent-encoding is broken: such a path names nothing. */
function segmentsOf(path: string): string[] | null {
  try {
    return path
      .replace(/^\/|\/$/g, '')
      .split('/')
      .map(decodeURIComponent);
  } catch {
    return null;
  }
}

function fits({ segments: wanted }: Pattern, given: readonly string[]): boolean {
  return (
    wanted.length === given.length &&
    wanted.every((segment, place) => (isParameter(segment) ? given[place] !== '' : segment === given[place]))
  );
}

function allowOf({ routes }: Pattern): string {
  const methods: string[] = [...routes.keys(), 'OPTIONS'];
  if (routes.has('GET')) methods.push('HEAD');
  return methods.sort().join(', ');
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{');
}

/** Reads as a number whose first digit stands for the first segment: the earlier the parameter, the later the pattern. */
function parameterPlaces({ segments }: Pattern): number {
  return segments.reduce((sum, segment) => sum * 2 + (isParameter(segment) ? 1 : 0), 0);
}
