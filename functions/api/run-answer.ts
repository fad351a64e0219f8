import type { Viewer } from '../../shared/application/viewer.ts';
import type { Answer } from './answer.ts';
import { notFound } from './api-error.ts';
import { presentRun } from './presenters/run.ts';
import type { ApiServices } from './services.ts';

/** The run as a change has left it. */
export async function runAnswer(
  caller: Viewer,
  runId: string,
  { runs }: Pick<ApiServices, 'runs'>,
  answer: Pick<Answer, 'status' | 'message' | 'changesNothing'>,
): Promise<Answer> {
  const found = await runs.maybeFindRun(caller, runId);
  if (!found) throw notFound('Run');
  const data = presentRun(found);
  return { ...answer, data, beside: { run_id: data.run_id, status: data.status } };
}
