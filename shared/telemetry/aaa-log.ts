import { version } from '../config/version.ts';
import { storableText } from '../engine/storable-text.ts';
import type { Logger } from './logger.ts';

/** One event of authentication, authorisation or accounting (workflow-execution-api-keys, Logging). */
export interface AaaEvent {
  readonly type: 'AUTH' | 'AUTHZ' | 'AUDIT' | 'ERROR' | 'SYSTEM';
  readonly community: number | null;
  readonly user: string | null;
  /** In snake_case: `execute_workflow`. */
  readonly action: string;
  /** `SUCCESS`, or why not: `DENIED`, an error code. */
  readonly result: string;
  readonly level: AaaLevel;
}

export interface AaaLog {
  write(event: AaaEvent): void;
}

export type AaaLevel = 'INFO' | 'WARN' | 'ERROR';

/** Of `LOG_LEVEL`. */
const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL', 'SILENT'];

export interface TextAaaLogOptions {
  readonly module: string;
  /** The least level that is written. */
  readonly level: string;
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

/** `[timestamp] LEVEL module:version EVENT_TYPE community=X user=Y action=Z result=STATUS`, one line each. */
export function createTextAaaLog(options: TextAaaLogOptions): AaaLog {
  const { module, level: least, write, now = () => new Date() } = options;
  return {
    write(event) {
      if (levels.indexOf(event.level) < levels.indexOf(least)) return;
      const timestamp = now()
        .toISOString()
        .replace(/\.\d+Z$/, 'Z');
      const { type, community, user, action, result, level } = event;
      const fields = Object.entries({ community, user, action, result });
      const text = fields.map(([name, value]) => `${name}=${fieldOf(value)}`).join(' ');
      write(`[${timestamp}] ${level} ${module}:${version} ${type} ${text}`);
    },
  };
}

/** The same fields as JSON, by the function's logger. */
export function createJsonAaaLog(module: string, logger: Pick<Logger, 'info' | 'warn' | 'error'>): AaaLog {
  const methods = { INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  return {
    write(event) {
      const { type, level, ...fields } = event;
      const message = `${type} ${event.action} ${event.result}`;
      logger[methods[level]](message, { module, version, event_type: type, ...fields });
    },
  };
}

const MAX_FIELD_LENGTH = 255;

/**
 * A field is one word: what is not a letter, a digit or harmless in a line is percent-encoded, so that no id can end the line,
 * begin another field, or colour a terminal.
 */
function fieldOf(value: string | number | null): string {
  if (value === null || value === '') return '-';
  const text = storableText(String(value), MAX_FIELD_LENGTH);
  return text.replace(/[^\p{L}\p{N}_.@:/+-]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}
