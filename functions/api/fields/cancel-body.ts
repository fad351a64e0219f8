import * as z from 'zod';
import type { RequestedChange } from '../../../shared/application/change-run.ts';
import type { Viewer } from '../../../shared/application/permissions.ts';
import { limits } from '../../../shared/config/limits.ts';
import { atMostCharacters } from '../../../shared/validation/characters.ts';
import { ApiError } from '../http/api-error.ts';
import { boundedText } from './request-fields.ts';

export const cancelBody = z.strictObject({
  reason: z
    .string({ error: 'expected text' })
    .check(atMostCharacters(limits.maxErrorMessageLength))
    .nullish(),
  cancelled_by: boundedText(255)
    .nullish()
    .describe('Who asks, which is the default; another only by an admin.'),
});

/** @throws ApiError 403: in somebody else's name */
export function cancellationOf(
  { userId, isAdmin }: Viewer,
  { cancelled_by, reason }: z.infer<typeof cancelBody>,
): Extract<RequestedChange, { type: 'cancellation_requested' }> {
  const by = cancelled_by ?? userId;
  if (by !== userId && !isAdmin) {
    throw new ApiError('PERMISSION_DENIED', 'cancelled_by: only an admin may name another than who asks');
  }
  return { type: 'cancellation_requested', by, reason: reason ?? null };
}
