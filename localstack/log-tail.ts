import { readFileSync } from 'node:fs';

/** The end of a server's log, without Java's stack frames, for the message that says why it did not start. */
export function lastLines(logFile: string, count = 8): string {
  try {
    return readFileSync(logFile, 'utf8')
      .trimEnd()
      .split('\n')
      .filter((line) => !line.startsWith('\tat '))
      .slice(-count)
      .map((line) => `    ${line}`)
      .join('\n');
  } catch {
    return '    (no log)';
  }
}
