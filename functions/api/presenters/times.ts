/** Null, too, of a time that another producer may have written and that no Date can be: the database's go on to the year 294276. */
export function isoOf(date: Date | null): string | null {
  return date === null || Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** Null where one of them has not come. */
export function millisecondsBetween(from: Date | null, to: Date | null): number | null {
  return from === null || to === null ? null : to.getTime() - from.getTime();
}

/** As `millisecondsBetween`. */
export function secondsBetween(from: Date | null, to: Date | null): number | null {
  const milliseconds = millisecondsBetween(from, to);
  return milliseconds === null ? null : milliseconds / 1_000;
}

/** To the millisecond, as the times are. */
export function roundedSeconds(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
