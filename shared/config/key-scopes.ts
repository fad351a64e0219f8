/** What a key may be narrowed to. `read`: what changes nothing; `execute`: start, test, cancel and retry runs; `manage`: all else. */
export const scopes = ['read', 'execute', 'manage'] as const;

export type KeyScope = (typeof scopes)[number];
